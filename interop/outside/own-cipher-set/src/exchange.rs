//! Messages with one other endpoint, and the sessions that follow.

use core::fmt;

use rand_core::CryptoRng;
use telehash_e3x::{
    Exchange, ExchangeError, LocalKey, MessageError, Opened, Order, RemoteEphemeral, Rounds,
    SealError, Session, SessionContext, SessionId, Token, message_head,
};
use telehash_hashname::Csid;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::crypto::{KEY_LEN, NONCE_LEN, TAG_LEN, agree, cipher, derive, fits, seal};
use crate::keys::{CSID, Cs10Key};
use crate::session::Cs10Session;

/// Sessions that one ephemeral of ours may have, each with another of the peer's.
const MAX_SESSIONS: usize = 16;

pub(crate) struct Cs10Exchange {
    local: Cs10Key,
    remote: [u8; KEY_LEN],
    order: Order,
    secret: StaticSecret,
    /// The public half of `secret`: KEY of our messages.
    key: [u8; KEY_LEN],
    /// The KEYs of the other side that a session was made with.
    derived: Vec<[u8; KEY_LEN]>,
}

impl Cs10Exchange {
    pub(crate) fn new(
        local: Cs10Key,
        remote: [u8; KEY_LEN],
        order: Order,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let secret = StaticSecret::random_from_rng(rng);
        let key = PublicKey::from(&secret).to_bytes();
        Self {
            local,
            remote,
            order,
            secret,
            key,
            derived: Vec::new(),
        }
    }

    fn is_ours(&self, key: &[u8]) -> bool {
        self.key == key
    }
}

impl Exchange for Cs10Exchange {
    fn csid(&self) -> Csid {
        CSID
    }

    fn token(&self) -> Token {
        Token::of_body(&self.key).expect("32 bytes are enough for a token")
    }

    fn head_only_token(&self) -> Token {
        Token::head_only_of_body(&self.key).expect("32 bytes are enough for a token")
    }

    fn order(&self) -> Order {
        self.order
    }

    fn remote_public(&self) -> &[u8] {
        &self.remote
    }

    fn rounds(&self) -> Rounds {
        Rounds::KeptEphemeral
    }

    fn seal(&mut self, inner: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let identities = agree(&self.local.secret, &self.remote).ok_or(SealError::RemoteKey)?;
        let shared = agree(&self.secret, &self.remote).ok_or(SealError::RemoteKey)?;
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let proof = derive(identities.as_slice(), &[b"proof", &self.key, &nonce, inner]);
        let mut text = [inner, &proof[..TAG_LEN]].concat();
        let cipher = cipher(&derive(shared.as_slice(), &[b"message"]));
        let tag = seal(&cipher, nonce, &self.key, &mut text).ok_or(SealError::Library)?;
        let mut packet = message_head(CSID, KEY_LEN + NONCE_LEN + text.len() + TAG_LEN);
        for part in [&self.key[..], &nonce, &text, &tag] {
            packet.extend_from_slice(part);
        }
        Ok(packet)
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let opened = self.local.open(body)?;
        if self.is_ours(opened.remote.key()) {
            return Err(MessageError::OwnEphemeral);
        }
        Ok(opened)
    }

    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        let identities = agree(&self.local.secret, &self.remote).ok_or(MessageError::Forged)?;
        let nonce = body
            .get(KEY_LEN..KEY_LEN + NONCE_LEN)
            .ok_or(MessageError::Malformed)?;
        let parts = [b"proof", opened.remote.key(), nonce, &opened.inner];
        let is_proved =
            opened.remote.sent(body) && fits(identities.as_slice(), &parts, opened.proof());
        is_proved.then_some(()).ok_or(MessageError::Forged)
    }

    fn adopt(&mut self, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
        // Nothing is cached here; a set whose agreements are expensive would keep them from now on.
        if self.is_ours(remote.key()) {
            Err(ExchangeError::OwnEphemeral)
        } else {
            Ok(())
        }
    }

    fn session(
        &mut self,
        remote: &RemoteEphemeral,
        _: &SessionContext<'_>,
        _: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Session>, ExchangeError> {
        let theirs: [u8; KEY_LEN] = remote
            .key()
            .try_into()
            .map_err(|_| ExchangeError::OtherSet)?;
        if self.is_ours(&theirs) {
            return Err(ExchangeError::OwnEphemeral);
        }
        if self.derived.contains(&theirs) || self.derived.len() >= MAX_SESSIONS {
            return Err(ExchangeError::NeedsFresh); // or its nonces would start again under the same keys
        }
        let shared = agree(&self.secret, &theirs).ok_or(ExchangeError::WeakAgreement)?;
        self.derived.push(theirs);
        let key = |from: &[u8], to: &[u8]| derive(shared.as_slice(), &[b"channel", from, to]);
        // Both sides name the session by their keys in the same order.
        let (first, second) = (self.key.min(theirs), self.key.max(theirs));
        let id = derive(shared.as_slice(), &[b"id", &first, &second]);
        let id = SessionId::from_bytes(std::array::from_fn(|at| id[at]));
        let (outgoing, incoming) = (key(&self.key, &theirs), key(&theirs, &self.key));
        let local = [self.token(), self.head_only_token()];
        Ok(Box::new(Cs10Session::new(
            id,
            &outgoing,
            &incoming,
            local,
            remote.token(),
        )))
    }

    fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ExchangeError> {
        *self = Self::new(self.local.clone(), self.remote, self.order, rng);
        Ok(())
    }
}

impl fmt::Debug for Cs10Exchange {
    /// Shows nothing of the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cs10Exchange")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
