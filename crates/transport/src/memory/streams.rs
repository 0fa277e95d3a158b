//! The connections of a network.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    CloseReason, RecvBatch, Remote, TransportEvent,
    impair::{Flights, Lanes},
};

/// Bytes of one connection that are under way or wait to be received. Beyond them packets are
/// refused until the peer has read half; a packet larger than that goes alone.
pub const STREAM_WINDOW: usize = 64 * 1024;

/// Connections of one endpoint. Further ones are refused, whoever dials.
pub const MAX_CONNECTIONS: usize = 1024;

/// Every endpoint for connections, and the connections between them.
#[derive(Debug, Default)]
pub(super) struct Streams {
    ports: BTreeMap<SocketAddr, Port>,
    connections: u64,
}

/// An endpoint: its ends of connections, what is under way to it, and who waits at it.
#[derive(Debug, Default)]
struct Port {
    ends: BTreeMap<u64, End>,
    flights: Flights<Duration, (u64, Vec<u8>)>,
    /// Ends with room again after they had none, once each.
    writable: VecDeque<u64>,
    /// What became of ends, one each.
    events: VecDeque<TransportEvent>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    watcher: Option<Waker>,
}

/// One end of a connection.
#[derive(Debug)]
struct End {
    peer: (SocketAddr, u64),
    peer_closed: bool,
    unread_packets: usize,
    unread_bytes: usize,
    /// A packet was refused at this end and its sender waits for room.
    waits: bool,
}

impl End {
    const fn new(peer: (SocketAddr, u64)) -> Self {
        Self {
            peer,
            peer_closed: false,
            unread_packets: 0,
            unread_bytes: 0,
            waits: false,
        }
    }

    const fn has_room(&self, len: usize) -> bool {
        self.unread_packets == 0 || self.unread_bytes + len <= STREAM_WINDOW
    }
}

impl Streams {
    pub(super) const fn new() -> Self {
        Self {
            ports: BTreeMap::new(),
            connections: 0,
        }
    }

    pub(super) fn open(&mut self, address: SocketAddr) {
        self.ports.insert(address, Port::default());
    }

    pub(super) fn is_open(&self, address: SocketAddr) -> bool {
        self.ports.contains_key(&address)
    }

    /// Connects two endpoints; the number of the connection at the dialling one.
    pub(super) fn dial(&mut self, from: SocketAddr, to: SocketAddr) -> io::Result<u64> {
        for address in [from, to] {
            let port = self
                .ports
                .get(&address)
                .ok_or(io::ErrorKind::ConnectionRefused)?;
            if port.is_full() {
                let text = format!("{address} has {MAX_CONNECTIONS} connections already");
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, text));
            }
        }
        let (ours, theirs) = (self.connections + 1, self.connections + 2);
        self.connections += 2;
        for (at, number, peer) in [(from, ours, (to, theirs)), (to, theirs, (from, ours))] {
            if let Some(port) = self.ports.get_mut(&at) {
                port.ends.insert(number, End::new(peer));
            }
        }
        Ok(ours)
    }

    /// The address of the peer of a connection.
    pub(super) fn peer(&self, address: SocketAddr, number: u64) -> Option<SocketAddr> {
        Some(self.ports.get(&address)?.ends.get(&number)?.peer.0)
    }

    /// Sends a packet on its way.
    pub(super) fn send(
        &mut self,
        now: Duration,
        (address, number): (SocketAddr, u64),
        packet: &[u8],
        lanes: &mut Lanes,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<()> {
        let end = self.end(address, number).filter(|end| !end.peer_closed);
        let peer = end.ok_or(io::ErrorKind::NotConnected)?.peer;
        let room = self
            .end(peer.0, peer.1)
            .is_some_and(|end| end.has_room(packet.len()));
        let arrival = if room {
            lanes.lane(address, peer.0).carry(now, packet.len())
        } else {
            None
        };
        let Some(arrival) = arrival else {
            if let Some(end) = self.end(address, number) {
                end.waits = true;
            }
            return Err(io::ErrorKind::WouldBlock.into());
        };
        if let Some(port) = self.ports.get_mut(&peer.0)
            && let Some(end) = port.ends.get_mut(&peer.1)
        {
            end.unread_packets += 1;
            end.unread_bytes += packet.len();
            port.flights.add(arrival, (peer.1, packet.to_vec()));
            wakers.extend(port.reader.take());
        }
        Ok(())
    }

    /// Moves what has arrived into `batch`. If that is nothing, remembers `reader` and tells when
    /// the next packet arrives.
    pub(super) fn receive(
        &mut self,
        now: Duration,
        address: SocketAddr,
        batch: &mut RecvBatch,
        reader: &Waker,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<Option<Duration>> {
        while !batch.is_full()
            && let Some((number, packet)) = self.port(address)?.arrived(now)
        {
            if self.take(address, number, packet.len(), wakers) {
                let len = packet.len().min(batch.buffer_size());
                let remote = Remote::Connection(number);
                let _ = batch.push(remote, packet.get(..len).unwrap_or_default());
            }
        }
        let port = self.port(address)?;
        if batch.is_empty() {
            port.reader = Some(reader.clone());
        }
        Ok(port.flights.next())
    }

    /// Notes that a packet was read at an end; false if the end is closed.
    fn take(
        &mut self,
        address: SocketAddr,
        number: u64,
        len: usize,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let Some(end) = self.end(address, number) else {
            return false;
        };
        end.unread_packets -= 1;
        end.unread_bytes -= len;
        let (peer, half_read) = (end.peer, end.unread_bytes <= STREAM_WINDOW / 2);
        if end.peer_closed {
            self.report_closed(address, number, wakers);
        } else if half_read {
            self.make_writable(peer, wakers);
        }
        true
    }

    /// Tells the sender at an end that waits for room that it may try again.
    fn make_writable(&mut self, (address, number): (SocketAddr, u64), wakers: &mut Vec<Waker>) {
        if let Some(port) = self.ports.get_mut(&address)
            && let Some(end) = port.ends.get_mut(&number)
            && std::mem::take(&mut end.waits)
        {
            port.writable.push_back(number);
            wakers.extend(port.writer.take());
        }
    }

    /// Lets every end in a direction try again that was blocked.
    pub(super) fn resume(&mut self, from: SocketAddr, to: SocketAddr, wakers: &mut Vec<Waker>) {
        let Some(port) = self.ports.get(&from) else {
            return;
        };
        let ends = port.ends.iter().filter(|(_, end)| end.peer.0 == to);
        for number in ends.map(|(&number, _)| number).collect::<Vec<_>>() {
            self.make_writable((from, number), wakers);
        }
    }

    /// The next end that has room again.
    pub(super) fn poll_writable(
        &mut self,
        cx: &Context<'_>,
        address: SocketAddr,
    ) -> Poll<io::Result<u64>> {
        let port = self.port(address)?;
        match port.writable.pop_front() {
            Some(number) => Poll::Ready(Ok(number)),
            None => {
                port.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The next event. None ever comes once the endpoint is closed.
    pub(super) fn poll_event(
        &mut self,
        cx: &Context<'_>,
        address: SocketAddr,
    ) -> Poll<TransportEvent> {
        let Some(port) = self.ports.get_mut(&address) else {
            return Poll::Pending;
        };
        match port.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                port.watcher = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Closes one end of a connection. What the peer had sent before it closed its own end is received
    /// nevertheless.
    pub(super) fn close_end(&mut self, address: SocketAddr, number: u64, wakers: &mut Vec<Waker>) {
        let end = self.end(address, number);
        if end.is_none_or(|end| end.peer_closed && end.unread_packets > 0) {
            return;
        }
        let end = self
            .ports
            .get_mut(&address)
            .and_then(|port| port.ends.remove(&number));
        if let Some(end) = end {
            self.peer_has_closed(end.peer, wakers);
        }
    }

    /// Closes an endpoint and its connections.
    pub(super) fn close(&mut self, address: SocketAddr, wakers: &mut Vec<Waker>) {
        let Some(port) = self.ports.remove(&address) else {
            return;
        };
        wakers.extend(
            [port.reader, port.writer, port.watcher]
                .into_iter()
                .flatten(),
        );
        for end in port.ends.into_values() {
            self.peer_has_closed(end.peer, wakers);
        }
    }

    /// The end reads what is under way to it, then reports that it is closed.
    fn peer_has_closed(&mut self, (address, number): (SocketAddr, u64), wakers: &mut Vec<Waker>) {
        if let Some(end) = self.end(address, number) {
            end.peer_closed = true;
            self.make_writable((address, number), wakers);
            self.report_closed(address, number, wakers);
        }
    }

    /// Drops an end whose peer has closed and that has nothing left to read, with an event.
    fn report_closed(&mut self, address: SocketAddr, number: u64, wakers: &mut Vec<Waker>) {
        if let Some(port) = self.ports.get_mut(&address)
            && port
                .ends
                .get(&number)
                .is_some_and(|end| end.unread_packets == 0)
        {
            port.ends.remove(&number);
            let pipe = Remote::Connection(number);
            port.events
                .push_back(TransportEvent::PipeClosed(pipe, CloseReason::Peer));
            wakers.extend(port.watcher.take());
        }
    }

    fn port(&mut self, address: SocketAddr) -> io::Result<&mut Port> {
        self.ports
            .get_mut(&address)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn end(&mut self, address: SocketAddr, number: u64) -> Option<&mut End> {
        self.ports.get_mut(&address)?.ends.get_mut(&number)
    }
}

impl Port {
    /// No more connections. What was not asked for yet of earlier ones counts, so that an endpoint
    /// that never asks does not grow.
    fn is_full(&self) -> bool {
        self.ends.len() + self.events.len() >= MAX_CONNECTIONS
            || self.writable.len() >= MAX_CONNECTIONS
    }

    fn arrived(&mut self, now: Duration) -> Option<(u64, Vec<u8>)> {
        self.flights.pop(now).map(|(_, arrived)| arrived)
    }
}
