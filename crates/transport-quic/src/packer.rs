//! Puts packets into the buffers of a batch, many into one.

use telehash_transport::{Filled, RecvBatch, Remote};

/// Fills a batch. Packets of one size from one connection share a buffer; its last may be shorter.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    batch: &'a mut RecvBatch,
    free: usize,
    open: Option<Filled>,
    packets: usize,
}

impl<'a> Packer<'a> {
    /// Clears a batch, to fill it.
    pub(crate) fn new(batch: &'a mut RecvBatch) -> Self {
        batch.clear();
        Self {
            free: batch.capacity(),
            batch,
            open: None,
            packets: 0,
        }
    }

    /// How many packets there are.
    pub(crate) const fn len(&self) -> usize {
        self.packets
    }

    /// Whether one more packet is sure to fit if a buffer can hold it.
    pub(crate) fn has_room(&self) -> bool {
        self.free > usize::from(self.open.is_some())
    }

    /// Adds a packet that is not empty. False if it is larger than a buffer, or there is no room.
    #[must_use = "a packet that did not fit is lost"]
    pub(crate) fn push(&mut self, remote: Remote, packet: &[u8]) -> bool {
        if self
            .open
            .is_some_and(|open| !self.joins(open, remote, packet))
        {
            self.finish();
        }
        let start = self.open.map_or(0, |open| open.len);
        let room = self.batch.free_buffers().next();
        let Some(room) = room.and_then(|buffer| buffer.get_mut(start..start + packet.len())) else {
            return false;
        };
        room.copy_from_slice(packet);
        match &mut self.open {
            Some(open) => open.len += packet.len(),
            None => self.open = Some(Filled::packet(remote, packet.len())),
        }
        self.packets += 1;
        true
    }

    fn joins(&self, open: Filled, remote: Remote, packet: &[u8]) -> bool {
        open.remote == remote
            && packet.len() <= open.stride
            && open.len.is_multiple_of(open.stride)
            && open.len + packet.len() <= self.batch.buffer_size()
    }

    fn finish(&mut self) {
        if let Some(open) = self.open.take() {
            self.batch.commit(open);
            self.free -= 1;
        }
    }
}

impl Drop for Packer<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Remote = Remote::Connection(1);
    const B: Remote = Remote::Connection(2);

    #[test]
    fn packets_of_one_size_share_a_buffer_and_a_shorter_one_ends_it() {
        let mut batch = RecvBatch::new(3, 8);
        let mut packer = Packer::new(&mut batch);
        let packets = [(A, &b"abc"[..]), (A, b"de"), (A, b"f"), (B, b"g")];
        for (remote, packet) in packets {
            assert!(packer.push(remote, packet));
        }
        assert!(!packer.has_room());
        assert_eq!(packer.len(), 4);
        drop(packer);
        assert!(batch.is_full());
        let packed = batch.packets();
        let packed: Vec<_> = packed
            .map(|packet| (packet.remote, &*packet.contents))
            .collect();
        assert_eq!(packed, packets);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut batch = RecvBatch::new(1, 4);
        let mut packer = Packer::new(&mut batch);
        assert!(!packer.push(A, b"12345"));
        assert!(packer.push(A, b"123"));
        assert!(!packer.push(A, b"12"));
        assert!(!packer.has_room());
        drop(packer);
        assert_eq!(batch.len(), 1);
    }
}
