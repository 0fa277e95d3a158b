//! Putting packets together again.

use alloc::vec::Vec;

use super::{ChunkError, MAX_CHUNKED_PACKET, TERMINATOR};

/// Puts packets together from whatever pieces the transport delivers.
///
/// It holds one packet, up to [`MAX_CHUNKED_PACKET`], and reuses its buffer for the next one.
#[derive(Debug)]
pub struct Decoder {
    packet: Vec<u8>,
    limit: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before a length byte.
    Length,
    /// So many bytes of a fragment are still to come.
    Fragment(usize),
    /// The packet was handed out.
    Complete,
    /// The packet was too long.
    Failed,
}

impl Decoder {
    /// A decoder for packets of up to [`MAX_CHUNKED_PACKET`] bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_limit(MAX_CHUNKED_PACKET)
    }

    /// A decoder for packets of up to `limit` bytes.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self {
            packet: Vec::new(),
            limit,
            state: State::Length,
        }
    }

    /// Takes packets of up to `limit` bytes from now on, the one that has begun included. Nothing
    /// brings back a decoder that has failed.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether no packet has begun that is still incomplete.
    #[must_use]
    pub const fn is_between_packets(&self) -> bool {
        match self.state {
            State::Length => self.packet.is_empty(),
            State::Complete => true,
            State::Fragment(_) | State::Failed => false,
        }
    }

    /// Takes bytes off the front of `input` up to the next event, or all of them if there is none.
    ///
    /// Call it until it returns `None`. Bytes that are no packet at all come out as one like any
    /// other: [`Lob::parse`](crate::Lob::parse) tells, and its error is not fatal to the stream.
    ///
    /// # Errors
    ///
    /// [`ChunkError::TooLong`], from then on for ever: drop the connection.
    pub fn next_event(&mut self, input: &mut &[u8]) -> Result<Option<Event<'_>>, ChunkError> {
        if matches!(self.state, State::Complete) {
            self.packet.clear();
            self.state = State::Length;
        }
        loop {
            match self.state {
                State::Failed => return Err(ChunkError::TooLong { limit: self.limit }),
                State::Fragment(missing) => {
                    let piece = input
                        .split_off(..missing.min(input.len()))
                        .unwrap_or_default();
                    self.packet.extend_from_slice(piece);
                    if piece.len() < missing {
                        self.state = State::Fragment(missing - piece.len());
                        return Ok(None);
                    }
                    self.state = State::Length;
                }
                State::Length | State::Complete => {
                    let Some(&length) = input.split_off_first() else {
                        return Ok(None);
                    };
                    if length != TERMINATOR {
                        self.start_fragment(length);
                    } else if self.packet.is_empty() {
                        skip_zeros(input);
                        return Ok(Some(Event::Keepalive));
                    } else {
                        self.state = State::Complete;
                        return Ok(Some(Event::Packet(&mut self.packet)));
                    }
                }
            }
        }
    }

    fn start_fragment(&mut self, length: u8) {
        let length = usize::from(length);
        self.state = if self.packet.len() + length > self.limit {
            self.packet = Vec::new();
            State::Failed
        } else {
            State::Fragment(length)
        };
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the zeros off the front: a run of them says no more than one does.
fn skip_zeros(input: &mut &[u8]) {
    let zeros = input.iter().take_while(|&&byte| byte == TERMINATOR).count();
    let _ = input.split_off(..zeros);
}

/// What a [`Decoder`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A packet, mutable so that it can be decrypted where it is. It is gone with the next call.
    Packet(&'a mut [u8]),
    /// One or more zeros without a packet before them: a keepalive, or the ack of what was sent.
    Keepalive,
}
