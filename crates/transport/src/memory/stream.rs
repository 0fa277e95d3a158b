//! The endpoint for connections.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll, Waker, ready},
};

use async_trait::async_trait;
use telehash_hashname::Path;

use crate::{
    Capabilities, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent, Writable,
};

use super::{MemoryNetwork, address::Kind, alarm::Alarm, hub::Hub};

/// Packets that one call of `poll_recv` takes, and the size of their buffers: any packet fits.
const BATCH: (usize, usize) = (32, Capabilities::MAX_DATAGRAM);

/// An endpoint of a [`MemoryNetwork`] that makes and takes connections: every packet arrives, in
/// order, and there is room for [`STREAM_WINDOW`](super::STREAM_WINDOW) bytes that the peer has not
/// read. It closes when dropped, and its connections with it.
#[derive(Debug)]
pub struct MemoryStreamTransport {
    network: MemoryNetwork,
    address: SocketAddr,
    alarm: Alarm,
}

impl MemoryStreamTransport {
    pub(super) fn new(network: MemoryNetwork, address: SocketAddr) -> Self {
        Self {
            network,
            address,
            alarm: Alarm::default(),
        }
    }

    /// Where this endpoint is in its network.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn shut(&self) {
        self.with_hub(|hub, wakers| hub.streams.close(self.address, wakers));
    }

    /// Does something under the network's lock, and wakes whom it concerns after it is released.
    fn with_hub<T>(&self, action: impl FnOnce(&mut Hub, &mut Vec<Waker>) -> T) -> T {
        let mut wakers = Vec::new();
        let result = action(&mut self.network.hub(), &mut wakers);
        for waker in wakers {
            waker.wake();
        }
        result
    }
}

#[async_trait]
impl Transport for MemoryStreamTransport {
    fn name(&self) -> &'static str {
        Kind::Stream.name()
    }

    fn capabilities(&self, _remote: &Remote) -> Capabilities {
        Capabilities::stream()
    }

    fn local_paths(&self) -> Vec<Path> {
        vec![Kind::Stream.path(self.address)]
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        let Remote::Connection(number) = *remote else {
            return None;
        };
        self.network
            .hub()
            .streams
            .peer(self.address, number)
            .map(|peer| Kind::Stream.path(peer))
    }

    fn connects(&self) -> bool {
        true
    }

    fn dialable(&self, path: &Path) -> bool {
        Kind::Stream.address(path).is_some()
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        let to = Kind::Stream.address(path);
        let to = to.ok_or_else(|| TransportError::unsupported(self.name(), path))?;
        let mut hub = self.network.hub();
        if !hub.streams.is_open(self.address) {
            return Err(TransportError::Closed {
                transport: self.name(),
            });
        }
        let dialled = hub.streams.dial(self.address, to);
        dialled
            .map(Remote::Connection)
            .map_err(|e| TransportError::dial(self.name(), path, e))
    }

    fn recv_batch(&self) -> RecvBatch {
        RecvBatch::new(BATCH.0, BATCH.1)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        batch.clear();
        loop {
            let now = self.network.now();
            let next = self.with_hub(|hub, wakers| {
                hub.streams
                    .receive(now, self.address, batch, cx.waker(), wakers)
            })?;
            if !batch.is_empty() {
                return Poll::Ready(Ok(batch.len()));
            }
            let Some(next) = next else {
                return Poll::Pending;
            };
            ready!(self.alarm.poll(cx, self.network.instant(next)));
        }
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        let Remote::Connection(number) = transmit.remote else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if transmit
            .packets()
            .any(|packet| packet.len() > Capabilities::MAX_DATAGRAM)
        {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let now = self.network.now();
        let end = (self.address, number);
        self.with_hub(|Hub { streams, lanes, .. }, wakers| {
            let mut sent = 0;
            for packet in transmit.packets() {
                match streams.send(now, end, packet, lanes, wakers) {
                    Ok(()) => sent += packet.len(),
                    Err(_) if sent > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(sent)
        })
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        let writable = self.network.hub().streams.poll_writable(cx, self.address);
        writable.map_ok(|number| Writable::Only(Remote::Connection(number)))
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.network.hub().streams.poll_event(cx, self.address)
    }

    fn close_pipe(&self, remote: &Remote) {
        if let Remote::Connection(number) = *remote {
            self.with_hub(|hub, wakers| hub.streams.close_end(self.address, number, wakers));
        }
    }

    async fn close(&self) {
        self.shut();
    }
}

impl Drop for MemoryStreamTransport {
    fn drop(&mut self) {
        self.shut();
    }
}
