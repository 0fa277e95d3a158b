//! Sessions of CS2a.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use telehash_hashname::Csid;

use super::gcm::{Cipher, IV_LEN, Iv, TAG_LEN, Tag};
use super::iv::{IvFilter, IvSource};
use crate::{Instant, OpenError, Overhead, SealError, Session, SessionId, Token};

/// Bytes of the LENGTH of an outer channel packet; both are zero.
const LENGTH_LEN: usize = 2;
/// Bytes of a complete outer channel packet before its ciphertext, which is as long as the
/// plaintext.
pub(super) const HEAD_LEN: usize = LENGTH_LEN + Token::LEN + IV_LEN;
/// Bytes of a complete outer channel packet beside its ciphertext.
pub(super) const OVERHEAD: usize = HEAD_LEN + TAG_LEN;

/// Longest text, in bytes, whose room for decrypting a session of CS2a keeps from one packet to the
/// next. A longer one gets room of its own, which is given back after it.
const MAX_KEPT_TEXT: usize = 2048;

/// What two ephemerals decide.
#[derive(Debug)]
pub(super) struct Agreed {
    /// Encrypts our packets.
    pub(super) outgoing: Cipher,
    /// Decrypts theirs.
    pub(super) incoming: Cipher,
    pub(super) id: SessionId,
    /// Packets to us carry it.
    pub(super) local: Token,
    /// Or this, when only their head is cloaked.
    pub(super) local_head_only: Token,
    /// Packets from us carry it.
    pub(super) remote: Token,
}

#[derive(Debug)]
pub(super) struct Cs2aSession {
    agreed: Agreed,
    ivs: IvSource,
    filter: IvFilter,
    scratch: Scratch,
}

impl Cs2aSession {
    pub(super) fn new(agreed: Agreed, ivs: IvSource) -> Self {
        Self {
            agreed,
            ivs,
            filter: IvFilter::default(),
            scratch: Scratch::default(),
        }
    }

    /// Whether a packet with this token is for us.
    fn is_ours(&self, token: &[u8; Token::LEN]) -> bool {
        token == self.agreed.local.as_bytes() || token == self.agreed.local_head_only.as_bytes()
    }

    /// [`Session::seal`] with an IV of the caller's choice, which must be new.
    pub(super) fn seal_with(
        &self,
        iv: &Iv,
        packet: &mut ChannelPacket<'_>,
    ) -> Result<(), SealError> {
        *packet.length = [0; LENGTH_LEN];
        *packet.token = *self.agreed.remote.as_bytes();
        *packet.iv = *iv;
        *packet.tag = self
            .agreed
            .outgoing
            .seal(iv, &[], packet.text)
            .ok_or(SealError::Library)?;
        Ok(())
    }
}

impl Session for Cs2aSession {
    fn csid(&self) -> Csid {
        Csid::CS2A
    }

    fn session_id(&self) -> SessionId {
        self.agreed.id
    }

    fn overhead(&self) -> Overhead {
        Overhead {
            head: HEAD_LEN,
            tail: TAG_LEN,
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
            needed: OVERHEAD,
            actual,
        })?;
        let iv = self.ivs.next().ok_or(SealError::Exhausted)?;
        self.seal_with(&iv, &mut packet)
    }

    fn open(&mut self, _now: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let packet = ChannelPacket::split(packet).ok_or(OpenError::Malformed)?;
        if *packet.length != [0; LENGTH_LEN] {
            return Err(OpenError::Malformed);
        }
        if !self.is_ours(packet.token) {
            return Err(OpenError::Forged);
        }
        let ChannelPacket { iv, text, tag, .. } = packet;
        let opened = self.scratch.of_len(text.len());
        let result = if !self.agreed.incoming.open(iv, &[], text, tag, opened) {
            Err(OpenError::Forged)
        } else if !self.filter.accept(iv, tag) {
            Err(OpenError::Replayed)
        } else {
            text.copy_from_slice(opened);
            Ok(HEAD_LEN..HEAD_LEN + text.len())
        };
        self.scratch.release();
        result
    }

    fn exhausted(&self) -> bool {
        self.ivs.is_exhausted()
    }
}

/// `LENGTH(2) TOKEN(16) IV(12)`, the text, plain or encrypted, and `TAG(16)`.
pub(super) struct ChannelPacket<'a> {
    length: &'a mut [u8; LENGTH_LEN],
    token: &'a mut [u8; Token::LEN],
    iv: &'a mut Iv,
    text: &'a mut [u8],
    tag: &'a mut Tag,
}

impl<'a> ChannelPacket<'a> {
    /// `None` if it is too short.
    pub(super) fn split(packet: &'a mut [u8]) -> Option<Self> {
        let (length, rest) = packet.split_first_chunk_mut()?;
        let (token, rest) = rest.split_first_chunk_mut()?;
        let (iv, rest) = rest.split_first_chunk_mut()?;
        let (text, tag) = rest.split_last_chunk_mut()?;
        Some(Self {
            length,
            token,
            iv,
            text,
            tag,
        })
    }
}

/// Where a packet is decrypted to before it has proved to be one: the library clears what does not
/// authenticate, and other sessions may have to try the same packet.
#[derive(Default)]
struct Scratch(Vec<u8>);

impl Scratch {
    fn of_len(&mut self, len: usize) -> &mut [u8] {
        self.0.resize(len, 0);
        &mut self.0
    }

    /// Nobody may fill our memory with packets that do not even have to authenticate.
    fn release(&mut self) {
        if self.0.len() > MAX_KEPT_TEXT {
            self.0 = Vec::new();
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_a_long_text_is_given_back_and_for_an_ordinary_one_kept() {
        let mut scratch = Scratch::default();
        for (len, kept) in [
            (MAX_KEPT_TEXT, true),
            (MAX_KEPT_TEXT + 1, false),
            (0, false),
        ] {
            assert_eq!(scratch.of_len(len).len(), len);
            scratch.release();
            assert_eq!(scratch.0.capacity() >= MAX_KEPT_TEXT, kept, "{len} bytes");
        }
    }
}
