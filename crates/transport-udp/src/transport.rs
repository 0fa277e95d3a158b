//! The transport: one UDP socket.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use quinn_udp::{EcnCodepoint, UdpSocketState};
use telehash_hashname::Path;
use telehash_transport::{
    Capabilities, Ecn, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent,
    Writable,
    ip::{self, Family},
};
use tokio::{io::Interest, net::UdpSocket};

use crate::{
    UdpConfig, UdpStats, UdpSupport, discovery::Discovery, fragments, gate::Gate, recv,
    send::Sender, socket, stats::Counters,
};

/// Name of the transport.
pub(crate) const NAME: &str = "udp";

/// One UDP socket.
#[derive(Debug)]
pub struct UdpTransport {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    family: Family,
    sender: Sender,
    gate: Gate,
    counters: Counters,
    discovery: Option<Discovery>,
    /// Bytes of buffers.
    asked: usize,
}

impl UdpTransport {
    /// Opens the socket. This and everything else needs a tokio runtime with I/O and time enabled.
    ///
    /// A [`DISCOVERY_PORT`](crate::DISCOVERY_PORT) that cannot be opened is no error: it is warned
    /// of and tried again from time to time.
    ///
    /// # Errors
    /// [`TransportError::PortInUse`], [`PermissionDenied`](TransportError::PermissionDenied),
    /// [`AddressNotAvailable`](TransportError::AddressNotAvailable), or else
    /// [`Bind`](TransportError::Bind).
    pub async fn bind(config: &UdpConfig) -> Result<Self, TransportError> {
        let (socket, family) = socket::open(config)?;
        let asked = config.listen.address();
        let prepare = || {
            let socket = UdpSocket::from_std(socket.into())?;
            let state = UdpSocketState::new((&socket).into())?;
            let address = socket.local_addr()?;
            Ok((socket, state, address))
        };
        let (socket, state, address) =
            prepare().map_err(|error| TransportError::bind(NAME, asked, error))?;
        let sender = Sender::new(state.max_gso_segments());
        tracing::debug!(%address, ?family, segments = sender.max_segments(), "UDP socket open");
        let (gate, counters) = (Gate::default(), Counters::default());
        let discovery = config
            .discovery
            .then(|| Discovery::new(address.ip(), family));
        Ok(Self {
            socket,
            state,
            address,
            family,
            sender,
            gate,
            counters,
            discovery,
            asked: config.buffer,
        })
    }

    /// The address that the socket is bound to. For `[::]` and `0.0.0.0`, see
    /// [`local_paths`](Transport::local_paths) for addresses that others can use.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What the socket did so far.
    #[must_use]
    pub fn stats(&self) -> UdpStats {
        self.counters.snapshot()
    }

    /// What the system grants this socket.
    #[must_use]
    pub fn support(&self) -> UdpSupport {
        let socket = socket2::SockRef::from(&self.socket);
        UdpSupport {
            asked: self.asked,
            send_buffer: socket.send_buffer_size().unwrap_or_default(),
            receive_buffer: socket.recv_buffer_size().unwrap_or_default(),
            send_segments: self.sender.max_segments(),
            receive_segments: self.state.gro_segments(),
        }
    }

    fn destination(&self, remote: Remote) -> io::Result<SocketAddr> {
        match remote {
            Remote::Socket(address) => self.family.destination(address),
            Remote::Connection(_) => None,
        }
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

#[async_trait]
impl Transport for UdpTransport {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self, remote: &Remote) -> Capabilities {
        let mut capabilities = Capabilities::datagram();
        capabilities.loopback =
            matches!(remote, Remote::Socket(address) if address.ip().to_canonical().is_loopback());
        capabilities
    }

    fn local_paths(&self) -> Vec<Path> {
        let addresses = ip::reachable_at(self.address, self.family);
        addresses.into_iter().map(Path::udp).collect()
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        match *remote {
            Remote::Socket(address) => Some(Path::udp(address)),
            Remote::Connection(_) => None,
        }
    }

    fn dialable(&self, path: &Path) -> bool {
        match *path {
            Path::Udp4(address) => address.port() != 0 && self.family.reaches(&address.into()),
            Path::Udp6(address) => address.port() != 0 && self.family.reaches(&address.into()),
            _ => false,
        }
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        self.gate
            .check()
            .map_err(|_closed| TransportError::Closed { transport: NAME })?;
        let address = path.socket_addr().filter(|_| self.dialable(path));
        let address = address.ok_or_else(|| TransportError::unsupported(NAME, path))?;
        Ok(Remote::Socket(address))
    }

    fn recv_batch(&self) -> RecvBatch {
        recv::new_batch()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        batch.clear();
        self.gate.enter_reader(cx)?;
        recv::poll_patiently(cx, &self.counters, |cx| {
            batch.clear();
            ready!(self.socket.poll_recv_ready(cx))?;
            Poll::Ready(self.socket.try_io(Interest::READABLE, || {
                recv::receive(&self.socket, &self.state, batch, &self.counters)
            }))
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        self.gate.check()?;
        let destination = self.destination(transmit.remote)?;
        let ecn = transmit.ecn.map(|ecn| match ecn {
            Ecn::Ect0 => EcnCodepoint::Ect0,
            Ecn::Ect1 => EcnCodepoint::Ect1,
            Ecn::Ce => EcnCodepoint::Ce,
        });
        let call = |contents: &[u8], segment_size| {
            let src_ip = transmit.source;
            let transmit = quinn_udp::Transmit {
                destination,
                ecn,
                contents,
                segment_size,
                src_ip,
            };
            let send = || self.state.try_send((&self.socket).into(), &transmit);
            self.socket.try_io(Interest::WRITABLE, send)
        };
        let send = || {
            let (run, stride) = (transmit.contents, transmit.stride());
            self.sender.send(run, stride, &self.counters, call)
        };
        match transmit.fragment {
            true => fragments::allowed(&self.socket, send),
            false => send(),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        self.gate.enter_writer(cx)?;
        self.socket.poll_send_ready(cx).map_ok(|()| Writable::All)
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        match &self.discovery {
            Some(discovery) => discovery.poll(cx).map(|(from, packet)| {
                let from = Remote::Socket(ip::canonical(from));
                TransportEvent::Announcement { from, packet }
            }),
            None => Poll::Pending,
        }
    }

    fn announce(&self, packets: &[Vec<u8>]) -> io::Result<usize> {
        self.gate.check()?;
        match &self.discovery {
            Some(discovery) => discovery.announce(&self.socket, packets),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn max_segments(&self) -> usize {
        self.sender.max_segments()
    }

    async fn close(&self) {
        self.gate.close();
        if let Some(discovery) = &self.discovery {
            discovery.close();
        }
    }
}
