//! Thousands of endpoints in one process that share one socket: each has an address of its own in
//! 127.0.0.0/8, all of which belong to this host, and the socket hears and speaks for them all.

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, RwLock},
    task::{Context, Poll},
};

use anyhow::Result;
use async_trait::async_trait;
use mesh::{
    Path, UdpConfig, UdpTransport,
    transport::{
        Capabilities, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent,
        Writable,
    },
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Addresses follow this one.
const FIRST_ADDRESS: u32 = u32::from_be_bytes([127, 64, 0, 0]);

/// Packets that wait for one endpoint; more are lost, as in a full socket buffer.
const WAITING: usize = 64;

/// Buffers of one endpoint, and their bytes: enough for the largest packets that links probe for.
const BUFFERS: (usize, usize) = (2, 9 * 1024);

type Packet = (Remote, Vec<u8>);

/// The socket, and whom it works for.
pub struct Crowd {
    socket: UdpTransport,
    inboxes: RwLock<HashMap<IpAddr, Sender<Packet>>>,
}

impl Crowd {
    /// Opens the socket.
    pub async fn open() -> Result<Arc<Self>> {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let config = UdpConfig::at(everywhere).discovery(false);
        let crowd = Arc::new(Self {
            socket: UdpTransport::bind(&config).await?,
            inboxes: RwLock::default(),
        });
        tokio::spawn(distribute(crowd.clone()));
        Ok(crowd)
    }

    /// A transport with the address of this number.
    pub fn member(self: &Arc<Self>, number: u32) -> Member {
        let ip = IpAddr::V4(Ipv4Addr::from_bits(FIRST_ADDRESS + number));
        let (sender, inbox) = channel(WAITING);
        let mut inboxes = self.inboxes.write().unwrap_or_else(PoisonError::into_inner);
        inboxes.insert(ip, sender);
        Member {
            crowd: self.clone(),
            address: SocketAddr::new(ip, self.socket.local_addr().port()),
            inbox: Mutex::new(inbox),
        }
    }
}

/// Hands what the socket receives to those whose address it was sent to.
async fn distribute(crowd: Arc<Crowd>) {
    let mut batch = crowd.socket.recv_batch();
    while poll_fn(|cx| crowd.socket.poll_recv(cx, &mut batch))
        .await
        .is_ok()
    {
        let inboxes = crowd.inboxes.read().unwrap_or_else(PoisonError::into_inner);
        for received in batch.packets() {
            if let Some(inbox) = received.local.and_then(|local| inboxes.get(&local)) {
                // Lost if it is full, or nobody is there any more.
                let _ = inbox.try_send((received.remote, received.contents.to_vec()));
            }
        }
    }
}

/// The transport of one endpoint of the crowd.
pub struct Member {
    crowd: Arc<Crowd>,
    address: SocketAddr,
    inbox: Mutex<Receiver<Packet>>,
}

impl Member {
    fn inbox(&self) -> std::sync::MutexGuard<'_, Receiver<Packet>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Member {
    fn name(&self) -> &'static str {
        self.crowd.socket.name()
    }

    fn capabilities(&self, remote: &Remote) -> Capabilities {
        let mut capabilities = self.crowd.socket.capabilities(remote);
        capabilities.max_packet = BUFFERS.1;
        capabilities
    }

    fn local_paths(&self) -> Vec<Path> {
        vec![Path::udp(self.address)]
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        self.crowd.socket.remote_path(remote)
    }

    fn dialable(&self, path: &Path) -> bool {
        self.crowd.socket.dialable(path)
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        self.crowd.socket.dial(path).await
    }

    fn recv_batch(&self) -> RecvBatch {
        RecvBatch::new(BUFFERS.0, BUFFERS.1)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        batch.clear();
        loop {
            let packet = std::task::ready!(self.inbox().poll_recv(cx));
            let (remote, contents) = packet.ok_or(io::ErrorKind::NotConnected)?;
            if batch.push(remote, &contents) {
                return Poll::Ready(Ok(1));
            }
        }
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        let mut transmit = *transmit;
        transmit.source = Some(self.address.ip());
        match self.crowd.socket.try_send(&transmit) {
            // The socket knows only one who waits for room, so nobody waits: what it cannot take
            // is lost, and sent again in time.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(transmit.contents.len()),
            other => other,
        }
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        Poll::Pending
    }

    fn poll_event(&self, _: &mut Context<'_>) -> Poll<TransportEvent> {
        Poll::Pending
    }

    async fn close(&self) {
        self.inbox().close();
    }
}
