//! How messages and the contents of files share one stream of bytes (files.md, "Frames").

use bytes::{Buf as _, Bytes};

use crate::error::FilesError;

/// Limit: bytes of one message. A longer one is not sent, and breaks the protocol when received.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// Limit: bytes of a file in one frame. A longer one is not sent, and breaks the protocol when received.
pub const MAX_DATA: usize = 1 << 20;

/// Bytes before what a frame carries: its kind, and a length of three bytes.
pub(crate) const HEAD: usize = 4;

const MESSAGE: u8 = 0;
const DATA: u8 = 1;

/// What comes out of a stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    /// A whole message, as JSON.
    Message(Vec<u8>),
    /// More of a file. Frames of data may come in several of these.
    Data(Bytes),
}

/// Takes a stream apart. What it keeps is at most one message.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    input: Bytes,
    /// The beginning of a head or a message.
    partial: Vec<u8>,
    /// What is left of a frame of data.
    data: usize,
}

impl Decoder {
    /// Gives it the next bytes, once nothing more comes out of the last ones.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        debug_assert!(self.input.is_empty(), "the last bytes are used up");
        self.input = bytes;
    }

    /// What comes next, unless it takes more bytes. After an error nothing means anything.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FilesError> {
        loop {
            if self.data > 0 {
                return Ok(self.data());
            }
            if !self.fill(HEAD) {
                return Ok(None);
            }
            let Some(&[kind, a, b, c]) = self.partial.first_chunk::<HEAD>() else {
                return Ok(None);
            };
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            match kind {
                MESSAGE if len <= MAX_MESSAGE => {
                    if !self.fill(HEAD + len) {
                        return Ok(None);
                    }
                    let message = self.partial.split_off(HEAD);
                    self.partial.clear();
                    return Ok(Some(Frame::Message(message)));
                }
                DATA if (1..=MAX_DATA).contains(&len) => {
                    self.partial.clear();
                    self.data = len;
                }
                MESSAGE | DATA => return Err(FilesError::Protocol("a frame of a wrong length")),
                _ => return Err(FilesError::Protocol("a frame of an unknown kind")),
            }
        }
    }

    /// Whether the stream may end here.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.data == 0 && self.partial.is_empty() && self.input.is_empty()
    }

    fn data(&mut self) -> Option<Frame> {
        let len = self.data.min(self.input.len());
        self.data -= len;
        (len > 0).then(|| Frame::Data(self.input.split_to(len)))
    }

    /// Moves input until there are `len` bytes.
    fn fill(&mut self, len: usize) -> bool {
        let missing = len.saturating_sub(self.partial.len());
        let taken = self.input.split_to(missing.min(self.input.len()));
        self.partial.extend_from_slice(taken.chunk());
        self.partial.len() >= len
    }
}

/// A frame with this message.
pub(crate) fn message(json: &[u8]) -> Result<Vec<u8>, FilesError> {
    if json.len() > MAX_MESSAGE {
        return Err(FilesError::Protocol("a message that is too long"));
    }
    let mut frame = head(MESSAGE, json.len()).to_vec();
    frame.extend_from_slice(json);
    Ok(frame)
}

/// The head of a frame with so many bytes of a file.
pub(crate) fn data_head(len: usize) -> [u8; HEAD] {
    debug_assert!((1..=MAX_DATA).contains(&len), "as long as allowed");
    head(DATA, len)
}

fn head(kind: u8, len: usize) -> [u8; HEAD] {
    let [_, a, b, c] = (len as u32).to_be_bytes();
    [kind, a, b, c]
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn decoded(bytes: &[u8], cut: usize) -> Result<Vec<Frame>, FilesError> {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        for piece in bytes.chunks(cut.max(1)) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Some(frame) = decoder.next()? {
                match (frame, frames.last_mut()) {
                    (Frame::Data(more), Some(Frame::Data(data))) => {
                        *data = [&data[..], &more[..]].concat().into();
                    }
                    (frame, _) => frames.push(frame),
                }
            }
        }
        assert!(decoder.is_between_frames());
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_are_read_as_they_were_written_however_they_are_cut(
            first in vec(any::<u8>(), 0..100), data in vec(any::<u8>(), 1..3000),
            last in vec(any::<u8>(), 0..100), cut in 1_usize..200,
        ) {
            let data = Bytes::from(data);
            let stream = [
                &message(&first).unwrap()[..], &data_head(data.len()), &data, &message(&last).unwrap(),
            ].concat();
            let expected = [Frame::Message(first), Frame::Data(data), Frame::Message(last)];
            prop_assert_eq!(decoded(&stream, cut).unwrap(), expected);
        }
    }

    #[test]
    fn a_message_is_as_long_as_the_limit_and_no_longer() {
        let longest = vec![b' '; MAX_MESSAGE];
        let frame = message(&longest).unwrap();
        assert_eq!(decoded(&frame, 999).unwrap(), [Frame::Message(longest)]);
        assert!(message(&[b' '; MAX_MESSAGE + 1]).is_err());
        assert!(decoded(&head(MESSAGE, MAX_MESSAGE + 1), 9).is_err());
    }

    #[test]
    fn a_frame_of_data_is_as_long_as_the_limit_and_no_longer() {
        let frame = [&data_head(MAX_DATA)[..], &vec![7; MAX_DATA]].concat();
        assert!(decoded(&frame, 60_000).is_ok());
        for bad in [head(DATA, MAX_DATA + 1), head(DATA, 0), head(2, 1)] {
            assert!(decoded(&bad, 9).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_told_apart() {
        let stream = [&message(b"{}").unwrap()[..], &data_head(2), b"ab"].concat();
        for cut in [1, 5, 7, 11] {
            let mut decoder = Decoder::default();
            decoder.push(Bytes::copy_from_slice(&stream[..cut]));
            while decoder.next().unwrap().is_some() {}
            assert!(!decoder.is_between_frames(), "{cut}");
        }
    }
}
