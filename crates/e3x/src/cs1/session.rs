//! Sessions of the 1x cipher sets.

use core::marker::PhantomData;
use core::ops::Range;

use telehash_hashname::Csid;

use super::cipher::{self, IV_LEN, Iv, Key, MAC_LEN, Mac};
use super::curve::Curve;
use super::iv::{IvFilter, IvSource};
use crate::{Instant, OpenError, Overhead, SealError, Session, SessionId, Token};

/// Bytes of the LENGTH of an outer channel packet; both are zero.
const LENGTH_LEN: usize = 2;
/// Bytes of a complete outer channel packet before its ciphertext, which is as long as the
/// plaintext.
pub(super) const HEAD_LEN: usize = LENGTH_LEN + Token::LEN + IV_LEN;

/// Channel packets whose MACs do not fit, in one session. At the limit the session asks to be
/// replaced ([`Session::exhausted`]); it goes on sealing and opening until it is.
///
/// A MAC of four bytes is guessed by one forgery in 2^32. With new keys after 2^16 failures the
/// chance of one in the life of a session stays below one in 2^16.
pub(super) const MAX_FORGERIES: u32 = 1 << 16;

/// What two ephemerals decide.
#[derive(Debug)]
pub(super) struct Agreed {
    /// Encrypts and authenticates our packets.
    pub(super) outgoing: Key,
    /// Theirs.
    pub(super) incoming: Key,
    pub(super) id: SessionId,
    /// Packets to us carry it.
    pub(super) local: Token,
    /// Or this, when only their head is cloaked.
    pub(super) local_head_only: Token,
    /// Packets from us carry it.
    pub(super) remote: Token,
}

#[derive(Debug)]
pub(super) struct Cs1Session<C: Curve> {
    pub(super) agreed: Agreed,
    ivs: IvSource,
    filter: IvFilter,
    forgeries: u32,
    curve: PhantomData<C>,
}

impl<C: Curve> Cs1Session<C> {
    pub(super) const fn new(agreed: Agreed, ivs: IvSource) -> Self {
        Self {
            agreed,
            ivs,
            filter: IvFilter::new(),
            forgeries: 0,
            curve: PhantomData,
        }
    }

    /// Whether a packet with this token is for us.
    fn is_ours(&self, token: &[u8; Token::LEN]) -> bool {
        token == self.agreed.local.as_bytes() || token == self.agreed.local_head_only.as_bytes()
    }

    /// [`Session::seal`] with an IV of the caller's choice, which must be new.
    pub(super) fn seal_with(&self, iv: &Iv, packet: &mut ChannelPacket<'_>) {
        let key = &self.agreed.outgoing;
        *packet.length = [0; LENGTH_LEN];
        *packet.token = *self.agreed.remote.as_bytes();
        *packet.iv = *iv;
        key.apply(iv, packet.text);
        *packet.mac = cipher::mac(key.as_bytes(), iv, packet.text);
    }
}

impl<C: Curve> Session for Cs1Session<C> {
    fn csid(&self) -> Csid {
        C::CSID
    }

    fn session_id(&self) -> SessionId {
        self.agreed.id
    }

    fn overhead(&self) -> Overhead {
        Overhead {
            head: HEAD_LEN,
            tail: MAC_LEN,
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
            needed: self.overhead().total(),
            actual,
        })?;
        let iv = self.ivs.next().ok_or(SealError::Exhausted)?;
        self.seal_with(&iv, &mut packet);
        Ok(())
    }

    fn open(&mut self, _now: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let packet = ChannelPacket::split(packet).ok_or(OpenError::Malformed)?;
        if *packet.length != [0; LENGTH_LEN] {
            return Err(OpenError::Malformed);
        }
        if !self.is_ours(packet.token) {
            return Err(OpenError::Forged);
        }
        let key = &self.agreed.incoming;
        if !cipher::mac_fits(key.as_bytes(), packet.iv, packet.text, packet.mac) {
            self.forgeries = self.forgeries.saturating_add(1);
            return Err(OpenError::Forged);
        }
        if !self.filter.accept(packet.iv) {
            return Err(OpenError::Replayed);
        }
        key.apply(packet.iv, packet.text);
        Ok(HEAD_LEN..HEAD_LEN + packet.text.len())
    }

    fn exhausted(&self) -> bool {
        self.ivs.is_exhausted() || self.filter.is_exhausted() || self.forgeries >= MAX_FORGERIES
    }
}

/// `LENGTH(2) TOKEN(16) IV(4)`, the text, plain or encrypted, and `MAC(4)`.
pub(super) struct ChannelPacket<'a> {
    length: &'a mut [u8; LENGTH_LEN],
    token: &'a mut [u8; Token::LEN],
    iv: &'a mut Iv,
    text: &'a mut [u8],
    mac: &'a mut Mac,
}

impl<'a> ChannelPacket<'a> {
    /// `None` if it is too short.
    pub(super) fn split(packet: &'a mut [u8]) -> Option<Self> {
        let (length, rest) = packet.split_first_chunk_mut()?;
        let (token, rest) = rest.split_first_chunk_mut()?;
        let (iv, rest) = rest.split_first_chunk_mut()?;
        let (text, mac) = rest.split_last_chunk_mut()?;
        Some(Self {
            length,
            token,
            iv,
            text,
            mac,
        })
    }
}
