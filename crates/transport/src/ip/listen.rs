//! Where to listen, and what will do instead.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::Family;
use crate::TransportError;

/// An address to listen on, and the alternatives that will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    ip: IpAddr,
    port: u16,
    any_port: bool,
    any_family: bool,
    only_v6: bool,
}

impl Listen {
    /// Every address, IPv6 and IPv4, on this port or any other if it is taken; on a system without
    /// IPv6, IPv4 alone.
    #[must_use]
    pub const fn everywhere(port: u16) -> Self {
        let mut listen = Self::at(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
        (listen.any_port, listen.any_family) = (true, true);
        listen
    }

    /// Exactly this address. `0.0.0.0` is every IPv4 address, `[::]` every address of both
    /// families, port 0 any free port.
    #[must_use]
    pub const fn at(address: SocketAddr) -> Self {
        Self {
            ip: address.ip(),
            port: address.port(),
            any_port: false,
            any_family: false,
            only_v6: false,
        }
    }

    /// Takes any other port if this one is taken.
    #[must_use]
    pub const fn prefer_port(mut self, port: u16) -> Self {
        self.port = port;
        self.any_port = true;
        self
    }

    /// Whether an IPv6 socket leaves IPv4 alone. Only `[::]` can serve both.
    #[must_use]
    pub const fn only_v6(mut self, only_v6: bool) -> Self {
        self.only_v6 = only_v6;
        self
    }

    /// The address that is asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    /// Opens a socket with `open`, for the address that is asked for or else an alternative. A
    /// socket for [`Family::V6`] is to be limited to IPv6.
    ///
    /// # Errors
    /// What `open` said of the last address tried.
    pub fn open<T>(
        &self,
        transport: &'static str,
        open: impl Fn(SocketAddr, Family) -> io::Result<T>,
    ) -> Result<(T, Family), TransportError> {
        match self.open_port(transport, self.ip, &open) {
            Err(error) if self.any_family && lacks_ipv6(&error) => {
                tracing::info!(transport, "there is no IPv6 here; listening on IPv4 alone");
                self.open_port(transport, Ipv4Addr::UNSPECIFIED.into(), &open)
            }
            result => result,
        }
    }

    fn open_port<T>(
        &self,
        transport: &'static str,
        ip: IpAddr,
        open: &impl Fn(SocketAddr, Family) -> io::Result<T>,
    ) -> Result<(T, Family), TransportError> {
        let family = self.family(ip);
        let try_open = |port| {
            let address = SocketAddr::new(ip, port);
            match open(address, family) {
                Ok(socket) => Ok((socket, family)),
                Err(error) => Err(TransportError::bind(transport, address, error)),
            }
        };
        match try_open(self.port) {
            Err(error) if self.any_port && is_port_problem(&error) => {
                let port = self.port;
                tracing::info!(
                    transport,
                    port,
                    "the preferred port is taken; using another one"
                );
                try_open(0)
            }
            result => result,
        }
    }

    const fn family(&self, ip: IpAddr) -> Family {
        match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(ip) if self.only_v6 || !ip.is_unspecified() => Family::V6,
            IpAddr::V6(_) => Family::Both,
        }
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Opens on a host where some addresses fail; what was tried, and what came of it.
    fn tried(
        listen: Listen,
        fails: impl Fn(SocketAddr) -> Option<io::ErrorKind>,
    ) -> (Vec<(String, Family)>, Result<Family, TransportError>) {
        let tried = RefCell::new(Vec::new());
        let opened = listen.open("udp", |address, family| {
            tried.borrow_mut().push((address.to_string(), family));
            fails(address).map_or(Ok(()), |kind| Err(kind.into()))
        });
        (tried.into_inner(), opened.map(|((), family)| family))
    }

    #[test]
    fn everywhere_falls_back_to_another_port_and_to_ipv4() {
        let taken = |address: SocketAddr| (address.port() == 7).then_some(io::ErrorKind::AddrInUse);
        let (calls, opened) = tried(Listen::everywhere(7), taken);
        assert_eq!(opened.unwrap(), Family::Both);
        let expected = ["[::]:7", "[::]:0"].map(|address| (address.to_owned(), Family::Both));
        assert_eq!(calls, expected);

        let no_ipv6 =
            |address: SocketAddr| address.is_ipv6().then_some(io::ErrorKind::AddrNotAvailable);
        let (_, opened) = tried(Listen::everywhere(7), no_ipv6);
        assert_eq!(opened.unwrap(), Family::V4);
    }

    #[test]
    fn exactly_an_address_has_no_alternative() {
        let listen = Listen::at("[::1]:7".parse().unwrap());
        let (calls, opened) = tried(listen, |_| Some(io::ErrorKind::AddrInUse));
        assert!(matches!(opened, Err(TransportError::PortInUse { .. })));
        assert_eq!(calls, [("[::1]:7".to_owned(), Family::V6)]);
    }

    #[test]
    fn a_wildcard_can_be_limited_to_ipv6() {
        let listen = Listen::at("[::]:7".parse().unwrap()).only_v6(true);
        assert_eq!(tried(listen, |_| None).1.unwrap(), Family::V6);
    }
}
