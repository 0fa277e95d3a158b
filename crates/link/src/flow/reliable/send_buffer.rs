//! The bytes of a channel from the moment they are written until they are acknowledged.
//!
//! Acks are cumulative, so this is a queue of bytes. Packets are ranges of it: cutting one costs
//! nothing, and its retransmission finds the same content at the same place.

use alloc::vec::Vec;

/// An empty buffer keeps its allocation up to this many bytes.
const KEPT: usize = 64 << 10;

/// Bytes addressed by how many were written before them.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    bytes: Vec<u8>,
    /// Where in `bytes` the queue begins.
    start: usize,
    /// The address of the first byte of the queue.
    base: u64,
}

impl SendBuffer {
    /// Bytes held.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The address of the next byte written.
    pub(super) fn end(&self) -> u64 {
        self.base + self.len() as u64
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        let full = self.bytes.len() + data.len() > self.bytes.capacity();
        // Moving is worth it if it makes room for half of what it moves.
        if full && self.start >= self.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(data);
    }

    /// The `len` bytes at an address; empty if they are not all there.
    pub(super) fn slice(&self, address: u64, len: usize) -> &[u8] {
        let from = usize::try_from(address.wrapping_sub(self.base)).unwrap_or(usize::MAX);
        let from = self.start.saturating_add(from);
        self.bytes
            .get(from..from.saturating_add(len))
            .unwrap_or_default()
    }

    /// Drops everything before an address.
    pub(super) fn release(&mut self, address: u64) {
        let gone = usize::try_from(address.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let gone = gone.min(self.len());
        self.start += gone;
        self.base += gone as u64;
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT {
                self.bytes = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_addresses() {
        let mut buffer = SendBuffer::default();
        let (mut written, mut released) = (0_u64, 0_u64);
        for round in 0..2000_u64 {
            let chunk: Vec<u8> = (0..round % 97)
                .map(|n| ((written + n) % 251) as u8)
                .collect();
            buffer.push(&chunk);
            written += chunk.len() as u64;
            assert_eq!(buffer.end(), written);
            let slice = buffer.slice(
                released,
                usize::try_from(written - released).expect("small"),
            );
            assert!(
                slice
                    .iter()
                    .zip(released..)
                    .all(|(byte, n)| u64::from(*byte) == n % 251)
            );
            released += (written - released) * (round % 5) / 4;
            buffer.release(released);
        }
        assert!(
            buffer.bytes.capacity() < 4096,
            "the released bytes were not reused"
        );
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let mut buffer = SendBuffer::default();
        buffer.push(b"hello");
        buffer.release(2);
        assert_eq!(buffer.slice(2, 3), b"llo");
        assert_eq!(buffer.slice(0, 2), b"");
        assert_eq!(buffer.slice(4, 9), b"");
        buffer.release(99);
        assert_eq!((buffer.len(), buffer.end()), (0, 5));
    }

    #[test]
    fn an_empty_buffer_gives_back_a_large_allocation() {
        let mut buffer = SendBuffer::default();
        buffer.push(&[0; KEPT * 2]);
        buffer.release(u64::MAX);
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
