//! Sessions of CS42: channel packets.

use core::{fmt, ops::Range};

use ring::aead::{Aad, Tag};
use telehash_hashname::Csid;

use super::{
    epoch::Chain, exchange::Secrets, kdf::Secret, message::TAG_LEN, receiver::Receiver,
    sender::Sender,
};
use crate::{Instant, OpenError, Overhead, SealError, Session, SessionId, Token};

/// Bytes of the outer LENGTH of a channel packet, which has no HEAD.
const LENGTH_LEN: usize = 2;
const COUNTER_LEN: usize = 8;

/// Where the counter ends and the ciphertext begins.
const HEAD_LEN: usize = LENGTH_LEN + Token::LEN + COUNTER_LEN;

#[derive(Debug)]
pub(super) struct Cs42Session {
    id: SessionId,
    resume: Resume,
    tokens: Tokens,
    sender: Sender,
    receiver: Receiver,
}

/// The secret that lets another session continue this one. Never shown.
struct Resume(Secret);

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resume(..)")
    }
}

/// What packets of a session carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    pub(super) local: Token,
    pub(super) local_head_only: Token,
    pub(super) remote: Token,
}

impl Cs42Session {
    pub(super) fn new(secrets: Secrets, tokens: Tokens) -> Self {
        Self {
            id: secrets.id,
            resume: Resume(secrets.resume),
            tokens,
            sender: Sender::new(Chain::new(secrets.outgoing)),
            receiver: Receiver::new(&Chain::new(secrets.incoming)),
        }
    }

    #[cfg(test)]
    pub(super) fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }
}

impl Session for Cs42Session {
    fn csid(&self) -> Csid {
        Csid::CS42
    }

    fn session_id(&self) -> SessionId {
        self.id
    }

    fn overhead(&self) -> Overhead {
        Overhead {
            head: HEAD_LEN,
            tail: TAG_LEN,
        }
    }

    fn local_token(&self) -> Token {
        self.tokens.local
    }

    fn remote_token(&self) -> Token {
        self.tokens.remote
    }

    fn set_remote_token(&mut self, token: Token) {
        self.tokens.remote = token;
    }

    /// The tag covers TOKEN as it is on the wire, be it the head-only one.
    fn seal(&mut self, now: Instant, packet: &mut [u8]) -> Result<(), SealError> {
        let actual = packet.len();
        let needed = HEAD_LEN + TAG_LEN;
        let Some((head, rest)) = packet.split_first_chunk_mut::<HEAD_LEN>() else {
            return Err(SealError::NoRoom { needed, actual });
        };
        let Some((plaintext, tail)) = rest.split_last_chunk_mut::<TAG_LEN>() else {
            return Err(SealError::NoRoom { needed, actual });
        };
        let (counter, keys) = self.sender.next(now).ok_or(SealError::Exhausted)?;
        let (length, covered) = head.split_at_mut(LENGTH_LEN);
        length.fill(0);
        let (token, number) = covered.split_at_mut(Token::LEN);
        token.copy_from_slice(self.tokens.remote.as_bytes());
        number.copy_from_slice(&counter.to_be_bytes());
        let tag = keys
            .aead
            .seal_in_place_separate_tag(keys.nonce(counter), Aad::from(&*covered), plaintext)
            .map_err(|_| SealError::Exhausted)?;
        tail.copy_from_slice(tag.as_ref());
        Ok(())
    }

    fn open(&mut self, now: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let (head, rest) = packet
            .split_first_chunk_mut::<HEAD_LEN>()
            .ok_or(OpenError::Malformed)?;
        let (ciphertext, tag) = rest
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(OpenError::Malformed)?;
        let (length, covered) = head.split_at(LENGTH_LEN);
        if length.iter().any(|byte| *byte != 0) {
            return Err(OpenError::Malformed);
        }
        let (token, counter) = covered
            .split_first_chunk::<{ Token::LEN }>()
            .ok_or(OpenError::Malformed)?;
        let token = Token::from_bytes(*token);
        if token != self.tokens.local && token != self.tokens.local_head_only {
            return Err(OpenError::Forged);
        }
        let counter = counter.try_into().map_err(|_| OpenError::Malformed)?;
        let counter = u64::from_be_bytes(counter);
        let keys = self.receiver.keys(now, counter).ok_or(OpenError::Forged)?;
        let (nonce, aad) = (keys.nonce(counter), Aad::from(covered));
        let tag = Tag::from(*tag);
        let len = ciphertext.len();
        keys.aead
            .open_in_place_separate_tag(nonce, aad, tag, ciphertext, 0..)
            .map_err(|_| OpenError::Forged)?;
        if self.receiver.accept(now, counter) {
            Ok(HEAD_LEN..HEAD_LEN + len)
        } else {
            Err(OpenError::Replayed)
        }
    }

    fn exhausted(&self) -> bool {
        self.sender.exhausted()
    }

    fn resume(&self) -> Option<&[u8; 32]> {
        Some(&self.resume.0)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.receiver.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.receiver.expire(now);
    }
}
