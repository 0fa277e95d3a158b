//! Sessions of CS3a.

use core::ops::Range;

use telehash_hashname::Csid;

use super::nacl::{self, MAC_LEN, Mac, NONCE_LEN, Nonce, SharedKey};
use super::nonce::{NonceFilter, NonceSource};
use crate::{Instant, OpenError, Overhead, SealError, Session, SessionId, Token};

/// Bytes of the LENGTH of an outer channel packet; both are zero.
const LENGTH_LEN: usize = 2;
/// Bytes of a complete outer channel packet before its ciphertext, which is as long as the
/// plaintext.
pub(super) const HEAD_LEN: usize = LENGTH_LEN + Token::LEN + NONCE_LEN + MAC_LEN;

/// What two ephemerals decide.
#[derive(Debug)]
pub(super) struct Agreed {
    /// Encrypts our packets.
    pub(super) outgoing: SharedKey,
    /// Decrypts theirs.
    pub(super) incoming: SharedKey,
    pub(super) id: SessionId,
    /// Packets to us carry it.
    pub(super) local: Token,
    /// Or this, when only their head is cloaked.
    pub(super) local_head_only: Token,
    /// Packets from us carry it.
    pub(super) remote: Token,
}

#[derive(Debug)]
pub(super) struct Cs3aSession {
    pub(super) agreed: Agreed,
    nonces: NonceSource,
    filter: NonceFilter,
}

impl Cs3aSession {
    pub(super) fn new(agreed: Agreed, nonces: NonceSource) -> Self {
        Self {
            agreed,
            nonces,
            filter: NonceFilter::default(),
        }
    }

    /// Whether a packet with this token is for us.
    fn is_ours(&self, token: &[u8; Token::LEN]) -> bool {
        token == self.agreed.local.as_bytes() || token == self.agreed.local_head_only.as_bytes()
    }

    /// [`Session::seal`] with a nonce of the caller's choice, which must be new.
    pub(super) fn seal_with(&self, nonce: &Nonce, packet: &mut ChannelPacket<'_>) {
        *packet.length = [0; LENGTH_LEN];
        *packet.token = *self.agreed.remote.as_bytes();
        *packet.nonce = *nonce;
        *packet.mac = nacl::seal(&self.agreed.outgoing, nonce, packet.text);
    }
}

impl Session for Cs3aSession {
    fn csid(&self) -> Csid {
        Csid::CS3A
    }

    fn session_id(&self) -> SessionId {
        self.agreed.id
    }

    fn overhead(&self) -> Overhead {
        Overhead {
            head: HEAD_LEN,
            tail: 0,
        }
    }

    fn local_token(&self) -> Token {
        self.agreed.local
    }

    fn remote_token(&self) -> Token {
        self.agreed.remote
    }

    fn set_remote_token(&mut self, token: Token) {
        self.agreed.remote = token;
    }

    fn seal(&mut self, _now: Instant, packet: &mut [u8]) -> Result<(), SealError> {
        let actual = packet.len();
        let mut packet = ChannelPacket::split(packet).ok_or(SealError::NoRoom {
            needed: HEAD_LEN,
            actual,
        })?;
        let nonce = self.nonces.next().ok_or(SealError::Exhausted)?;
        self.seal_with(&nonce, &mut packet);
        Ok(())
    }

    fn open(&mut self, _now: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let len = packet.len();
        let packet = ChannelPacket::split(packet).ok_or(OpenError::Malformed)?;
        if *packet.length != [0; LENGTH_LEN] {
            return Err(OpenError::Malformed);
        }
        if !self.is_ours(packet.token) {
            return Err(OpenError::Forged);
        }
        if !nacl::open(&self.agreed.incoming, packet.nonce, packet.mac, packet.text) {
            return Err(OpenError::Forged);
        }
        if !self.filter.accept(packet.nonce) {
            return Err(OpenError::Replayed);
        }
        Ok(HEAD_LEN..len)
    }

    fn exhausted(&self) -> bool {
        self.nonces.is_exhausted()
    }
}

/// `LENGTH(2) TOKEN(16) NONCE(24) MAC(16)` and the text, plain or encrypted.
pub(super) struct ChannelPacket<'a> {
    length: &'a mut [u8; LENGTH_LEN],
    token: &'a mut [u8; Token::LEN],
    nonce: &'a mut Nonce,
    mac: &'a mut Mac,
    text: &'a mut [u8],
}

impl<'a> ChannelPacket<'a> {
    /// `None` if it is too short.
    pub(super) fn split(packet: &'a mut [u8]) -> Option<Self> {
        let (length, rest) = packet.split_first_chunk_mut()?;
        let (token, rest) = rest.split_first_chunk_mut()?;
        let (nonce, rest) = rest.split_first_chunk_mut()?;
        let (mac, text) = rest.split_first_chunk_mut()?;
        Some(Self {
            length,
            token,
            nonce,
            mac,
            text,
        })
    }
}
