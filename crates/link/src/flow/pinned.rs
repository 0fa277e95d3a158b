//! Packets that may leave by one pipe only: opens and answers of the path channel.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};

use telehash_lob::{ChannelHeader, Compression};

use super::{
    types::{ChannelId, Packet},
    wire,
};

/// Limit: pinned packets that wait for one pipe; the oldest is dropped.
pub const MAX_PINNED: usize = 64;

/// One such packet, of an unreliable channel.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) id: ChannelId,
    /// `type`, on an opening packet.
    pub(super) kind: Option<Box<str>>,
    pub(super) packet: Packet,
    /// Bytes that it is filled up to with zeros.
    pub(super) fill: Option<usize>,
}

impl Pinned {
    /// Appends the packet; returns its length.
    pub(super) fn append(self, out: &mut Vec<u8>, z: Compression) -> Option<usize> {
        let mut header = ChannelHeader::new(self.id.get());
        header.kind = self.kind.as_deref().map(Cow::Borrowed);
        header.frag = self.packet.frag;
        header.end = self.packet.end;
        header.extra = self.packet.head;
        match self.fill {
            None => wire::append(out, &header, &self.packet.body, z),
            Some(fill) => {
                let zeros = wire::fit(&header, fill, fill, z, &mut 0);
                wire::append(out, &header, &alloc::vec![0; zeros], z)
            }
        }
    }
}
