//! The words that a link and its application share with the flow.

use alloc::{boxed::Box, string::String};
use core::{fmt, num::NonZeroU32, time::Duration};

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_lob::Extra;

use super::error::ChannelError;

/// The id of a channel: 1..=2^32-1, odd or even by who opened it (channels.md, "Ids and opening").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(NonZeroU32);

impl ChannelId {
    /// The id of this number; nothing for 0.
    #[must_use]
    pub const fn new(id: u32) -> Option<Self> {
        match NonZeroU32::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pipe of a link, by its place in the link's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipeSlot(pub u8);

/// What the flow needs to know of a new pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeProfile {
    /// It delivers everything or closes: probe timers stand back.
    pub reliable: bool,
    /// It controls congestion itself: our window and pacing stand back.
    pub own_congestion_control: bool,
    /// Its round trip, if a handshake or a path check measured it.
    pub initial_rtt: Option<Duration>,
}

/// One packet of a channel, to be sent or received.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packet {
    /// Header fields other than the channel's own (`c`, `type`, `seq`, `ack`, `miss`, `end`, `frag`,
    /// `err`), which are never taken from here.
    pub head: Extra,
    /// Content.
    pub body: Bytes,
    /// The message goes on in the next packet.
    pub frag: bool,
    /// The last packet of its direction.
    pub end: bool,
    /// Received: the pipe it came by. To be sent: the only pipe it may take (unreliable channels).
    pub pipe: Option<PipeSlot>,
}

impl Packet {
    /// A packet of nothing but content.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }

    /// The same with these header fields.
    #[must_use]
    pub fn head(mut self, head: Map<String, Value>) -> Self {
        self.head = Some(Box::new(head));
        self
    }

    /// The same as the last of its direction.
    #[must_use]
    pub fn end(mut self) -> Self {
        self.end = true;
        self
    }

    /// The same, pinned to a pipe.
    #[must_use]
    pub fn pipe(mut self, slot: PipeSlot) -> Self {
        self.pipe = Some(slot);
        self
    }
}

/// When a reliable channel acknowledges what it received (channels.md, Reliable channels).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// Once the packet is in the channel's receive buffer, in order.
    #[default]
    OnAccept,
    /// Once the application has read it.
    OnConsume,
}

/// A channel to be opened.
#[derive(Clone, Debug)]
#[must_use = "describes a channel; hand it to `open`"]
pub struct Open {
    /// `type`.
    pub kind: String,
    /// In order and retransmitted, or neither.
    pub reliable: bool,
    /// Other header fields of the opening packet.
    pub head: Extra,
    /// Body of the opening packet.
    pub body: Bytes,
    /// When received packets are acknowledged.
    pub ack_mode: AckMode,
    /// How long to wait for the peer's first packet; the configured
    /// [`open_timeout`](super::FlowConfig::open_timeout) if `None`.
    pub timeout: Option<Duration>,
    /// The only pipe that the opening packet may take (unreliable channels only).
    pub pipe: Option<PipeSlot>,
    /// Bytes that the opening packet, if pinned, is filled up to with zeros: inner plaintext.
    pub fill: Option<usize>,
}

impl Open {
    /// A reliable channel of this type.
    pub fn reliable(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            reliable: true,
            head: None,
            body: Bytes::new(),
            ack_mode: AckMode::OnAccept,
            timeout: None,
            pipe: None,
            fill: None,
        }
    }

    /// An unreliable channel of this type.
    pub fn unreliable(kind: impl Into<String>) -> Self {
        Self {
            reliable: false,
            ..Self::reliable(kind)
        }
    }

    /// The same with these header fields on the opening packet.
    pub fn head(mut self, head: Map<String, Value>) -> Self {
        self.head = Some(Box::new(head));
        self
    }

    /// The same with this body on the opening packet.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The same, acknowledging in this mode.
    pub fn ack_mode(mut self, mode: AckMode) -> Self {
        self.ack_mode = mode;
        self
    }

    /// The same, waiting this long for the peer's first packet.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same, pinned to a pipe.
    pub fn pipe(mut self, slot: PipeSlot) -> Self {
        self.pipe = Some(slot);
        self
    }

    /// The same as a probe of a pipe's packet size: pinned to it, without a body, and filled up with
    /// zeros to so many bytes of inner plaintext. [`Link::open_probe`](crate::Link::open_probe)
    /// knows how many.
    pub fn probe(mut self, slot: PipeSlot, fill: usize) -> Self {
        self.fill = Some(fill);
        self.pipe(slot)
    }
}

/// One inner plaintext that [`Flow::poll_packet`](super::Flow::poll_packet) appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the packet counts as sent"]
pub struct Sent {
    /// The peer will acknowledge it.
    pub ack_eliciting: bool,
    /// Its bytes. More than was asked for only if it was cut for a larger pipe, or is a probe.
    pub len: usize,
    /// It probes the packet size of its pipe: it must not be fragmented.
    pub probe: bool,
}

/// News of a channel. Drain with [`Flow::poll_event`](super::Flow::poll_event).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// The peer opened a channel: `accept` or `refuse` it. The owner refuses types that it does not
    /// know, and reliable opens of unreliable types or the reverse. What follows the open is held
    /// back within the window until then; [`Readable`](Self::Readable) comes again with `accept`.
    Opened {
        /// The channel.
        id: ChannelId,
        /// `type`.
        kind: String,
        /// Whether it is reliable.
        reliable: bool,
        /// The opening packet, but for its `type` and `seq`.
        packet: Packet,
    },
    /// The peer's first packet on a channel that we opened.
    Established(ChannelId),
    /// There is something to read. Comes again only after `read` had nothing left.
    Readable(ChannelId),
    /// There is room again, after a write did not fit.
    Writable(ChannelId),
    /// The peer's `end` was received: what `read` yields from now on is the rest.
    Finished(ChannelId),
    /// Both directions have ended. What was received can still be read.
    Closed(ChannelId),
    /// The channel is over, its buffers are gone.
    Failed {
        /// The channel.
        id: ChannelId,
        /// Why.
        error: ChannelError,
    },
}
