//! The datagram endpoint.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use telehash_hashname::Path;

use crate::{
    Capabilities, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent, Writable,
};

use super::{MemoryNetwork, address::Kind, alarm::Alarm};

/// Datagrams that one call of `poll_recv` takes, and the size of their buffers: any datagram fits.
const BATCH: (usize, usize) = (32, Capabilities::MAX_DATAGRAM);

/// An endpoint of a [`MemoryNetwork`] that sends datagrams. It closes when dropped.
///
/// Datagrams of more than [`Capabilities::MAX_DATAGRAM`] bytes, or to an address that nobody has,
/// are lost.
#[derive(Debug)]
pub struct MemoryTransport {
    network: MemoryNetwork,
    address: SocketAddr,
    alarm: Alarm,
}

impl MemoryTransport {
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
        let reader = self.network.hub().close(self.address);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn name(&self) -> &'static str {
        Kind::Datagram.name()
    }

    fn capabilities(&self, _remote: &Remote) -> Capabilities {
        Capabilities::datagram()
    }

    fn local_paths(&self) -> Vec<Path> {
        vec![Kind::Datagram.path(self.address)]
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        match *remote {
            Remote::Socket(address) => Some(Kind::Datagram.path(address)),
            Remote::Connection(_) => None,
        }
    }

    fn dialable(&self, path: &Path) -> bool {
        Kind::Datagram.address(path).is_some()
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        let address = Kind::Datagram.address(path);
        let address = address.ok_or_else(|| TransportError::unsupported(self.name(), path))?;
        if !self.network.hub().is_open(self.address) {
            return Err(TransportError::Closed {
                transport: self.name(),
            });
        }
        Ok(Remote::Socket(address))
    }

    fn recv_batch(&self) -> RecvBatch {
        RecvBatch::new(BATCH.0, BATCH.1)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        batch.clear();
        loop {
            let now = self.network.now();
            let next = self
                .network
                .hub()
                .receive(now, self.address, batch, cx.waker());
            let next = next.map_err(|_closed| io::Error::from(io::ErrorKind::NotConnected))?;
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
        let Remote::Socket(to) = transmit.remote else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let now = self.network.now();
        let mut reader = None;
        let mut hub = self.network.hub();
        if !hub.is_open(self.address) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        for packet in transmit
            .packets()
            .filter(|p| p.len() <= Capabilities::MAX_DATAGRAM)
        {
            let waiting = hub.send(now, self.address, to, packet.to_vec());
            reader = reader.or(waiting);
        }
        drop(hub);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(transmit.contents.len())
    }

    fn poll_writable(&self, _cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        if self.network.hub().is_open(self.address) {
            Poll::Ready(Ok(Writable::All))
        } else {
            Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
        }
    }

    fn poll_event(&self, _cx: &mut Context<'_>) -> Poll<TransportEvent> {
        Poll::Pending
    }

    async fn close(&self) {
        self.shut();
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.shut();
    }
}
