//! Looking at the head of a cloaked packet before spending work on the rest.

use super::{
    CloakError, NONCE_LEN, WorkBudget, decloak_in_place, first_mut, is_cloaked,
    keystream::{BLOCK, apply_keystream, apply_keystream_after_head},
    peel,
};

/// Most bytes of a packet that [`Peek::head`] shows, and the reach of head-only cloaking: one block
/// of keystream.
pub const HEAD_LEN: usize = BLOCK;

/// Bytes of head that say what a packet is: LENGTH and TOKEN.
const TELLING: usize = 18;

/// The head of a packet below its cloaking.
#[derive(Clone, Copy, Debug)]
pub struct Peek {
    rounds: usize,
    len: usize,
    head: [u8; HEAD_LEN],
}

impl Peek {
    /// How many rounds of cloaking are on the packet; 0 for a plain one.
    #[must_use]
    pub const fn rounds(&self) -> usize {
        self.rounds
    }

    /// Where the plain packet begins in the received bytes.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.rounds * NONCE_LEN
    }

    /// The first bytes of the plain packet, at least 18 (LENGTH and TOKEN) if it has as many and at
    /// most [`HEAD_LEN`]; with one round, or none, as many as there are.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.head.get(..self.len).unwrap_or(&self.head)
    }

    /// The head of received bytes that are not peeled yet.
    fn of(packet: &[u8]) -> Self {
        let len = packet.len().min(HEAD_LEN);
        let mut head = [0; HEAD_LEN];
        head[..len].copy_from_slice(&packet[..len]);
        Self {
            rounds: 0,
            len,
            head,
        }
    }

    /// Peels the first round off the head of `packet`.
    fn peel_first(packet: &[u8]) -> Self {
        let Some((nonce, rest)) = packet.split_first_chunk::<NONCE_LEN>() else {
            return Self::of(packet);
        };
        let mut peek = Self {
            rounds: 1,
            ..Self::of(rest)
        };
        apply_keystream(nonce, first_mut(&mut peek.head, peek.len));
        peek
    }

    /// Peels another round off the head, which gets a nonce shorter.
    fn peel_next(&mut self) {
        peel(first_mut(&mut self.head, self.len), HEAD_LEN);
        self.head.copy_within(NONCE_LEN.., 0);
        self.len = self.len.saturating_sub(NONCE_LEN);
        self.rounds += 1;
    }
}

/// Peels the head of a received packet, one block of keystream a round, and leaves `packet` alone.
///
/// The first round costs one block of `budget`. Each further round is charged with the whole length
/// of what is below it, which pays for [`finish`] in advance. So the work that a packet causes is at
/// most one pass over it, as any packet does, and twice what was paid.
///
/// # Errors
///
/// [`CloakError::TooShort`] for what cannot be a packet, [`CloakError::WorkExhausted`] if `budget`
/// does not cover its rounds. Drop the packet either way.
pub fn peek(packet: &[u8], budget: &mut WorkBudget) -> Result<Peek, CloakError> {
    if !is_cloaked(packet.first(), packet.len())? {
        return Ok(Peek::of(packet));
    }
    budget.spend(BLOCK)?;
    let mut peek = Peek::peel_first(packet);
    loop {
        let rest = packet.get(peek.offset()..).unwrap_or_default();
        if !is_cloaked(peek.head().first(), rest.len())? {
            return Ok(peek);
        }
        budget.spend(rest.len())?;
        if peek.len < TELLING + NONCE_LEN && peek.len < rest.len() {
            return peek_deep(packet, budget);
        }
        peek.peel_next();
    }
}

/// Peels a packet of so many rounds that one block of each does not reach its head.
#[cold]
fn peek_deep(packet: &[u8], budget: &mut WorkBudget) -> Result<Peek, CloakError> {
    let mut copy = packet.to_vec();
    let offset = decloak_in_place(&mut copy, budget)?;
    let plain = copy.get(offset..).unwrap_or_default();
    Ok(Peek {
        rounds: offset / NONCE_LEN,
        ..Peek::of(plain)
    })
}

/// Decloaks the packet that `peek` looked at in place, and returns the plain packet.
///
/// `head_only` says that its sender cloaked no more than the first [`HEAD_LEN`] bytes after each
/// nonce, as its token told. With a `peek` of another packet the result is noise.
#[must_use]
pub fn finish<'p>(packet: &'p mut [u8], peek: &Peek, head_only: bool) -> &'p mut [u8] {
    match peek.rounds {
        0 => {}
        1 => finish_one(packet, peek, head_only),
        rounds => {
            let reach = if head_only { HEAD_LEN } else { usize::MAX };
            for offset in (0..rounds).map(|round| round * NONCE_LEN) {
                peel(packet.get_mut(offset..).unwrap_or_default(), reach);
            }
        }
    }
    packet.get_mut(peek.offset()..).unwrap_or_default()
}

/// Finishes a packet of one round, whose first block is peeled already.
fn finish_one(packet: &mut [u8], peek: &Peek, head_only: bool) {
    let Some((nonce, rest)) = packet.split_first_chunk_mut::<NONCE_LEN>() else {
        return;
    };
    let head = peek.head();
    let Some((target, rest)) = rest.split_at_mut_checked(head.len()) else {
        return;
    };
    target.copy_from_slice(head);
    if !head_only {
        apply_keystream_after_head(nonce, rest);
    }
}
