//! Opens and prepares the socket.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use telehash_transport::{
    TransportError,
    ip::{Family, Listen},
};

use crate::transport::NAME;

/// Bytes that are asked for as send and as receive buffer. The system may grant less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Opens a socket where `listen` says, with the alternatives that it allows.
pub(crate) fn open(listen: &Listen) -> Result<(Socket, Family), TransportError> {
    listen.open(NAME, try_open)
}

fn try_open(address: SocketAddr, family: Family) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(family == Family::V6)?;
    }
    // Whatever the system grants will do.
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let send = socket.send_buffer_size().unwrap_or_default();
    let receive = socket.recv_buffer_size().unwrap_or_default();
    tracing::debug!(send, receive, "QUIC socket buffers granted, in bytes");
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
