//! Whether what comes in pieces is UTF-8.

/// Checks text that comes in pieces, which may cut a character apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Check {
    /// The beginning of a character, and its length.
    tail: [u8; 4],
    len: usize,
    broken: bool,
}

impl Utf8Check {
    /// Adds a piece.
    pub(crate) fn push(&mut self, mut piece: &[u8]) {
        while self.len > 0
            && !self.broken
            && let Some((&byte, rest)) = piece.split_first()
        {
            piece = rest;
            self.push_to_tail(byte);
        }
        if self.broken {
            return;
        }
        if let Err(error) = str::from_utf8(piece) {
            self.broken = error.error_len().is_some();
            let begun = piece.get(error.valid_up_to()..).unwrap_or_default();
            if !self.broken {
                for (to, from) in self.tail.iter_mut().zip(begun) {
                    *to = *from;
                }
                self.len = begun.len();
            }
        }
    }

    fn push_to_tail(&mut self, byte: u8) {
        let Some(to) = self.tail.get_mut(self.len) else {
            self.broken = true;
            return;
        };
        *to = byte;
        self.len += 1;
        match str::from_utf8(self.tail.get(..self.len).unwrap_or_default()) {
            Ok(_) => self.len = 0,
            Err(error) => self.broken = error.error_len().is_some(),
        }
    }

    /// Whether it cannot become UTF-8 any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether all pieces together are UTF-8.
    pub(crate) fn is_whole(&self) -> bool {
        !self.broken && self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_judged_as_the_whole_is(
            bytes in vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..12),
            cuts in vec(0_usize..4, 0..12),
        ) {
            let (mut check, mut rest) = (Utf8Check::default(), &bytes[..]);
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                check.push(piece);
                rest = after;
            }
            check.push(rest);
            prop_assert_eq!(check.is_whole(), str::from_utf8(&bytes).is_ok());
        }

        #[test]
        fn text_cut_anywhere_is_text(text in "\\PC{0,20}", size in 1_usize..5) {
            let mut check = Utf8Check::default();
            for piece in text.as_bytes().chunks(size) {
                check.push(piece);
                prop_assert!(!check.is_broken());
            }
            prop_assert!(check.is_whole());
        }
    }

    #[test]
    fn what_is_broken_stays_broken() {
        let mut check = Utf8Check::default();
        check.push(b"\xc3");
        assert!(!check.is_whole() && !check.is_broken());
        check.push(b"(");
        assert!(check.is_broken());
        check.push(b"fine");
        assert!(!check.is_whole());
    }
}
