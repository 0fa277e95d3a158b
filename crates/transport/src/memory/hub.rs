//! What the endpoints of a network share.

use std::{collections::BTreeMap, net::SocketAddr, task::Waker, time::Duration};

use crate::{
    RecvBatch, Remote,
    impair::{Fate, Flights, Lanes},
};

use super::{address::Kind, streams::Streams};

/// Bytes that are under way to one datagram endpoint or wait to be received there, each datagram
/// counted as 64 bytes at least. Further ones are lost, as in a full socket buffer.
pub const MAX_INBOX_BYTES: usize = 16 * 1024 * 1024;

/// Port of the addresses that the network gives out.
const PORT: u16 = 42_424;

/// State of a network, behind one lock. Times are durations since the network's first use.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) lanes: Lanes,
    pub(super) streams: Streams,
    inboxes: BTreeMap<SocketAddr, Inbox>,
    hosts: u32,
}

/// Datagrams on their way to an endpoint.
#[derive(Debug, Default)]
struct Inbox {
    flights: Flights<Duration, (SocketAddr, Vec<u8>)>,
    bytes: usize,
    reader: Option<Waker>,
}

/// The receiving endpoint is closed.
#[derive(Debug)]
pub(super) struct Closed;

impl Hub {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            lanes: Lanes::new(seed),
            streams: Streams::new(),
            inboxes: BTreeMap::new(),
            hosts: 0,
        }
    }

    /// The next address out of 10.0.0.0/8 that nobody has.
    pub(super) fn free_address(&mut self) -> SocketAddr {
        loop {
            self.hosts = self.hosts % 0x00ff_fffe + 1;
            let [_, a, b, c] = self.hosts.to_be_bytes();
            let address = SocketAddr::from(([10, a, b, c], PORT));
            if !self.is_taken(address) {
                return address;
            }
        }
    }

    /// Gives `address` to a new endpoint; false if another one has it.
    pub(super) fn open(&mut self, address: SocketAddr, kind: Kind) -> bool {
        if self.is_taken(address) {
            return false;
        }
        match kind {
            Kind::Datagram => drop(self.inboxes.insert(address, Inbox::default())),
            Kind::Stream => self.streams.open(address),
        }
        true
    }

    fn is_taken(&self, address: SocketAddr) -> bool {
        self.inboxes.contains_key(&address) || self.streams.is_open(address)
    }

    /// Closes a datagram endpoint. What is under way to it is lost.
    #[must_use = "the reader has to be woken"]
    pub(super) fn close(&mut self, address: SocketAddr) -> Option<Waker> {
        self.inboxes.remove(&address).and_then(|inbox| inbox.reader)
    }

    pub(super) fn is_open(&self, address: SocketAddr) -> bool {
        self.inboxes.contains_key(&address)
    }

    /// Sends a datagram on its way; who reads at its end is to be woken.
    #[must_use = "the reader has to be woken"]
    pub(super) fn send(
        &mut self,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
        mut packet: Vec<u8>,
    ) -> Option<Waker> {
        let inbox = self.inboxes.get_mut(&to)?;
        let lane = self.lanes.lane(from, to);
        if !inbox.has_room(&packet) {
            lane.refuse(packet.len());
            return None;
        }
        let Fate::Arrives(arrival) = lane.pass(now, &mut packet) else {
            return None;
        };
        if arrival.duplicated {
            inbox.add(arrival.at, from, packet.clone());
        }
        inbox.add(arrival.at, from, packet);
        inbox.reader.take()
    }

    /// Moves what has arrived into `batch`. If that is nothing, remembers `reader` and tells when
    /// the next datagram arrives.
    pub(super) fn receive(
        &mut self,
        now: Duration,
        address: SocketAddr,
        batch: &mut RecvBatch,
        reader: &Waker,
    ) -> Result<Option<Duration>, Closed> {
        let inbox = self.inboxes.get_mut(&address).ok_or(Closed)?;
        while !batch.is_full()
            && let Some((_, (from, packet))) = inbox.flights.pop(now)
        {
            inbox.bytes -= weight(&packet);
            // Does not fit only if the caller brought a batch with smaller buffers: cut, like UDP.
            let len = packet.len().min(batch.buffer_size());
            let _ = batch.push(Remote::Socket(from), packet.get(..len).unwrap_or_default());
        }
        if batch.is_empty() {
            inbox.reader = Some(reader.clone());
        }
        Ok(inbox.flights.next())
    }
}

impl Inbox {
    fn has_room(&self, packet: &[u8]) -> bool {
        self.bytes + weight(packet) <= MAX_INBOX_BYTES
    }

    /// Adds a datagram, unless its duplicate took the last room.
    fn add(&mut self, at: Duration, from: SocketAddr, packet: Vec<u8>) {
        if self.has_room(&packet) {
            self.bytes += weight(&packet);
            self.flights.add(at, (from, packet));
        }
    }
}

/// What a datagram counts for in an inbox.
fn weight(packet: &[u8]) -> usize {
    packet.len().max(64)
}
