//! Packs received packets tightly into a batch.

use telehash_lob::chunk::MAX_CHUNKED_PACKET;
use telehash_transport::{Filled, RecvBatch, Remote};

use crate::inbound::Sink;

/// Buffers of a batch.
const BUFFERS: usize = 16;

/// Bytes of packets after which a batch is handed on: what stays in a processor's cache.
const ENOUGH: usize = 64 * 1024;

/// Bytes of a buffer: any packet fits, and the buffers' beginnings do not compete for the same
/// places in a cache.
const BUFFER_SIZE: usize = MAX_CHUNKED_PACKET + 1 + 2 * 1024 + 64;

/// A batch that suits a [`Packer`].
pub(crate) fn new_batch() -> RecvBatch {
    RecvBatch::growing(BUFFERS, BUFFER_SIZE)
}

/// Fills a batch. Packets of equal size from one connection share a buffer.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    batch: &'a mut RecvBatch,
    /// Buffers that are complete.
    complete: usize,
    /// The one that is being filled; the last packet in it was as long as the others.
    open: Option<Filled>,
    packets: usize,
    bytes: usize,
}

impl<'a> Packer<'a> {
    /// Fills `batch`, which is empty.
    pub(crate) const fn new(batch: &'a mut RecvBatch) -> Self {
        Self {
            batch,
            complete: 0,
            open: None,
            packets: 0,
            bytes: 0,
        }
    }

    /// Whether the batch should be handed on.
    pub(crate) const fn has_enough(&self) -> bool {
        self.bytes >= ENOUGH
    }

    /// Completes the batch; the number of packets and of bytes in it.
    pub(crate) fn finish(mut self) -> (usize, usize) {
        self.complete_open();
        (self.packets, self.bytes)
    }

    /// Puts a packet behind those of equal size.
    fn append(&mut self, remote: Remote, packet: &[u8]) -> bool {
        let Some(mut filled) = self.open else {
            return false;
        };
        if filled.remote != remote || packet.len() > filled.stride {
            return false;
        }
        let buffer = self.batch.free_buffers().next();
        let room = buffer.and_then(|b| b.get_mut(filled.len..filled.len + packet.len()));
        let Some(room) = room else {
            return false;
        };
        room.copy_from_slice(packet);
        filled.len += packet.len();
        self.open = Some(filled);
        // Only the last may be shorter.
        if packet.len() < filled.stride {
            self.complete_open();
        }
        true
    }

    fn begin(&mut self, remote: Remote, packet: &[u8]) -> bool {
        self.complete_open();
        let buffer = self.batch.free_buffers().next();
        let Some(room) = buffer.and_then(|b| b.get_mut(..packet.len())) else {
            return false;
        };
        room.copy_from_slice(packet);
        self.open = Some(Filled::packet(remote, packet.len()));
        true
    }

    fn complete_open(&mut self) {
        if let Some(filled) = self.open.take() {
            self.batch.commit(filled);
            self.complete += 1;
        }
    }
}

impl Sink for Packer<'_> {
    fn has_room(&self) -> bool {
        self.complete + usize::from(self.open.is_some()) < self.batch.capacity()
    }

    fn put(&mut self, remote: Remote, packet: &[u8]) {
        if self.append(remote, packet) || self.begin(remote, packet) {
            self.packets += 1;
            self.bytes += packet.len();
        } else {
            tracing::debug!(%remote, len = packet.len(), "a packet fits into no buffer of this batch");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Remote = Remote::Connection(2);
    const OTHER: Remote = Remote::Connection(4);

    /// What comes out of a batch of `buffers` buffers of 16 bytes.
    fn packed(buffers: usize, packets: &[(Remote, &[u8])]) -> (usize, Vec<(Remote, Vec<u8>)>) {
        let mut batch = RecvBatch::new(buffers, 16);
        let mut packer = Packer::new(&mut batch);
        let mut put = 0;
        for (remote, packet) in packets {
            if packer.has_room() {
                packer.put(*remote, packet);
                put += 1;
            }
        }
        packer.finish();
        let out = batch.packets().map(|p| (p.remote, p.contents.to_vec()));
        (put, out.collect())
    }

    #[test]
    fn packets_of_equal_size_share_a_buffer() {
        let packets: [(Remote, &[u8]); 4] =
            [(ONE, b"aaaa"), (ONE, b"bbbb"), (ONE, b"cccc"), (ONE, b"d")];
        let (put, out) = packed(2, &packets);
        assert_eq!((put, out.len()), (4, 4));
        assert!(out.iter().zip(packets).all(|(o, p)| o.1 == p.1));
    }

    #[test]
    fn packets_that_do_not_go_together_keep_their_order_and_remote() {
        let packets: [(Remote, &[u8]); 6] = [
            (ONE, b"aaaa"),
            (ONE, b"b"),
            (ONE, b"c"),
            (OTHER, b"d"),
            (OTHER, b"eeeee"),
            (ONE, b"fffffffffffffff"),
        ];
        let (put, out) = packed(9, &packets);
        assert_eq!(put, 6);
        let expected: Vec<_> = packets.iter().map(|(r, p)| (*r, p.to_vec())).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn there_is_room_while_a_buffer_is_free() {
        let packets: [(Remote, &[u8]); 3] = [(ONE, b"aaaa"), (OTHER, b"b"), (ONE, b"c")];
        assert_eq!(packed(2, &packets).0, 2);
        assert_eq!(packed(3, &packets).0, 3);
    }

    #[test]
    fn the_longest_packet_fits_a_buffer() {
        let mut batch = new_batch();
        let mut packer = Packer::new(&mut batch);
        packer.put(ONE, &[7; MAX_CHUNKED_PACKET]);
        assert!(packer.has_enough() || MAX_CHUNKED_PACKET < ENOUGH);
        assert_eq!(packer.finish(), (1, MAX_CHUNKED_PACKET));
    }
}
