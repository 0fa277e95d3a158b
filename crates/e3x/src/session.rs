//! Sessions: channel packets under the keys of one pair of ephemerals.

use core::fmt;
use core::ops::Range;

use telehash_hashname::Csid;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{Instant, Token};

/// The two channel keys of a pair of ephemeral keys, with our nonces and the replay filter for
/// theirs (cipher-sets.md, channel BODY).
///
/// Keep it while the exchange keeps its ephemeral key: a handshake round with the same pair of
/// ephemerals changes nothing here, neither nonce counters nor replay filters. Packets are sealed
/// and opened in place.
pub trait Session: fmt::Debug + Send + Sync {
    /// The cipher set of this session.
    fn csid(&self) -> Csid;

    /// Names this session; both sides compute the same.
    fn session_id(&self) -> SessionId;

    /// Room that [`seal`](Self::seal) needs around the plaintext. Constant for the life of a
    /// session.
    fn overhead(&self) -> Overhead;

    /// The token that packets to us carry.
    fn local_token(&self) -> Token;

    /// The token that packets from us carry.
    fn remote_token(&self) -> Token;

    /// Changes the token that packets from us carry from now on. Head-only cloaking needs it
    /// (packets.md).
    fn set_remote_token(&mut self, token: Token);

    /// Seals one channel packet in place. `packet` is `head room || plaintext || tail room` as
    /// [`overhead`](Self::overhead) says and becomes `00 00 || TOKEN || nonce, MAC and ciphertext`.
    ///
    /// # Errors
    ///
    /// [`SealError::NoRoom`] if `packet` is shorter than the overhead, [`SealError::Exhausted`].
    /// The packet is untouched then.
    fn seal(&mut self, now: Instant, packet: &mut [u8]) -> Result<(), SealError>;

    /// Seals a run of packets that lie in one buffer, `segment` bytes from the start of one to the
    /// start of the next; the last may be shorter. The first `head_gap` bytes of each segment are
    /// left alone, for the nonce of a cloak.
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal); packets before the one that failed are sealed then.
    fn seal_batch(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        segment: usize,
        head_gap: usize,
    ) -> Result<(), SealError> {
        let Overhead { head, tail } = self.overhead();
        let needed = head_gap.saturating_add(head).saturating_add(tail);
        if segment < needed {
            return Err(SealError::NoRoom {
                needed,
                actual: segment,
            });
        }
        for datagram in buf.chunks_mut(segment) {
            let actual = datagram.len();
            let packet = datagram
                .get_mut(head_gap..)
                .ok_or(SealError::NoRoom { needed, actual })?;
            self.seal(now, packet)?;
        }
        Ok(())
    }

    /// Checks and decrypts a complete outer channel packet in place; returns where in it the
    /// plaintext lies.
    ///
    /// The token must be one of ours, that of the exchange or its head-only one.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. A packet that does not authenticate leaves the session unchanged but for a
    /// count of them ([`exhausted`](Self::exhausted)), and the packet too unless no other session has
    /// its token ([`Rounds::FreshEphemeral`](crate::Rounds::FreshEphemeral)). Of one that was
    /// [replayed](OpenError::Replayed) the packet may be decrypted; drop it.
    fn open(&mut self, now: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError>;

    /// Whether this session has to be replaced: it can seal no more packets under its keys, its
    /// peer cannot, or in a set with [weak MACs](crate::Exchange::weak_mac) too many packets came
    /// that did not authenticate. What it still can do it does.
    fn exhausted(&self) -> bool;

    /// The secret that lets another session continue this one. Only CS42 has it.
    fn resume(&self) -> Option<&[u8; 32]> {
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next; `None` if never. Only
    /// CS42, which erases keys by time, uses it.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Does what is due. Calling it too early is harmless.
    fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
}

/// How many bytes a complete outer channel packet has around its plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overhead {
    /// Bytes before the plaintext: LENGTH, TOKEN, nonce and, in some sets, the MAC.
    pub head: usize,
    /// Bytes after the plaintext: the MAC in the other sets.
    pub tail: usize,
}

impl Overhead {
    /// Bytes a packet is longer than its plaintext.
    #[must_use]
    pub const fn total(self) -> usize {
        self.head + self.tail
    }
}

/// What is left of a session whose keys are erased: its name, and the secret that lets another one
/// continue it. The secret is erased when this is dropped.
pub struct Resumption {
    id: SessionId,
    secret: Zeroizing<[u8; 32]>,
}

impl Resumption {
    /// What `session` leaves; nothing in a set that continues none.
    #[must_use]
    pub fn of(session: &dyn Session) -> Option<Self> {
        Some(Self {
            id: session.session_id(),
            secret: Zeroizing::new(*session.resume()?),
        })
    }

    /// The session that it is left of.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// [`Session::resume`] of it.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

/// `secret` is erased.
impl ZeroizeOnDrop for Resumption {}

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, .. } = self;
        f.debug_struct("Resumption")
            .field("id", id)
            .finish_non_exhaustive()
    }
}

/// Names a session: the same on both sides, different for every pair of ephemeral keys, no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; Self::LEN]);

impl SessionId {
    /// Bytes in an id.
    pub const LEN: usize = 16;

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    /// 32 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// Why something could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The buffer is too small for what goes around the plaintext.
    #[error(
        "a packet needs at least {needed} bytes, the buffer has {actual}; leave room for the overhead"
    )]
    NoRoom {
        /// Bytes that an empty packet takes.
        needed: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// The keys have sealed as many packets as they may.
    #[error("these keys have sealed all the packets they may; renew the exchange")]
    Exhausted,
    /// The ephemeral key is erased: it had its session, or its round gave up.
    #[error("this ephemeral key is used up; make a fresh one first")]
    NeedsFresh,
    /// The other endpoint's key gives a secret that everybody knows.
    #[error("the other endpoint's key was made to be weak; nothing can be encrypted to it")]
    RemoteKey,
    /// The library of the cipher set failed.
    #[error("the library of the cipher set failed to encrypt; try again")]
    Library,
}

/// Why a channel packet was not accepted. It says no more than this on purpose: never answer a peer
/// with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Too short, or no channel packet.
    #[error("the channel packet is malformed")]
    Malformed,
    /// It was not made with the keys of this session, or not for us.
    #[error("the channel packet does not authenticate")]
    Forged,
    /// It was received before, or is too old to tell.
    #[error("the channel packet was received before, or is too old to tell")]
    Replayed,
}
