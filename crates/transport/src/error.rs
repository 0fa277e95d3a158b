//! What can go wrong when a transport is opened or dialled.

use std::{io, net::SocketAddr};

use telehash_hashname::Path;

/// Why a transport could not be opened, or a path not be dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The path is of another transport, incomplete, or of an address family that we lack.
    #[error("{transport} cannot use the path {path}")]
    UnsupportedPath {
        /// Name of the transport.
        transport: &'static str,
        /// The path.
        path: Box<Path>,
    },
    /// Another socket has the port.
    #[error(
        "{transport} port {} on {} is in use by another program; stop that program, choose \
         another port, or choose port 0 for any free one", address.port(), address.ip()
    )]
    PortInUse {
        /// Name of the transport.
        transport: &'static str,
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system does not let this user open the port.
    #[error(
        "no permission to open {transport} port {} on {}; ports below 1024 usually need \
         privileges", address.port(), address.ip()
    )]
    PermissionDenied {
        /// Name of the transport.
        transport: &'static str,
        /// The address asked for.
        address: SocketAddr,
    },
    /// No interface of this host has the address.
    #[error("{transport} cannot listen on {address}: this host has no such address")]
    AddressNotAvailable {
        /// Name of the transport.
        transport: &'static str,
        /// The address asked for.
        address: SocketAddr,
    },
    /// No connection could be made.
    #[error("{transport} could not connect to {path}: {source}")]
    Dial {
        /// Name of the transport.
        transport: &'static str,
        /// The path.
        path: Box<Path>,
        /// What the system said.
        source: io::Error,
    },
    /// The transport was closed.
    #[error("the {transport} transport is closed")]
    Closed {
        /// Name of the transport.
        transport: &'static str,
    },
    /// The system refused for another reason.
    #[error("{transport} could not be opened on {address}: {source}")]
    Bind {
        /// Name of the transport.
        transport: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl TransportError {
    /// The error for a `path` that a transport cannot use.
    #[must_use]
    pub fn unsupported(transport: &'static str, path: &Path) -> Self {
        Self::UnsupportedPath {
            transport,
            path: Box::new(path.clone()),
        }
    }

    /// The error for `source`, which connecting along `path` ran into.
    #[must_use]
    pub fn dial(transport: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Dial {
            transport,
            path: Box::new(path.clone()),
            source,
        }
    }

    /// The error for `source`, which opening `address` ran into.
    #[must_use]
    pub fn bind(transport: &'static str, address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { transport, address },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { transport, address },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { transport, address },
            _ => Self::Bind {
                transport,
                address,
                source,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind_error(kind: io::ErrorKind) -> String {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        TransportError::bind("udp", address, kind.into()).to_string()
    }

    #[test]
    fn bind_errors_say_what_to_do() {
        assert_eq!(
            bind_error(io::ErrorKind::AddrInUse),
            "udp port 80 on 127.0.0.1 is in use by another program; stop that program, choose \
             another port, or choose port 0 for any free one"
        );
        assert_eq!(
            bind_error(io::ErrorKind::PermissionDenied),
            "no permission to open udp port 80 on 127.0.0.1; ports below 1024 usually need \
             privileges"
        );
        assert_eq!(
            bind_error(io::ErrorKind::AddrNotAvailable),
            "udp cannot listen on 127.0.0.1:80: this host has no such address"
        );
        assert_eq!(
            bind_error(io::ErrorKind::OutOfMemory),
            "udp could not be opened on 127.0.0.1:80: out of memory"
        );
    }
}
