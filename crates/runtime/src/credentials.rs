//! What the handshakes of a link carry beside our keys: an invite, a token (links.md, "Handshake").

use std::fmt;

use telehash_link::{HandshakeMessage, Kind};
use telehash_uri::Secret;
use zeroize::Zeroizing;

use crate::error::LinkError;
use crate::invite::uri_message;
use crate::limits::MAX_JWT;

/// How to link to an endpoint; see [`Mesh::link_with`](crate::Mesh::link_with).
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens until `Mesh::link_with`"]
pub struct ConnectOptions {
    jwt: Option<Token>,
}

/// What opens a door. Never printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    invite: Option<Secret>,
    /// A `uri` message for a router, or for whoever presented a URI of ours.
    saying: Option<HandshakeMessage>,
    jwt: Option<Token>,
}

#[derive(Clone)]
struct Token(Zeroizing<String>);

impl ConnectOptions {
    /// Nothing beyond what [`Mesh::link`](crate::Mesh::link) does.
    pub fn new() -> Self {
        Self::default()
    }

    /// Presents this JSON web token in every handshake with the endpoint, in place of an earlier
    /// one, for as long as there is a link to it. It goes out encrypted to the endpoint's key.
    pub fn jwt(mut self, token: impl Into<String>) -> Self {
        self.jwt = Some(Token(Zeroizing::new(token.into())));
        self
    }

    /// What is presented.
    pub(crate) fn credentials(self) -> Result<Credentials, LinkError> {
        let len = self.jwt.as_ref().map_or(0, |token| token.0.len());
        if len > MAX_JWT {
            return Err(LinkError::JwtTooLong { len });
        }
        Ok(Credentials {
            jwt: self.jwt,
            ..Credentials::default()
        })
    }
}

impl Credentials {
    pub(crate) fn is_empty(&self) -> bool {
        self.invite.is_none() && self.jwt.is_none()
    }

    /// With the invite of a target, if it has one.
    pub(crate) fn with_invite(self, invite: Option<Secret>) -> Self {
        Self { invite, ..self }
    }

    /// This message and nothing else.
    pub(crate) fn saying(message: HandshakeMessage) -> Self {
        Self {
            saying: Some(message),
            ..Self::default()
        }
    }

    /// Whether there is something that a link which is up has yet to say.
    pub(crate) fn is_said_once(&self) -> bool {
        self.invite.is_some() || self.saying.is_some()
    }

    /// Takes over what the other one has.
    pub(crate) fn update(&mut self, newer: Self) {
        self.invite = newer.invite.or(self.invite.take());
        self.saying = newer.saying.or(self.saying.take());
        self.jwt = newer.jwt.or(self.jwt.take());
    }

    /// The link is up: what is left to say should it have to come up again.
    pub(crate) fn come_up(&mut self) -> Vec<HandshakeMessage> {
        self.saying = None;
        self.messages()
    }

    /// An invite is for once. Whether there was one.
    pub(crate) fn take_invite(&mut self) -> bool {
        self.invite.take().is_some()
    }

    /// As messages: a `uri` and a `jwt` at most, and each of them short enough for a handshake.
    pub(crate) fn messages(&self) -> Vec<HandshakeMessage> {
        let invite = self.invite.as_ref().map(uri_message);
        let uri = self.saying.clone().or(invite);
        let jwt = self.jwt.as_ref().map(|token| {
            let mut message = HandshakeMessage::new(Kind::Jwt, 1);
            message.body = token.0.as_bytes().to_vec();
            message
        });
        uri.into_iter().chain(jwt).collect()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_longer_than_the_limit_is_not_presented() {
        let options = |len| ConnectOptions::new().jwt("a".repeat(len));
        assert!(options(MAX_JWT).credentials().is_ok());
        let refused = options(MAX_JWT + 1).credentials();
        assert!(matches!(refused, Err(LinkError::JwtTooLong { .. })));
    }

    #[test]
    fn a_token_stays_when_the_invite_is_spent_and_is_never_printed() {
        let secret = Secret::from_bytes([7; 16]);
        let options = ConnectOptions::new().jwt("sesame");
        assert!(!format!("{options:?}").contains("sesame"));
        let mut credentials = options.credentials().unwrap().with_invite(Some(secret));
        assert!(!format!("{credentials:?}").contains("sesame"));
        assert_eq!(credentials.messages().len(), 2);
        assert!(credentials.take_invite());
        credentials.update(Credentials::default());
        let messages = credentials.messages();
        assert_eq!((messages.len(), &messages[0].kind), (1, &Kind::Jwt));
        assert_eq!(messages[0].body, b"sesame");
        assert!(!format!("{messages:?}").contains("115, 101, 115"));
    }
}
