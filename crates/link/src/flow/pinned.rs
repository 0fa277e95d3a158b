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
}

impl Pinned {
    /// Appends the packet; returns its length.
    pub(super) fn append(self, out: &mut Vec<u8>, z: Compression) -> Option<usize> {
        let mut header = ChannelHeader::new(self.id.get());
        header.kind = self.kind.as_deref().map(Cow::Borrowed);
        header.frag = self.packet.frag;
        header.end = self.packet.end;
        header.extra = self.packet.head;
        wire::append(out, &header, &self.packet.body, z)
    }
}
