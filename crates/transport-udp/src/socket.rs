//! Opens and prepares the socket.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use telehash_transport::{TransportError, ip::Family};

use crate::{UdpConfig, transport::NAME};

/// Opens the socket that `config` describes, with the alternatives that it allows.
pub(crate) fn open(config: &UdpConfig) -> Result<(Socket, Family), TransportError> {
    let open = |address, family| try_open(address, family, config.buffer);
    config.listen.open(NAME, open)
}

fn try_open(address: SocketAddr, family: Family, buffer: usize) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(family == Family::V6)?;
    }
    raise_buffers(&socket, buffer);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What the system grants a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpSupport {
    /// Bytes of buffer that were asked for, to send and to receive.
    pub asked: usize,
    /// Bytes granted to send, by the system's own count.
    pub send_buffer: usize,
    /// Bytes granted to receive, by the system's own count.
    pub receive_buffer: usize,
    /// Packets that one system call sends as one (GSO); 1 if the system does not.
    pub send_segments: usize,
    /// Packets that one system call receives as one (GRO); 1 if the system does not.
    pub receive_segments: usize,
}

/// Asks for larger buffers. Whatever the system grants will do.
fn raise_buffers(socket: &Socket, wanted: usize) {
    // What the system refuses shows in the sizes that it reports.
    let _ = socket.set_send_buffer_size(wanted);
    let _ = socket.set_recv_buffer_size(wanted);
    let send = socket.send_buffer_size().unwrap_or_default();
    let receive = socket.recv_buffer_size().unwrap_or_default();
    tracing::debug!(
        wanted,
        send,
        receive,
        "UDP socket buffers granted, in bytes"
    );
    if receive < wanted {
        tracing::info!(
            wanted,
            granted = receive,
            "the system limits UDP receive buffers; raise net.core.rmem_max for more throughput"
        );
    }
}
