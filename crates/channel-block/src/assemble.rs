//! Puts blocks together from pieces.

use bytes::Bytes;

use crate::limits::MAX_RUNS;
use crate::runs::Runs;
use crate::wire::Piece;

/// A block that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number among those that the sender sent, from 1. One that is left out was lost.
    pub number: u64,
    /// What is in it.
    pub bytes: Bytes,
}

/// The newest block, as far as it has come.
#[derive(Debug)]
pub(crate) struct Assembler {
    limit: usize,
    newest: u64,
    /// `None` once it was handed out or dropped.
    begun: Option<Begun>,
}

/// A block of which not all pieces have come, which may be in any order.
#[derive(Debug, Default)]
struct Begun {
    bytes: Vec<u8>,
    runs: Runs,
    /// Its length, once its last piece has come.
    len: Option<usize>,
}

impl Assembler {
    /// For blocks of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            newest: 0,
            begun: None,
        }
    }

    /// Adds a piece; returns the block if it completes one. A piece of an older block is dropped, and
    /// one of a newer block drops what there was.
    pub(crate) fn push(&mut self, piece: &Piece) -> Option<Block> {
        if piece.number > self.newest {
            self.newest = piece.number;
            self.begun = Some(Begun::default());
        }
        if piece.number < self.newest {
            return None;
        }
        let mut begun = self.begun.take()?;
        if !begun.add(piece, self.limit) {
            return None;
        }
        match begun.len.filter(|len| begun.runs.are_whole(*len)) {
            Some(_) => Some(Block {
                number: self.newest,
                bytes: begun.bytes.into(),
            }),
            None => {
                self.begun = Some(begun);
                None
            }
        }
    }
}

impl Begun {
    /// Whether the block can still become whole. Bytes that are there already do not change.
    fn add(&mut self, piece: &Piece, limit: usize) -> bool {
        let end = piece.at.saturating_add(piece.bytes.len());
        if end > limit {
            return false;
        }
        if piece.last && *self.len.get_or_insert(end) != end {
            return false;
        }
        if self.runs.add(piece.at..end) {
            if self.bytes.len() < end {
                self.bytes.resize(end, 0);
            }
            if let Some(place) = self.bytes.get_mut(piece.at..end) {
                place.copy_from_slice(&piece.bytes);
            }
        }
        self.runs.len() <= MAX_RUNS && self.len.is_none_or(|len| self.runs.end() <= len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::limits::MAX_BLOCK;
    use crate::wire::cut;

    fn piece(number: u64, at: usize, bytes: &'static str, last: bool) -> Piece {
        let bytes = bytes.into();
        Piece {
            number,
            at,
            bytes,
            last,
        }
    }

    fn pushed(assembler: &mut Assembler, pieces: &[Piece]) -> Vec<Block> {
        pieces
            .iter()
            .filter_map(|piece| assembler.push(piece))
            .collect()
    }

    fn block(number: u64, bytes: &'static str) -> Block {
        let bytes = bytes.into();
        Block { number, bytes }
    }

    #[test]
    fn a_hole_drops_exactly_its_block() {
        let mut assembler = Assembler::new(MAX_BLOCK);
        let blocks = pushed(
            &mut assembler,
            &[
                piece(1, 0, "ab", false),
                piece(1, 2, "c", true),
                piece(2, 0, "de", false),
                // What was at 2 is lost.
                piece(2, 4, "f", true),
                piece(3, 0, "gh", false),
                piece(3, 2, "i", true),
            ],
        );
        assert_eq!(blocks, [block(1, "abc"), block(3, "ghi")]);
    }

    #[test]
    fn pieces_of_an_older_block_are_dropped_and_change_nothing() {
        let mut assembler = Assembler::new(MAX_BLOCK);
        let blocks = pushed(
            &mut assembler,
            &[
                piece(1, 0, "a", false),
                piece(5, 0, "b", false),
                piece(1, 1, "a", true),
                piece(4, 0, "x", true),
                piece(5, 1, "c", true),
                piece(5, 0, "again", true),
            ],
        );
        assert_eq!(blocks, [block(5, "bc")]);
    }

    #[test]
    fn a_block_may_have_as_many_bytes_as_the_limit_and_no_more() {
        let mut assembler = Assembler::new(3);
        assert_eq!(
            pushed(&mut assembler, &[piece(1, 0, "abc", true)]),
            [block(1, "abc")]
        );
        let large = [
            piece(2, 0, "abc", false),
            piece(2, 3, "d", false),
            piece(2, 3, "", true),
        ];
        assert_eq!(pushed(&mut assembler, &large), []);
        assert_eq!(
            pushed(&mut assembler, &[piece(3, usize::MAX, "a", false)]),
            []
        );
        let next = pushed(&mut assembler, &[piece(4, 0, "", true)]);
        assert_eq!(next, [block(4, "")]);
    }

    #[test]
    fn pieces_that_contradict_each_other_drop_their_block() {
        for pieces in [
            // Two ends.
            [
                piece(1, 0, "ab", true),
                piece(2, 2, "c", true),
                piece(2, 0, "a", true),
                piece(2, 0, "ab", false),
            ],
            // More than the end allows.
            [
                piece(1, 0, "ab", true),
                piece(2, 1, "c", true),
                piece(2, 2, "d", false),
                piece(2, 0, "a", false),
            ],
        ] {
            let mut assembler = Assembler::new(MAX_BLOCK);
            assert_eq!(pushed(&mut assembler, &pieces), [block(1, "ab")]);
        }
    }

    #[test]
    fn a_block_has_so_many_holes_and_no_more() {
        // Every other byte, and then those between.
        let scattered = |runs: usize| {
            let odd = (0..runs).map(|run| piece(1, run * 2 + 1, "x", run + 1 == runs));
            odd.chain((0..runs).map(|run| piece(1, run * 2, "y", false)))
                .collect::<Vec<_>>()
        };
        let mut assembler = Assembler::new(MAX_BLOCK);
        assert_eq!(pushed(&mut assembler, &scattered(MAX_RUNS)).len(), 1);
        let mut assembler = Assembler::new(MAX_BLOCK);
        assert_eq!(pushed(&mut assembler, &scattered(MAX_RUNS + 1)), []);
    }

    proptest! {
        #[test]
        fn a_block_comes_whole_in_any_order_and_not_with_a_piece_less(
            len in 0_usize..5000,
            quota in 200_usize..1300,
            order in vec(any::<prop::sample::Index>(), 40),
            lost in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let bytes: Bytes = (0..len).map(|at| (at % 251) as u8).collect();
            let mut pieces: Vec<_> = cut(1, &bytes, quota).collect();
            for (at, other) in order.iter().enumerate() {
                let count = pieces.len();
                pieces.swap(at % count, other.index(count));
            }
            if let Some(lost) = lost {
                pieces.remove(lost.index(pieces.len()));
            }
            // Each comes twice.
            let twice: Vec<_> = pieces.iter().flat_map(|piece| [piece.clone(), piece.clone()]).collect();
            let blocks = pushed(&mut Assembler::new(MAX_BLOCK), &twice);
            let whole = Block { number: 1, bytes };
            prop_assert_eq!(blocks, if lost.is_some() { vec![] } else { vec![whole] });
        }
    }
}
