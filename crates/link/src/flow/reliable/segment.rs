//! Packets of the sending half: waiting for their first time, and waiting for their ack.

use alloc::{borrow::Cow, boxed::Box};

use telehash_e3x::Instant;
use telehash_lob::{ChannelHeader, Extra};

use crate::flow::types::{ChannelId, PipeSlot};

/// The rarer parts of a header.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// `type`, on an opening packet.
    pub(super) kind: Option<Box<str>>,
    pub(super) extra: Extra,
}

impl Head {
    /// A head on the heap, if there is anything in it.
    pub(super) fn new(kind: Option<Box<str>>, extra: Extra) -> Option<Box<Self>> {
        (kind.is_some() || extra.is_some()).then(|| Box::new(Self { kind, extra }))
    }
}

/// What waits to be sent for the first time; its bytes are in the send buffer.
#[derive(Debug)]
pub(super) enum Queued {
    /// So many bytes of a stream, to be cut when they leave.
    Bytes(usize),
    /// One packet.
    Packet {
        len: usize,
        head: Option<Box<Head>>,
        frag: bool,
        end: bool,
    },
}

/// Where a packet under way stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// On its way, or not acknowledged yet.
    Sent,
    /// Reported to have arrived, ahead of others.
    Arrived,
    /// To be retransmitted.
    Lost,
}

/// A packet that was sent and is not covered by the cumulative ack.
#[derive(Debug)]
pub(super) struct Segment {
    /// Where its body is in the send buffer, and how long.
    pub(super) address: u64,
    pub(super) len: usize,
    pub(super) head: Option<Box<Head>>,
    /// Its number on that pipe, and when it left.
    pub(super) number: u64,
    pub(super) sent_at: Instant,
    /// Bytes of the packet.
    pub(super) wire: u32,
    pub(super) slot: PipeSlot,
    pub(super) attempts: u8,
    /// How often it was reported missing since.
    pub(super) reported: u8,
    pub(super) state: State,
    pub(super) frag: bool,
    pub(super) end: bool,
    /// The peer had to answer it at once.
    pub(super) prompt: bool,
    /// Sent beyond the peer's window, to hear of it.
    pub(super) probe: bool,
    /// The pipe was told that it lost it.
    pub(super) blamed: bool,
}

impl Segment {
    /// Whether this is the opening packet.
    pub(super) fn is_open(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.kind.is_some())
    }
}

/// Lets `with` use the header of a packet; `head` lends its parts.
pub(super) fn with_header<R>(
    id: ChannelId,
    seq: u32,
    head: &mut Option<Box<Head>>,
    with: impl FnOnce(&mut ChannelHeader<'_>) -> R,
) -> R {
    let extra = head.as_mut().and_then(|head| head.extra.take());
    let mut header = ChannelHeader::new(id.get());
    header.seq = Some(seq);
    header.extra = extra;
    header.kind = head
        .as_ref()
        .and_then(|head| head.kind.as_deref())
        .map(Cow::Borrowed);
    let result = with(&mut header);
    let extra = header.extra.take();
    if let Some(head) = head {
        head.extra = extra;
    }
    result
}
