//! Cloaking: packets that look like noise (packets.md, Cloaking).
//!
//! ```text
//! cloaked = nonce(8, nonce[0] != 0) || ChaCha20-DJB(key, nonce, counter from 0)(packet)
//! ```
//!
//! The key is public, so cloaking hides what a packet is from filters, not from anyone who looks.
//! An uncloaked packet begins with 0x00, a cloaked one with anything else, and cloaked packets can
//! be cloaked again, any number of rounds.
//!
//! A receiver [peeks](peek) first: one ChaCha block a round tells LENGTH and CSID or TOKEN, hence
//! whether the packet is for anyone here. Only then it [finishes](finish), in place.
//!
//! ```
//! use telehash_lob::cloak::{self, NONCE_LEN, WorkBudget};
//!
//! let packet = b"\0\0token of 16 bytes and an encrypted channel packet".as_slice();
//! let mut wire = cloak::make_nonce([0x5f; NONCE_LEN]).to_vec();
//! wire.extend_from_slice(packet);
//! cloak::cloak_in_place(&mut wire);
//!
//! let peek = cloak::peek(&wire, &mut WorkBudget::default())?;
//! assert_eq!((peek.rounds(), &peek.head()[2..18]), (1, &b"token of 16 byte"[..]));
//! assert_eq!(cloak::finish(&mut wire, &peek, false), packet);
//! # Ok::<(), cloak::CloakError>(())
//! ```

mod budget;
mod keystream;
mod peek;

pub use budget::{DEFAULT_WORK, WorkBudget};
pub use peek::{HEAD_LEN, Peek, finish, peek};

use keystream::apply_keystream;

/// Bytes of nonce that each round of cloaking puts in front.
pub const NONCE_LEN: usize = 8;

/// Fewest bytes that can be a cloaked packet: a nonce and an empty packet. Less that does not begin
/// with 0x00 is no packet at all.
pub const MIN_CLOAKED: usize = NONCE_LEN + 2;

/// The key everybody uses: SHA256("telehash").
pub const KEY: [u8; 32] = [
    0xd7, 0xf0, 0xe5, 0x55, 0x54, 0x62, 0x41, 0xb2, 0xa9, 0x44, 0xec, 0xd6, 0xd0, 0xde, 0x66, 0x85,
    0x6a, 0xc5, 0x0b, 0x0b, 0xab, 0xa7, 0x6a, 0x6f, 0x5a, 0x47, 0x82, 0x95, 0x6c, 0xa9, 0x45, 0x9a,
];

/// Makes a nonce of random bytes: the first byte, which says that a packet is cloaked, becomes
/// non-zero.
#[must_use]
pub const fn make_nonce(mut random: [u8; NONCE_LEN]) -> [u8; NONCE_LEN] {
    if random[0] == 0 {
        random[0] = 1 + random[NONCE_LEN - 1] % u8::MAX;
    }
    random
}

/// Cloaks the packet in `buf` with the nonce in front of it: `buf` is nonce || packet.
///
/// For another round put another nonce in front and call it again with both.
///
/// # Panics
///
/// If `buf` is shorter than a nonce, or the nonce begins with 0 ([`make_nonce`] sees to that).
pub fn cloak_in_place(buf: &mut [u8]) {
    let (nonce, packet) = split_nonce(buf);
    apply_keystream(nonce, packet);
}

/// As [`cloak_in_place`], but leaves what follows the first [`HEAD_LEN`] bytes of the packet as it
/// is (packets.md, Head-only cloaking): for encrypted channel packets to a peer that agreed to it.
///
/// # Panics
///
/// As [`cloak_in_place`].
pub fn cloak_head_in_place(buf: &mut [u8]) {
    let (nonce, packet) = split_nonce(buf);
    apply_keystream(nonce, first_mut(packet, HEAD_LEN));
}

/// Takes a nonce that this side wrote off its packet.
fn split_nonce(buf: &mut [u8]) -> (&[u8; NONCE_LEN], &mut [u8]) {
    let (nonce, packet) = buf
        .split_first_chunk_mut::<NONCE_LEN>()
        .expect("a buffer to cloak begins with a nonce, as its documentation demands");
    assert_ne!(
        nonce[0], 0,
        "a nonce that begins with 0 marks a packet that is not cloaked"
    );
    (nonce, packet)
}

/// The first `len` bytes, or all if there are fewer.
fn first_mut(bytes: &mut [u8], len: usize) -> &mut [u8] {
    let len = len.min(bytes.len());
    &mut bytes[..len]
}

/// Peels all rounds off a received packet in place and returns the offset of the plain packet in
/// `buf`: 0 for a packet that was not cloaked.
///
/// This is for whole packets that are wanted anyway; [`peek`] and [`finish`] do less work for the
/// others. It cannot read head-only cloaking. After an error `buf` is partly peeled.
///
/// # Errors
///
/// [`CloakError`] as for [`peek`]; each round costs the bytes that it peels.
pub fn decloak_in_place(buf: &mut [u8], budget: &mut WorkBudget) -> Result<usize, CloakError> {
    let mut offset = 0;
    loop {
        let round = buf.get_mut(offset..).unwrap_or_default();
        if !is_cloaked(round.first(), round.len())? {
            return Ok(offset);
        }
        budget.spend(round.len() - NONCE_LEN)?;
        peel(round, usize::MAX);
        offset += NONCE_LEN;
    }
}

/// Whether a received packet of this first byte and length is cloaked.
fn is_cloaked(first: Option<&u8>, len: usize) -> Result<bool, CloakError> {
    match first {
        Some(0) => Ok(false),
        Some(_) if len >= MIN_CLOAKED => Ok(true),
        _ => Err(CloakError::TooShort { len }),
    }
}

/// Peels one round off the first `reach` bytes after a nonce; does nothing without a nonce.
fn peel(round: &mut [u8], reach: usize) {
    if let Some((nonce, packet)) = round.split_first_chunk_mut::<NONCE_LEN>() {
        apply_keystream(nonce, first_mut(packet, reach));
    }
}

/// Why received bytes cannot be decloaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloakError {
    /// Neither a plain packet nor long enough for another round.
    #[error("{len} bytes are too short for a cloaked packet: it has at least {MIN_CLOAKED}")]
    TooShort {
        /// Bytes left.
        len: usize,
    },
    /// The [`WorkBudget`] does not cover the rounds of this packet.
    #[error("decloaking takes {needed} bytes of keystream, but only {left} are allowed for now")]
    WorkExhausted {
        /// What the next round takes.
        needed: usize,
        /// What the budget has left.
        left: usize,
    },
}
