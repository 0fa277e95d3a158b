//! Opens and prepares sockets.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use telehash_transport::{
    TransportError,
    ip::{Family, Listen},
};
use tokio::net::{TcpListener, TcpStream};

use crate::limits::BACKLOG;

/// Opens a listener at the address that `listen` asks for, or an alternative that it allows.
pub(crate) fn listen(
    name: &'static str,
    listen: &Listen,
) -> Result<(TcpListener, SocketAddr, Family), TransportError> {
    let (socket, family) = listen.open(name, try_open)?;
    let prepare = || {
        let listener = TcpListener::from_std(socket.into())?;
        let address = listener.local_addr()?;
        Ok((listener, address, family))
    };
    prepare().map_err(|error| TransportError::bind(name, listen.address(), error))
}

fn try_open(address: SocketAddr, family: Family) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(family == Family::V6)?;
    }
    // Connections of an earlier run may linger on the port. (On Windows this would share it.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Connects to `address`.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Where nobody listens on a port that the system hands out, it may connect a socket to itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether both ends of a connection are on this machine.
pub(crate) fn is_local(stream: &TcpStream, peer: SocketAddr) -> bool {
    let peer = peer.ip().to_canonical();
    peer.is_loopback()
        || stream
            .local_addr()
            .is_ok_and(|local| local.ip().to_canonical() == peer)
}
