//! The transport: a QUIC endpoint and its connections.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use quinn::{ConnectionError, Endpoint, TokioRuntime};
use telehash_hashname::Path;
use telehash_transport::{
    Capabilities, CloakPolicy, RecvBatch, Remote, Transmit, Transport, TransportError,
    TransportEvent, Writable,
    ip::{self, Family},
};
use tokio::time::timeout;

use crate::{
    QuicConfig, QuicStats,
    door::Door,
    limits::{HANDSHAKE_TIMEOUT, Limits},
    packer::Packer,
    parameters::{self, Parameters},
    pipe::{CLOSE_TIMEOUT, Pipe},
    pipes::Pipes,
    socket,
    stats::count,
    tls::Tls,
};

/// Name of the transport.
pub(crate) const NAME: &str = "quic";

/// Buffers that one call of `poll_recv` fills, and their size: any packet fits, and many small
/// ones.
const BATCH: (usize, usize) = (16, 64 * 1024);

/// Packets of a run that it pays to send at once: they share one allocation.
const SEGMENTS: usize = 64;

/// A QUIC endpoint and its connections.
pub struct QuicTransport {
    endpoint: Endpoint,
    address: SocketAddr,
    family: Family,
    parameters: Parameters,
    server_name: Option<Arc<str>>,
    pipes: Pipes,
    door: Mutex<Door>,
}

impl QuicTransport {
    /// Opens the socket and makes a certificate. This and everything else needs a tokio runtime
    /// with I/O and time enabled.
    ///
    /// # Errors
    /// [`TransportError::PortInUse`], [`PermissionDenied`](TransportError::PermissionDenied),
    /// [`AddressNotAvailable`](TransportError::AddressNotAvailable), or else
    /// [`Bind`](TransportError::Bind), also if the configuration's TLS cannot serve QUIC.
    pub async fn bind(config: &QuicConfig) -> Result<Self, TransportError> {
        Self::with_limits(config, Limits::default())
    }

    pub(crate) fn with_limits(config: &QuicConfig, limits: Limits) -> Result<Self, TransportError> {
        let asked = config.listen.address();
        let failed = |error| TransportError::bind(NAME, asked, error);
        let tls = match &config.verification {
            Some(verification) => Tls::verified(verification),
            None => Tls::anonymous(),
        };
        let tls = tls.map_err(failed)?;
        let parameters = Parameters::new(&tls);
        let (socket, family) = socket::open(&config.listen)?;
        let server = parameters.server(false).as_ref().clone();
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(parameters::endpoint(), Some(server), socket.into(), runtime)
            .map_err(failed)?;
        let address = endpoint.local_addr().map_err(failed)?;
        tracing::debug!(%address, ?family, "QUIC endpoint open");
        let transport = Self {
            door: Door::new(endpoint.clone()).into(),
            endpoint,
            address,
            family,
            parameters,
            server_name: tls.server_name,
            pipes: Pipes::new(limits),
        };
        transport.pipes.door.wake_by_ref();
        Ok(transport)
    }

    /// The address that the socket is bound to. For `[::]` and `0.0.0.0`, see
    /// [`local_paths`](Transport::local_paths) for addresses that others can use.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What the transport did so far.
    #[must_use]
    pub fn stats(&self) -> QuicStats {
        self.pipes.counters.snapshot()
    }

    /// Bytes of the largest packet that goes to `remote` as a datagram now; larger ones go on
    /// streams, which costs several times as much. It changes as the path proves what it carries.
    /// `None` if the pipe is gone, or the peer takes no datagrams.
    #[must_use]
    pub fn datagram_room(&self, remote: &Remote) -> Option<usize> {
        self.pipe(remote)?.connection.max_datagram_size()
    }

    fn pipe(&self, remote: &Remote) -> Option<Arc<Pipe>> {
        match *remote {
            Remote::Connection(number) => self.pipes.pipe(number),
            Remote::Socket(_) => None,
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<quinn::Connection> {
        self.pipes.make_room()?;
        let client = self.parameters.client(address.ip().is_loopback());
        let ip = address.ip().to_string();
        let name = self.server_name.as_deref().unwrap_or(&ip);
        let connecting = self
            .endpoint
            .connect_with(client, address, name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        match timeout(HANDSHAKE_TIMEOUT, connecting).await {
            Ok(connection) => connection.map_err(dial_error),
            Err(_) => {
                let text = format!("no answer within {} s", HANDSHAKE_TIMEOUT.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dial_error(error: ConnectionError) -> io::Error {
    let kind = match &error {
        ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_) => {
            io::ErrorKind::ConnectionRefused
        }
        ConnectionError::Reset => io::ErrorKind::ConnectionReset,
        ConnectionError::TimedOut => io::ErrorKind::TimedOut,
        ConnectionError::LocallyClosed => io::ErrorKind::NotConnected,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

impl fmt::Debug for QuicTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicTransport")
            .field("address", &self.address)
            .field("family", &self.family)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for QuicTransport {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self, remote: &Remote) -> Capabilities {
        let mut capabilities = Capabilities::stream();
        capabilities.reliable = false;
        capabilities.cloak = CloakPolicy::Never;
        capabilities.loopback = self.pipe(remote).is_some_and(|pipe| pipe.loopback);
        capabilities
    }

    fn local_paths(&self) -> Vec<Path> {
        let addresses = ip::reachable_at(self.address, self.family);
        addresses.into_iter().map(Path::quic).collect()
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        Some(Path::quic(self.pipe(remote)?.address()))
    }

    fn connects(&self) -> bool {
        true
    }

    fn dialable(&self, path: &Path) -> bool {
        match *path {
            Path::Quic4(address) => address.port() != 0 && self.family.reaches(&address.into()),
            Path::Quic6(address) => address.port() != 0 && self.family.reaches(&address.into()),
            _ => false,
        }
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        let closed = |_| TransportError::Closed { transport: NAME };
        self.pipes.news.check().map_err(closed)?;
        let address = path.socket_addr().filter(|_| self.dialable(path));
        let address = address.ok_or_else(|| TransportError::unsupported(NAME, path))?;
        let connected = self.connect(address).await;
        self.pipes.news.check().map_err(closed)?;
        let connection = connected.map_err(|error| TransportError::dial(NAME, path, error))?;
        count(&self.pipes.counters.dialled, 1);
        Ok(Remote::Connection(self.pipes.add(connection, None)))
    }

    fn recv_batch(&self) -> RecvBatch {
        RecvBatch::growing(BATCH.0, BATCH.1)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        self.pipes.news.check()?;
        let mut packer = Packer::new(batch);
        let received = self.pipes.poll_receive(cx, &mut packer, |cx| {
            self.door().poll(cx, &self.pipes, &self.parameters);
        });
        ready!(received);
        self.pipes.news.check()?;
        Poll::Ready(Ok(packer.len()))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        if matches!(transmit.remote, Remote::Socket(_)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let pipe = self.pipe(&transmit.remote);
        let pipe = pipe.ok_or(io::ErrorKind::NotConnected)?;
        let (run, stride) = (transmit.contents, transmit.stride());
        let mut outbox = pipe.outbox();
        outbox.send(run, stride, &pipe.sender, &self.pipes.counters)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        self.pipes.outgoing.enter_writer(cx);
        self.pipes.send_on();
        let writable = self.pipes.news.poll_writable(cx);
        writable.map_ok(|number| Writable::Only(Remote::Connection(number)))
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.pipes.news.poll_event(cx)
    }

    fn max_segments(&self) -> usize {
        SEGMENTS
    }

    fn keep(&self, remote: &Remote) {
        if let Remote::Connection(number) = *remote {
            self.pipes.keep(number);
        }
    }

    fn close_pipe(&self, remote: &Remote) {
        if let Remote::Connection(number) = *remote {
            self.pipes.leave(number);
        }
    }

    async fn close(&self) {
        if !self.pipes.news.close() {
            return;
        }
        self.pipes.door.wake_by_ref();
        self.pipes.leave_all().await;
        self.endpoint.close(0_u32.into(), b"");
        // Peers that are gone need not hear of it.
        let _ = timeout(CLOSE_TIMEOUT, self.endpoint.wait_idle()).await;
    }
}
