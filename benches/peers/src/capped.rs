//! A transport whose packets are held to a size, so that they compare with those of others.

use std::{
    io,
    task::{Context, Poll},
};

use async_trait::async_trait;
use mesh::{
    Path,
    transport::{
        Capabilities, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent,
        Writable,
    },
};

/// `transport`, which takes no packet longer than `most` bytes.
pub struct Capped<T> {
    pub transport: T,
    pub most: usize,
}

#[async_trait]
impl<T: Transport> Transport for Capped<T> {
    fn capabilities(&self, remote: &Remote) -> Capabilities {
        let mut capabilities = self.transport.capabilities(remote);
        capabilities.max_packet = capabilities.max_packet.min(self.most);
        capabilities
    }

    fn name(&self) -> &'static str {
        self.transport.name()
    }

    fn local_paths(&self) -> Vec<Path> {
        self.transport.local_paths()
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        self.transport.remote_path(remote)
    }

    fn dialable(&self, path: &Path) -> bool {
        self.transport.dialable(path)
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        self.transport.dial(path).await
    }

    fn recv_batch(&self) -> RecvBatch {
        self.transport.recv_batch()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        self.transport.poll_recv(cx, batch)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        self.transport.try_send(transmit)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        self.transport.poll_writable(cx)
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.transport.poll_event(cx)
    }

    fn max_segments(&self) -> usize {
        self.transport.max_segments()
    }

    async fn close(&self) {
        self.transport.close().await;
    }
}
