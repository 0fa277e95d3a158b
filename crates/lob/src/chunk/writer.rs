//! Writing chunks at the pace of the transport.

use alloc::vec::Vec;

use super::{ChunkError, MAX_FRAGMENT, encode_into, encoded_len, frame_len};

/// Most bytes that a [`Writer`] keeps for a transport that does not take them. A packet that would
/// exceed it is refused with [`ChunkError::Full`], except when nothing else is waiting.
pub const MAX_UNSENT: usize = 131_072;

/// What one write to the transport may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Any bytes: a TCP connection. Fragments are as long as they can be.
    Stream,
    /// At most so many bytes, 2 to 256; one write is one frame.
    Frames(usize),
}

impl Framing {
    /// The longest fragment for this framing.
    fn max_fragment(self) -> usize {
        match self {
            Self::Stream => MAX_FRAGMENT,
            Self::Frames(frame) => frame.saturating_sub(1),
        }
    }
}

/// Chunks packets and says what to write next.
///
/// A *blocking* writer, for serial lines, waits after each chunk until the peer sent any byte.
///
/// ```
/// use telehash_lob::chunk::{Framing, Writer};
///
/// let mut writer = Writer::new(Framing::Frames(5), true);
/// writer.push(b"packet")?;
/// assert_eq!(writer.next_write(), Some(&b"\x04pack"[..]));
/// assert_eq!(writer.next_write(), None);
/// writer.received();
/// assert_eq!(writer.next_write(), Some(&b"\x02et\0"[..]));
/// # Ok::<(), telehash_lob::chunk::ChunkError>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    framing: Framing,
    blocking: bool,
    /// Encoded packets, of which the first `written` bytes were handed out.
    stream: Vec<u8>,
    written: usize,
    waiting: bool,
}

impl Writer {
    /// A writer with nothing to write.
    #[must_use]
    pub const fn new(framing: Framing, blocking: bool) -> Self {
        Self {
            framing,
            blocking,
            stream: Vec::new(),
            written: 0,
            waiting: false,
        }
    }

    /// Adds a packet to what is to be written.
    ///
    /// # Errors
    ///
    /// [`ChunkError::Full`] if that would be more than [`MAX_UNSENT`].
    pub fn push(&mut self, packet: &[u8]) -> Result<(), ChunkError> {
        let unsent = self.unsent();
        let more = encoded_len(packet.len(), self.framing.max_fragment());
        if unsent > 0 && unsent + more > MAX_UNSENT {
            return Err(ChunkError::Full { unsent });
        }
        self.stream.drain(..self.written);
        self.written = 0;
        encode_into(packet, self.framing.max_fragment(), &mut self.stream);
        Ok(())
    }

    /// Bytes that were not handed out yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.stream.len() - self.written
    }

    /// The bytes to write next, all of them in one go; nothing if there are none, or if the peer
    /// has to send something first.
    #[must_use = "these bytes are not handed out again"]
    pub fn next_write(&mut self) -> Option<&[u8]> {
        if self.waiting {
            return None;
        }
        let rest = self.stream.get(self.written..)?;
        let len = match self.framing {
            Framing::Stream if !self.blocking => rest.len(),
            Framing::Stream => frame_len(rest, usize::MAX),
            Framing::Frames(frame) => frame_len(rest, frame),
        };
        let write = rest.get(..len).filter(|write| !write.is_empty())?;
        self.written += len;
        self.waiting = self.blocking;
        Some(write)
    }

    /// Notes that the peer sent something, anything: a blocking writer goes on.
    pub fn received(&mut self) {
        self.waiting = false;
    }
}
