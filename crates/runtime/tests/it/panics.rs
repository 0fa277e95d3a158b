//! A fault while handling one link closes that link and no other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use telehash_hashname::Path;
use telehash_runtime::{Accept, ChannelError, Mesh, MeshEvent, Open, Packet, WaitError};
use telehash_transport::memory::{MemoryNetwork, MemoryTransport};
use telehash_transport::{
    Capabilities, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent, Writable,
};

use crate::common::{PATIENCE, echo, endpoint, event};

/// Works, until it is broken: then it panics where a link asks it for the path of the peer at
/// `victim`, which happens under that link's lock.
struct Brittle {
    inner: MemoryTransport,
    victim: Remote,
    broken: Arc<AtomicBool>,
}

#[async_trait]
impl Transport for Brittle {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self, remote: &Remote) -> Capabilities {
        self.inner.capabilities(remote)
    }

    fn local_paths(&self) -> Vec<Path> {
        self.inner.local_paths()
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        assert!(
            *remote != self.victim || !self.broken.load(Ordering::Relaxed),
            "a bug of ours"
        );
        self.inner.remote_path(remote)
    }

    fn dialable(&self, path: &Path) -> bool {
        self.inner.dialable(path)
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        self.inner.dial(path).await
    }

    fn recv_batch(&self) -> RecvBatch {
        self.inner.recv_batch()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, batch)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        self.inner.try_send(transmit)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        self.inner.poll_writable(cx)
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.inner.poll_event(cx)
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_handling_one_link_closes_that_link_only() {
    let network = MemoryNetwork::new(1);
    let victim = network.endpoint();
    let broken = Arc::new(AtomicBool::new(false));
    let transport = Brittle {
        inner: network.endpoint(),
        victim: Remote::Socket(victim.address()),
        broken: broken.clone(),
    };
    let server = Mesh::builder()
        .transport(transport)
        .accept(Accept::All)
        .on_open("echo", echo)
        .build()
        .await
        .unwrap();
    let unlucky = Mesh::builder()
        .transport(victim)
        .on_open("echo", echo)
        .build()
        .await
        .unwrap();
    let lucky = endpoint(&network).build().await.unwrap();
    let doomed = unlucky.link(server.local_link_json()).await.unwrap();
    let sound = lucky.link(server.local_link_json()).await.unwrap();
    doomed.wait_up(PATIENCE).await.unwrap();
    sound.wait_up(PATIENCE).await.unwrap();
    doomed.ping().await.unwrap();

    let back = server.get(&unlucky.hashname()).unwrap();
    let mut open = back.open(Open::reliable("echo")).await.unwrap();
    open.opened().await.unwrap();
    let mut events = server.events();
    broken.store(true, Ordering::Relaxed);
    assert!(doomed.ping().await.is_err());

    let panicked = event(&mut events, |event| match event {
        MeshEvent::LinkPanicked { hashname } => Some(hashname),
        _ => None,
    });
    assert_eq!(panicked.await, unlucky.hashname());
    assert!(back.is_closed());
    assert_eq!(open.recv().await.unwrap_err(), ChannelError::LinkDown);
    assert!(matches!(
        back.wait_up(PATIENCE).await,
        Err(WaitError::Closed(_))
    ));

    let mut channel = sound.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new("unharmed")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "unharmed");

    broken.store(false, Ordering::Relaxed);
    doomed.close();
    let again = unlucky.link(server.local_link_json()).await.unwrap();
    again.wait_up(PATIENCE).await.unwrap();
}
