//! Between the addresses of peers and those of a socket.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Which addresses a socket can send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// An IPv6 socket that reaches IPv4 through mapped addresses.
    Both,
}

impl Family {
    /// Whether the socket can send to `remote`.
    #[must_use]
    pub const fn reaches(self, remote: &SocketAddr) -> bool {
        match remote {
            SocketAddr::V4(_) => matches!(self, Self::V4 | Self::Both),
            SocketAddr::V6(_) => matches!(self, Self::V6 | Self::Both),
        }
    }

    /// What the socket calls `remote`; `None` if it cannot reach it.
    #[must_use]
    pub fn destination(self, remote: SocketAddr) -> Option<SocketAddr> {
        let remote = canonical(remote);
        if !self.reaches(&remote) {
            return None;
        }
        match (self, remote) {
            (Self::Both, SocketAddr::V4(v4)) => {
                Some(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into())
            }
            _ => Some(remote),
        }
    }
}

/// What we call a peer at `address`: IPv4 is IPv4, and flow labels are no part of an address.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), v6.port()),
            None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
        },
    }
}

/// The address that answers to a packet sent to `ip` may leave from; `None` for groups.
#[must_use]
pub fn answerable(ip: IpAddr) -> Option<IpAddr> {
    let ip = ip.to_canonical();
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    (!ip.is_multicast() && !is_broadcast).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_socket_for_both_families_maps_ipv4_there_and_back() {
        let v4 = address("192.0.2.1:7");
        let mapped = Family::Both.destination(v4).unwrap();
        assert_eq!(mapped, address("[::ffff:192.0.2.1]:7"));
        assert_eq!(canonical(mapped), v4);
        assert_eq!(Family::Both.destination(mapped), Some(mapped));
    }

    #[test]
    fn a_socket_reaches_its_family_only() {
        let (v4, v6) = (address("192.0.2.1:7"), address("[2001:db8::1]:7"));
        assert_eq!(Family::V4.destination(v4), Some(v4));
        assert_eq!(
            Family::V4.destination(address("[::ffff:192.0.2.1]:7")),
            Some(v4)
        );
        assert_eq!(Family::V4.destination(v6), None);
        assert_eq!(Family::V6.destination(v6), Some(v6));
        assert_eq!(Family::V6.destination(v4), None);
        assert_eq!(Family::Both.destination(v6), Some(v6));
    }

    #[test]
    fn the_scope_is_part_of_an_address_and_the_flow_label_is_not() {
        let link_local =
            |flow, scope| SocketAddrV6::new("fe80::1".parse().unwrap(), 7, flow, scope);
        assert_eq!(canonical(link_local(9, 2).into()), link_local(0, 2).into());
    }

    #[test]
    fn nothing_is_answered_from_the_address_of_a_group() {
        for group in ["239.42.42.42", "ff02::4242", "255.255.255.255"] {
            assert_eq!(answerable(group.parse().unwrap()), None, "{group}");
        }
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(answerable(mapped), Some("192.0.2.1".parse().unwrap()));
    }
}
