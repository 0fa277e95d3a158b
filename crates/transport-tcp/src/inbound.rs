//! What a peer sends: bytes become packets, within bounds. No I/O here.

use telehash_lob::chunk::{ChunkError, Decoder, Event, MAX_CHUNKED_PACKET};
use telehash_transport::Remote;
use tokio::time::Instant;

use crate::limits::{
    FIRST_PACKET_TIMEOUT, IDLE_TIMEOUT, MAX_STRANGER_PACKET, PACKET_TIMEOUT, STRANGER_TIMEOUT,
};

/// Takes packets.
pub(crate) trait Sink {
    /// Whether the longest packet can be put in.
    fn has_room(&self) -> bool;

    fn put(&mut self, remote: Remote, packet: &[u8]);
}

/// The receiving side of a connection.
#[derive(Debug)]
pub(crate) struct Inbound {
    remote: Remote,
    decoder: Decoder,
    /// A link uses the connection.
    kept: bool,
    /// The peer has to show a packet first: it made the connection.
    speaks_first: bool,
    /// It showed one.
    spoke: bool,
    opened: Instant,
    heard: Instant,
    /// Since when a packet is incomplete.
    begun: Option<Instant>,
}

/// What some bytes contained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) packets: usize,
    /// A zero that ends no packet.
    pub(crate) zero: bool,
}

impl Inbound {
    pub(crate) const fn new(remote: Remote, opened: Instant, speaks_first: bool) -> Self {
        Self {
            remote,
            decoder: Decoder::with_limit(MAX_STRANGER_PACKET),
            kept: false,
            speaks_first,
            spoke: false,
            opened,
            heard: opened,
            begun: None,
        }
    }

    /// A link uses the connection from now on.
    pub(crate) fn keep(&mut self) {
        if !std::mem::replace(&mut self.kept, true) {
            self.decoder.set_limit(MAX_CHUNKED_PACKET);
        }
    }

    /// Whether the peer has shown a whole packet.
    pub(crate) const fn spoke(&self) -> bool {
        self.spoke
    }

    /// Takes bytes off the front of `input` that arrived until `now`: all of them, unless `sink` has
    /// no more room.
    ///
    /// # Errors
    /// The peer sends what cannot be a packet.
    pub(crate) fn take(
        &mut self,
        input: &mut &[u8],
        now: Instant,
        sink: &mut impl Sink,
    ) -> Result<Heard, ChunkError> {
        self.heard = now;
        let mut heard = Heard::default();
        while sink.has_room() {
            match self.decoder.next_event(input)? {
                Some(Event::Packet(packet)) => {
                    sink.put(self.remote, packet);
                    heard.packets += 1;
                }
                Some(Event::Keepalive) => heard.zero = true,
                None => break,
            }
        }
        self.spoke |= heard.packets > 0;
        if self.decoder.is_between_packets() {
            self.begun = None;
        } else if heard.packets > 0 || self.begun.is_none() {
            self.begun = Some(now);
        }
        Ok(heard)
    }

    /// When the peer has been silent or slow for too long, unless it is heard before.
    pub(crate) fn deadline(&self) -> Instant {
        let used = match (self.kept, self.speaks_first && !self.spoke) {
            (true, _) => self.heard + IDLE_TIMEOUT,
            (false, true) => self.opened + FIRST_PACKET_TIMEOUT,
            (false, false) => self.opened + STRANGER_TIMEOUT,
        };
        self.begun
            .map_or(used, |begun| used.min(begun + PACKET_TIMEOUT))
    }
}
