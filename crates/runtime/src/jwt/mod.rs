//! Demanding a JSON web token of whoever asks for a link (links.md, "Identity beyond keys").

mod claims;
mod demand;
mod key;
#[cfg(test)]
mod tests;

use std::time::Duration;

use telehash_hashname::Hashname;
use telehash_link::{Kind, MessageSet};
use thiserror::Error;

use crate::limits::{MAX_JWT, MAX_JWT_KEYS};
use claims::Claims;

pub use key::{JwtKey, JwtKeyError};

/// How far the issuer's clock and ours may differ unless the policy says otherwise.
const LEEWAY: Duration = Duration::from_secs(60);

/// What a token has to be so that its bearer may link; see
/// [`Builder::demand_jwt`](crate::Builder::demand_jwt).
///
/// It has to be signed with one of the keys, to expire (`exp`) and not have expired, to be valid
/// already (`nbf`, if it says so), and to be meant for us: its `aud` has to name our hashname, or
/// what [`audience`](Self::audience) says.
///
/// A token is good for whoever holds it. Who has stolen one can use it, and so could an endpoint
/// that it was presented to, if `aud` is nothing that only we answer to. With
/// [`bound_to_sender`](Self::bound_to_sender) it is good for one hashname only.
#[derive(Clone, Debug)]
#[must_use = "nothing is demanded until `Builder::demand_jwt`"]
pub struct JwtPolicy {
    keys: Vec<JwtKey>,
    audience: Option<String>,
    leeway: Duration,
    bound: bool,
    spares_trusted: bool,
}

/// Why a token did not open the door. The endpoint that presented it hears none of this.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtRefusal {
    /// There was none.
    #[error("no token")]
    Missing,
    /// A router introduced the endpoint, and an introduction proves nothing: no token either.
    #[error("introduced by a router, without a token")]
    Introduced,
    /// It is longer than [`MAX_JWT`].
    #[error("the token is too long")]
    TooLong,
    /// It cannot be read, or says that it is not signed.
    #[error("the token cannot be read, or is not signed")]
    Malformed,
    /// It is signed in a way for which there is no key.
    #[error("the token is signed with an algorithm for which there is no key")]
    WrongAlgorithm,
    /// None of the keys made its signature.
    #[error("the signature is not by a key of ours")]
    BadSignature,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It does not say when it expires.
    #[error("the token never expires")]
    NeverExpires,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is meant for somebody else, or for nobody.
    #[error("the token is meant for another audience")]
    WrongAudience,
    /// It was issued to another endpoint, or does not say to which.
    #[error("the token was issued to another endpoint")]
    WrongSender,
}

impl JwtPolicy {
    /// Tokens signed with one of these keys.
    ///
    /// # Errors
    /// No key, or more than [`MAX_JWT_KEYS`].
    pub fn new(keys: impl IntoIterator<Item = JwtKey>) -> Result<Self, JwtKeyError> {
        let keys: Vec<_> = keys.into_iter().take(MAX_JWT_KEYS + 1).collect();
        match keys.len() {
            0 => Err(JwtKeyError::NoKey),
            1..=MAX_JWT_KEYS => Ok(Self {
                keys,
                audience: None,
                leeway: LEEWAY,
                bound: false,
                spares_trusted: false,
            }),
            _ => Err(JwtKeyError::TooManyKeys),
        }
    }

    /// The `aud` of a token has to name this, in place of our hashname.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// How far the issuer's clock and ours may differ; a minute by default.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// A token is good only for the endpoint whose hashname it says, as `sub` or as the `kid` of its
    /// `cnf` (RFC 7800). Off by default, since most issuers name people.
    pub fn bound_to_sender(mut self, on: bool) -> Self {
        self.bound = on;
        self
    }

    /// Nothing is demanded of [trusted](crate::state::Trust::Trusted) known links and of those on
    /// the allow list. Off by default.
    pub fn spare_trusted(mut self, on: bool) -> Self {
        self.spares_trusted = on;
        self
    }

    /// Judges the messages that `sender` sent to `us` in one handshake.
    fn judge(
        &self,
        us: &Hashname,
        sender: &Hashname,
        unix: Duration,
        round: &MessageSet,
    ) -> Result<(), JwtRefusal> {
        let mut messages = round.messages().iter();
        let jwt = messages.find(|message| message.kind == Kind::Jwt);
        self.check(us, sender, unix, &jwt.ok_or(JwtRefusal::Missing)?.body)
    }

    /// Checks a token that `sender` presents to `us` at this time, since 1970.
    ///
    /// # Errors
    /// The first reason why it is not good. Nothing else of it is to be believed then.
    pub fn check(
        &self,
        us: &Hashname,
        sender: &Hashname,
        unix: Duration,
        token: &[u8],
    ) -> Result<(), JwtRefusal> {
        if token.len() > MAX_JWT {
            return Err(JwtRefusal::TooLong);
        }
        let claims = Claims::new(key::open(&self.keys, token)?);
        claims.check_time(unix, self.leeway)?;
        let audience = self.audience.clone().unwrap_or_else(|| us.to_string());
        if !claims.names_audience(&audience) {
            return Err(JwtRefusal::WrongAudience);
        }
        match self.bound && !claims.names_sender(&sender.to_string()) {
            true => Err(JwtRefusal::WrongSender),
            false => Ok(()),
        }
    }
}
