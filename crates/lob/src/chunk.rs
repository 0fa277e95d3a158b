//! Chunking: packets on transports that know only bytes or small frames (packets.md, Chunking).
//!
//! A packet is cut into fragments of 1 to 255 bytes, each behind a byte with its length; a 0x00
//! ends the packet. A 0x00 without a packet before it is a keepalive or an ack.
//!
//! ```
//! use telehash_lob::chunk::{self, Decoder, Event};
//!
//! let mut stream = Vec::new();
//! chunk::encode_into(b"a packet", chunk::MAX_FRAGMENT, &mut stream);
//! assert_eq!(stream, b"\x08a packet\0");
//!
//! let mut decoder = Decoder::new();
//! let mut input = stream.as_slice();
//! while let Some(event) = decoder.next_event(&mut input)? {
//!     match event {
//!         Event::Packet(packet) => assert_eq!(packet, b"a packet"),
//!         Event::Keepalive => {}
//!     }
//! }
//! # Ok::<(), chunk::ChunkError>(())
//! ```

mod decoder;
mod writer;

use alloc::vec::Vec;

pub use decoder::{Decoder, Event};
pub use writer::{Framing, MAX_UNSENT, Writer};

/// Longest fragment, in bytes: what its length byte can say.
pub const MAX_FRAGMENT: usize = 255;

/// Longest packet that a [`Decoder`] puts together, in bytes. A longer one is an error, upon which
/// the connection is to be dropped.
pub const MAX_CHUNKED_PACKET: usize = 65_535;

/// What ends a packet, and stands alone as a keepalive or ack.
pub const TERMINATOR: u8 = 0;

/// Appends `packet` to `out` in fragments of at most `max_fragment` bytes (taken as the nearest of 1
/// to [`MAX_FRAGMENT`]), with its terminator right after the last.
///
/// An empty packet does not exist and adds nothing.
pub fn encode_into(packet: &[u8], max_fragment: usize, out: &mut Vec<u8>) {
    if packet.is_empty() {
        return;
    }
    out.reserve(encoded_len(packet.len(), max_fragment));
    for fragment in packet.chunks(max_fragment.clamp(1, MAX_FRAGMENT)) {
        // At most MAX_FRAGMENT, so it fits a byte.
        out.push(fragment.len() as u8);
        out.extend_from_slice(fragment);
    }
    out.push(TERMINATOR);
}

/// How many bytes [`encode_into`] makes of a packet of so many.
fn encoded_len(packet: usize, max_fragment: usize) -> usize {
    match packet.div_ceil(max_fragment.clamp(1, MAX_FRAGMENT)) {
        0 => 0,
        fragments => packet + fragments + 1,
    }
}

/// Cuts an encoded `stream` into frames for a transport of fixed frames of `frame` bytes (20 for
/// BLE, 120 for 802.15.4, 64 for serial lines).
///
/// The stream must have been [encoded](encode_into) with fragments of `frame - 1` bytes. A frame
/// holds one chunk, and the terminator with the last chunk if it has room; else that is a frame of
/// its own.
pub fn frames(stream: &[u8], frame: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    core::iter::from_fn(move || {
        let (first, tail) = rest.split_at_checked(frame_len(rest, frame))?;
        rest = tail;
        (!first.is_empty()).then_some(first)
    })
}

/// Bytes of the first frame of `stream`; 0 at its end.
fn frame_len(stream: &[u8], frame: usize) -> usize {
    let chunk = chunk_len(stream);
    let closes = chunk > 1 && chunk < frame && stream.get(chunk) == Some(&TERMINATOR);
    chunk + usize::from(closes)
}

/// Bytes of the first chunk of `stream` with its length byte; 0 at its end.
fn chunk_len(stream: &[u8]) -> usize {
    let len = stream.first().map_or(0, |&len| usize::from(len) + 1);
    len.min(stream.len())
}

/// Why chunking failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// Received: a packet grew beyond what the decoder takes. Drop the connection.
    #[error("the peer sends a packet of more than {limit} bytes; the connection cannot go on")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Sending: too much is waiting to be written. Try again when some was.
    #[error("{unsent} bytes are waiting to be written; another packet has to wait, too")]
    Full {
        /// Bytes waiting.
        unsent: usize,
    },
}
