//! Messages that travel in pieces.

use bytes::Bytes;

use crate::limits::MAX_MESSAGE;

/// The message of which not all pieces have come.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Vec<u8>);

/// A message has more than [`MAX_MESSAGE`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Pieces {
    /// Adds a piece; returns the message if it is the last one.
    pub(crate) fn push(&mut self, piece: &[u8], last: bool) -> Result<Option<Bytes>, TooLarge> {
        if piece.len() > MAX_MESSAGE - self.0.len() {
            return Err(TooLarge);
        }
        self.0.extend_from_slice(piece);
        // Spare room is given back: what is kept counts by its length.
        Ok(last.then(|| std::mem::take(&mut self.0).into_boxed_slice().into()))
    }

    /// Forgets what has come.
    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_have_as_many_bytes_as_the_limit_and_no_more() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.push(&vec![0; MAX_MESSAGE - 1], false), Ok(None));
        let whole = pieces.push(&[1], true).unwrap().unwrap();
        assert_eq!(whole.len(), MAX_MESSAGE);
        assert_eq!(pieces.push(&vec![0; MAX_MESSAGE], false), Ok(None));
        assert_eq!(pieces.push(&[1], true), Err(TooLarge));
        pieces.clear();
        assert_eq!(pieces.push(b"a", true), Ok(Some("a".into())));
    }
}
