//! The transport: one listener and its connections.

use std::{
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use async_trait::async_trait;
use telehash_hashname::Path;
use telehash_lob::chunk::MAX_CHUNKED_PACKET;
use telehash_transport::{
    Capabilities, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent, Writable,
    ip::{self, Listen},
};
use tokio::time::Instant;

#[cfg(feature = "tls")]
use crate::tls::{TlsConfig, TlsLayer};
use crate::{
    TcpConfig, TcpStats, batch, close,
    inner::Inner,
    layer::Layer,
    receive::Receiver,
    socket,
    stats::count,
    token::{self, Token},
};

/// Packets of a run that are worth passing on at once: as many as one write takes in its stride.
const SEGMENTS: usize = 64;

/// One listener and its connections, over TCP or TLS.
///
/// [`poll_recv`](Transport::poll_recv) does all the work that is not
/// [`try_send`](Transport::try_send)'s: it takes in peers, goes on writing what did not leave at
/// once, and closes what is overdue. So poll it at all times.
///
/// [`dial`](Transport::dial) waits for as long as the system does, and a TLS handshake for as long as
/// the peer lets it: give it a timeout. A connection that comes of it belongs to the caller, and is
/// closed if no link [keeps](Transport::keep) it in time.
#[derive(Debug)]
pub struct TcpTransport {
    inner: Inner,
    receiver: Mutex<Receiver>,
}

impl TcpTransport {
    /// Listens for TCP connections. This and everything else needs a tokio runtime with I/O and time
    /// enabled.
    ///
    /// # Errors
    /// [`TransportError::PortInUse`], [`PermissionDenied`](TransportError::PermissionDenied),
    /// [`AddressNotAvailable`](TransportError::AddressNotAvailable), or else
    /// [`Bind`](TransportError::Bind).
    pub async fn bind(config: &TcpConfig) -> Result<Self, TransportError> {
        let always_cloak = config.always_cloak;
        Self::open(Layer::Plain { always_cloak }, &config.listen)
    }

    /// Listens for TLS connections. Paths are `tls4` and `tls6`, packets leave uncloaked, and all
    /// else is as with TCP.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); and [`Bind`](TransportError::Bind) if no certificate could be made.
    #[cfg(feature = "tls")]
    pub async fn bind_tls(config: &TlsConfig) -> Result<Self, TransportError> {
        let layer = TlsLayer::new(config)
            .map_err(|error| TransportError::bind("tls", config.listen.address(), error))?;
        Self::open(Layer::Tls(layer), &config.listen)
    }

    fn open(layer: Layer, listen: &Listen) -> Result<Self, TransportError> {
        let (listener, address, family) = socket::listen(layer.name(), listen)?;
        tracing::debug!(transport = layer.name(), %address, ?family, "listening");
        let inner = Inner::new(layer, address, family);
        let receiver = Mutex::new(Receiver::new(listener, &inner));
        Ok(Self { inner, receiver })
    }

    /// The address that it listens on. For `[::]` and `0.0.0.0`, see
    /// [`local_paths`](Transport::local_paths) for addresses that others can use.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.inner.address
    }

    /// What it did so far, and how many connections there are.
    #[must_use]
    pub fn stats(&self) -> TcpStats {
        let crowd = self.inner.crowd();
        self.inner.counters.snapshot(crowd.len(), crowd.strangers())
    }

    fn receiver(&self) -> MutexGuard<'_, Receiver> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_open(&self) -> io::Result<()> {
        if self.inner.is_closed() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Remote> {
        let inner = &self.inner;
        let stream = socket::connect(address).await?;
        let number = inner.number(&stream, address);
        let halves = inner.layer.connect(stream, address).await?;
        self.check_open()?;
        if !inner.crowd().join(number) {
            let text = "there are too many connections already";
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, text));
        }
        let waker = inner.readiness.waker(Token::Read(number).encode());
        inner.add(number, address, true, Instant::now(), halves, waker);
        // Closing may have overlooked it.
        if let Err(error) = self.check_open() {
            inner.remove(number);
            return Err(error);
        }
        count(&inner.counters.dialled, 1);
        Ok(Remote::Connection(number))
    }
}

#[async_trait]
impl Transport for TcpTransport {
    fn name(&self) -> &'static str {
        self.inner.layer.name()
    }

    fn capabilities(&self, remote: &Remote) -> Capabilities {
        let mut capabilities = Capabilities::stream();
        capabilities.cloak = self.inner.layer.cloak();
        capabilities.loopback =
            matches!(*remote, Remote::Connection(number) if token::is_local(number));
        capabilities
    }

    fn local_paths(&self) -> Vec<Path> {
        let addresses = ip::reachable_at(self.inner.address, self.inner.family);
        let path = |address| self.inner.layer.path(address);
        addresses.into_iter().map(path).collect()
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        let Remote::Connection(number) = *remote else {
            return None;
        };
        let connection = self.inner.connection(number)?;
        Some(self.inner.layer.path(connection.peer()))
    }

    fn connects(&self) -> bool {
        true
    }

    fn dialable(&self, path: &Path) -> bool {
        let address = self.inner.layer.address(path);
        address.is_some_and(|address| self.inner.family.reaches(&address))
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        let transport = self.name();
        let closed = |_| TransportError::Closed { transport };
        self.check_open().map_err(closed)?;
        let address = self
            .inner
            .layer
            .address(path)
            .filter(|_| self.dialable(path));
        let address = address.ok_or_else(|| TransportError::unsupported(transport, path))?;
        let connected = self.connect(address).await;
        connected.map_err(|error| match self.check_open() {
            Ok(()) => TransportError::dial(transport, path, error),
            Err(error) => closed(error),
        })
    }

    fn recv_batch(&self) -> RecvBatch {
        batch::new_batch()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        batch.clear();
        self.check_open()?;
        self.receiver().poll(&self.inner, cx, batch)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        self.check_open()?;
        let longest = transmit.contents.len().min(transmit.stride());
        let Remote::Connection(number) = transmit.remote else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if longest > Capabilities::stream().max_packet {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let connection = self.inner.connection(number);
        let connection = connection.ok_or(io::ErrorKind::NotConnected)?;
        let (sent, room) = connection.send(transmit, &self.inner.counters);
        if room {
            self.inner.writable.put(number);
        }
        sent
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        self.check_open()?;
        let writable = self.inner.writable.poll(cx);
        // Closing may have come in between, and does not wake twice.
        self.check_open()?;
        writable.map(|number| Ok(Writable::Only(Remote::Connection(number))))
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.inner.events.poll(cx)
    }

    fn max_segments(&self) -> usize {
        SEGMENTS
    }

    fn keep(&self, remote: &Remote) {
        if let Remote::Connection(number) = *remote
            && let Some(connection) = self.inner.connection(number)
        {
            connection.keep();
            self.inner.crowd().keep(number);
        }
    }

    fn close_pipe(&self, remote: &Remote) {
        if let Remote::Connection(number) = *remote
            && let Some(connection) = self.inner.connection(number)
        {
            connection.close();
        }
    }

    async fn close(&self) {
        if self.inner.set_closed() {
            self.receiver().stop();
            close::close(&self.inner).await;
        }
    }
}

// Whatever may be sent can be put together again.
const _: () = assert!(Capabilities::stream().max_packet <= MAX_CHUNKED_PACKET);
