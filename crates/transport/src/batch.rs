//! What comes in: the buffers of one batch of received packets, used again and again.

use std::net::IpAddr;

use crate::{Ecn, Remote};

/// A received packet, still in its batch's buffer, to be opened in place.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received<'a> {
    /// Where the packet came from.
    pub remote: Remote,
    /// The packet's bytes.
    pub contents: &'a mut [u8],
    /// Congestion notification bits, where the system tells them.
    pub ecn: Option<Ecn>,
    /// The local address that the packet was sent to, where the system tells it.
    pub local: Option<IpAddr>,
}

/// What a transport says about one filled buffer of a [`RecvBatch`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Filled {
    /// Where all packets in the buffer came from.
    pub remote: Remote,
    /// Bytes in the buffer.
    pub len: usize,
    /// Bytes of each packet in it; the last may be shorter.
    pub stride: usize,
    /// Congestion notification bits of all packets in it.
    pub ecn: Option<Ecn>,
    /// Local address that the packets were sent to.
    pub local: Option<IpAddr>,
}

impl Filled {
    /// A buffer that holds one packet of `len` bytes.
    #[must_use]
    pub const fn packet(remote: Remote, len: usize) -> Self {
        Self {
            remote,
            len,
            stride: len,
            ecn: None,
            local: None,
        }
    }
}

/// Buffers for one call of [`poll_recv`](crate::Transport::poll_recv), and what it put there.
///
/// Made once per receive loop by [`Transport::recv_batch`](crate::Transport::recv_batch) and
/// reused: no allocation per packet or per call. A buffer may hold several packets of equal size
/// from one remote (generic receive offload); [`RecvBatch::packets`] takes them apart.
#[derive(Debug)]
pub struct RecvBatch {
    storage: Vec<u8>,
    buffer_size: usize,
    filled: Vec<Filled>,
    capacity: usize,
    /// What the capacity grows to.
    most: usize,
}

/// Buffers of a batch that grows, at first.
const FIRST_BUFFERS: usize = 2;

impl RecvBatch {
    /// A batch of `buffers` buffers of `buffer_size` bytes each, at least one of at least one
    /// byte.
    #[must_use]
    pub fn new(buffers: usize, buffer_size: usize) -> Self {
        let (capacity, buffer_size) = (buffers.max(1), buffer_size.max(1));
        Self {
            storage: vec![0; capacity * buffer_size],
            buffer_size,
            filled: Vec::new(),
            capacity,
            most: capacity,
        }
    }

    /// A batch of few buffers, as many endpoints need no more. Each time that all of them were in use
    /// there are twice as many, up to `most`.
    #[must_use]
    pub fn growing(most: usize, buffer_size: usize) -> Self {
        Self {
            most: most.max(1),
            ..Self::new(most.min(FIRST_BUFFERS), buffer_size)
        }
    }

    /// How many buffers the batch has now.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that one buffer holds.
    #[must_use]
    pub const fn buffer_size(&self) -> usize {
        self.buffer_size
    }

    /// How many packets the batch holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.filled
            .iter()
            .map(|filled| filled.len.div_ceil(filled.stride))
            .sum()
    }

    /// Whether the batch holds no packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled.iter().all(|filled| filled.len == 0)
    }

    /// Whether every buffer is in use.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.filled.len() == self.capacity
    }

    /// The packets in the order of their arrival, each to be opened in place.
    pub fn packets(&mut self) -> impl Iterator<Item = Received<'_>> {
        let buffers = self.storage.chunks_mut(self.buffer_size);
        self.filled
            .iter()
            .zip(buffers)
            .flat_map(|(filled, buffer)| {
                let Filled {
                    remote,
                    stride,
                    ecn,
                    local,
                    len,
                } = *filled;
                let packets = buffer.get_mut(..len).unwrap_or_default().chunks_mut(stride);
                packets.map(move |contents| Received {
                    remote,
                    contents,
                    ecn,
                    local,
                })
            })
    }

    /// Forgets the packets; the buffers are free again. Transports call this first in `poll_recv`.
    pub fn clear(&mut self) {
        if self.is_full() && self.capacity < self.most {
            self.capacity = (2 * self.capacity).min(self.most);
            self.storage.resize(self.capacity * self.buffer_size, 0);
        }
        self.filled.clear();
    }

    /// The buffers that are still free, in the order in which [`RecvBatch::commit`] takes them.
    pub fn free_buffers(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.storage
            .chunks_mut(self.buffer_size)
            .skip(self.filled.len())
    }

    /// Declares the next free buffer filled. Empty datagrams are skipped by passing a `len` of 0:
    /// the buffer is used up, but yields no packet.
    ///
    /// Lengths beyond the buffer are cut to it, a stride of 0 counts as `len`, and nothing happens
    /// when every buffer is in use.
    pub fn commit(&mut self, filled: Filled) {
        if self.is_full() {
            return;
        }
        let len = filled.len.min(self.buffer_size);
        let stride = if filled.stride == 0 {
            len
        } else {
            filled.stride
        };
        self.filled.push(Filled {
            len,
            stride: stride.max(1),
            ..filled
        });
    }

    /// Copies one packet into the next free buffer. False, and nothing is copied, when every
    /// buffer is in use or the packet is larger than a buffer.
    #[must_use = "a packet that did not fit has to be kept or dropped"]
    pub fn push(&mut self, remote: Remote, packet: &[u8]) -> bool {
        let Some(room) = self
            .free_buffers()
            .next()
            .and_then(|b| b.get_mut(..packet.len()))
        else {
            return false;
        };
        room.copy_from_slice(packet);
        self.commit(Filled::packet(remote, packet.len()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: Remote = Remote::Connection(7);

    fn contents(batch: &mut RecvBatch) -> Vec<Vec<u8>> {
        batch
            .packets()
            .map(|packet| packet.contents.to_vec())
            .collect()
    }

    #[test]
    fn pushed_packets_come_back_in_order_with_their_remote() {
        let mut batch = RecvBatch::new(3, 8);
        assert!(batch.push(Remote::Connection(1), b"one"));
        assert!(batch.push(Remote::Connection(2), b"two"));
        assert_eq!(batch.len(), 2);
        let remotes: Vec<_> = batch.packets().map(|packet| packet.remote).collect();
        assert_eq!(remotes, [Remote::Connection(1), Remote::Connection(2)]);
        assert_eq!(contents(&mut batch), [b"one", b"two"]);
    }

    #[test]
    fn a_buffer_of_many_segments_is_taken_apart() {
        let mut batch = RecvBatch::new(1, 16);
        let buffer = batch.free_buffers().next().unwrap();
        buffer[..10].copy_from_slice(b"aaaabbbbcc");
        batch.commit(Filled {
            len: 10,
            stride: 4,
            ..Filled::packet(REMOTE, 0)
        });
        assert_eq!(batch.len(), 3);
        assert_eq!(contents(&mut batch), [&b"aaaa"[..], b"bbbb", b"cc"]);
    }

    #[test]
    fn a_batch_grows_when_all_of_it_was_in_use_and_not_beyond_what_it_may() {
        let mut batch = RecvBatch::growing(5, 8);
        let mut capacities = Vec::new();
        for _ in 0..4 {
            batch.clear();
            capacities.push(batch.capacity());
            while batch.push(REMOTE, b"a packet") {}
            assert_eq!(batch.len(), batch.capacity());
        }
        assert_eq!(capacities, [2, 4, 5, 5]);
        batch.clear();
        assert!(batch.push(REMOTE, b"one"));
        batch.clear();
        assert_eq!(batch.capacity(), 5);
        assert_eq!(RecvBatch::growing(1, 8).capacity(), 1);
    }

    #[test]
    fn a_full_batch_refuses_packets() {
        let mut batch = RecvBatch::new(2, 4);
        assert!(batch.push(REMOTE, b"1") && batch.push(REMOTE, b"2"));
        assert!(batch.is_full());
        assert!(!batch.push(REMOTE, b"3"));
        batch.commit(Filled::packet(REMOTE, 4));
        assert_eq!(contents(&mut batch), [b"1", b"2"]);
        batch.clear();
        assert!(batch.is_empty() && batch.push(REMOTE, b"3"));
    }

    #[test]
    fn a_packet_larger_than_a_buffer_is_refused() {
        let mut batch = RecvBatch::new(2, 4);
        assert!(!batch.push(REMOTE, b"12345"));
        assert!(batch.is_empty());
    }

    #[test]
    fn nonsense_from_a_transport_is_cut_to_the_buffer() {
        let mut batch = RecvBatch::new(3, 4);
        batch.commit(Filled {
            stride: 0,
            ..Filled::packet(REMOTE, 99)
        });
        batch.commit(Filled::packet(REMOTE, 0));
        assert_eq!(contents(&mut batch), [[0; 4]]);
        assert_eq!(batch.len(), 1);
        batch.clear();
        batch.commit(Filled::packet(REMOTE, 0));
        assert!(batch.is_empty());
    }

    #[test]
    fn packets_can_be_changed_in_place() {
        let mut batch = RecvBatch::new(1, 4);
        assert!(batch.push(REMOTE, b"abcd"));
        for packet in batch.packets() {
            packet.contents.reverse();
        }
        assert_eq!(contents(&mut batch), [b"dcba"]);
    }
}
