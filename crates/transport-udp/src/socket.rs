//! Opens and prepares the socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use telehash_transport::TransportError;

use crate::{UdpConfig, address::Family, transport::NAME};

/// Opens the socket that `config` describes, with the alternatives that it allows.
pub(crate) fn open(config: &UdpConfig) -> Result<(Socket, Family), TransportError> {
    match open_port(config, config.ip) {
        Err(error) if config.any_family && lacks_ipv6(&error) => {
            tracing::info!("there is no IPv6 here; listening on IPv4 alone");
            open_port(config, Ipv4Addr::UNSPECIFIED.into())
        }
        result => result,
    }
}

fn open_port(config: &UdpConfig, ip: IpAddr) -> Result<(Socket, Family), TransportError> {
    let port = config.port;
    match open_at(config, SocketAddr::new(ip, port)) {
        Err(error) if config.any_port && is_port_problem(&error) => {
            tracing::info!(port, "the preferred UDP port is taken; using another one");
            open_at(config, SocketAddr::new(ip, 0))
        }
        result => result,
    }
}

fn open_at(config: &UdpConfig, address: SocketAddr) -> Result<(Socket, Family), TransportError> {
    let opened = try_open(config, address);
    opened.map_err(|error| TransportError::bind(NAME, address, error))
}

fn try_open(config: &UdpConfig, address: SocketAddr) -> io::Result<(Socket, Family)> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    let family = if address.is_ipv4() {
        Family::V4
    } else {
        let only_v6 = config.only_v6 || !address.ip().is_unspecified();
        socket.set_only_v6(only_v6)?;
        if only_v6 { Family::V6 } else { Family::Both }
    };
    raise_buffers(&socket, config.buffer);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok((socket, family))
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

const fn is_port_problem(error: &TransportError) -> bool {
    matches!(
        error,
        TransportError::PortInUse { .. } | TransportError::PermissionDenied { .. }
    )
}

fn lacks_ipv6(error: &TransportError) -> bool {
    match error {
        TransportError::AddressNotAvailable { .. } => true,
        // EAFNOSUPPORT has no kind of its own.
        TransportError::Bind { source, .. } => source.kind() != io::ErrorKind::OutOfMemory,
        _ => false,
    }
}
