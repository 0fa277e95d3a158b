//! The networks that this host is attached to.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use if_addrs::IfAddr;

/// Interfaces on which announcements are heard and sent; further ones are left out.
const MAX_INTERFACES: usize = 64;

/// An interface to a network that others may be on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: u32,
    /// Its IPv4 addresses.
    pub(super) v4: Vec<Ipv4Addr>,
    /// The broadcast addresses of these.
    pub(super) broadcasts: Vec<Ipv4Addr>,
    /// Whether it has an IPv6 address.
    pub(super) v6: bool,
}

/// The interfaces that a socket bound to `bound` speaks for: all, or the one with that address.
/// Loopback and point-to-point interfaces are attached to no local network.
pub(super) fn list(bound: IpAddr) -> Vec<Interface> {
    match if_addrs::get_if_addrs() {
        Ok(addresses) => group(bound.to_canonical(), &addresses),
        Err(error) => {
            tracing::warn!(%error, "the interfaces of this host cannot be listed");
            Vec::new()
        }
    }
}

fn group(bound: IpAddr, addresses: &[if_addrs::Interface]) -> Vec<Interface> {
    let mut interfaces: BTreeMap<u32, Interface> = BTreeMap::new();
    let usable = |address: &&if_addrs::Interface| {
        let asked_for = bound.is_unspecified() || address.ip() == bound;
        asked_for && !address.is_loopback() && !address.is_p2p
    };
    for address in addresses.iter().filter(usable) {
        let Some(index) = address.index else { continue };
        let interface = interfaces.entry(index).or_default();
        interface.index = index;
        match &address.addr {
            IfAddr::V4(v4) => {
                interface.v4.push(v4.ip);
                let new = |broadcast: &Ipv4Addr| !interface.broadcasts.contains(broadcast);
                let broadcast = v4.broadcast.filter(new);
                interface.broadcasts.extend(broadcast);
            }
            IfAddr::V6(_) => interface.v6 = true,
        }
    }
    interfaces.into_values().take(MAX_INTERFACES).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn address(index: u32, ip: &str) -> if_addrs::Interface {
        let addr = match ip.parse().unwrap() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                IfAddr::V4(Ifv4Addr {
                    ip,
                    netmask: Ipv4Addr::new(255, 255, 255, 0),
                    prefixlen: 24,
                    broadcast: Some(Ipv4Addr::new(a, b, c, 255)),
                })
            }
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask: Ipv6Addr::UNSPECIFIED,
                prefixlen: 64,
                broadcast: None,
            }),
        };
        if_addrs::Interface {
            name: format!("eth{index}"),
            addr,
            index: Some(index),
            oper_status: IfOperStatus::Up,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: String::new(),
        }
    }

    fn host() -> Vec<if_addrs::Interface> {
        let mut tunnel = address(4, "10.8.0.2");
        tunnel.is_p2p = true;
        vec![
            address(1, "127.0.0.1"),
            address(1, "::1"),
            address(2, "192.0.2.7"),
            address(2, "192.0.2.8"),
            address(2, "fe80::2"),
            address(3, "198.51.100.7"),
            tunnel,
        ]
    }

    fn indices(bound: &str) -> Vec<u32> {
        let interfaces = group(bound.parse().unwrap(), &host());
        interfaces.iter().map(|interface| interface.index).collect()
    }

    #[test]
    fn a_wildcard_speaks_for_every_network_but_loopback_and_tunnels() {
        assert_eq!(indices("::"), [2, 3]);
        let interfaces = group(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &host());
        let lan = Interface {
            index: 2,
            v4: vec![[192, 0, 2, 7].into(), [192, 0, 2, 8].into()],
            broadcasts: vec![[192, 0, 2, 255].into()],
            v6: true,
        };
        assert_eq!(interfaces.first(), Some(&lan));
    }

    #[test]
    fn an_address_speaks_for_its_own_network_and_loopback_for_none() {
        assert_eq!(indices("198.51.100.7"), [3]);
        assert!(indices("127.0.0.1").is_empty());
        assert!(indices("::1").is_empty());
    }

    #[test]
    fn a_host_with_too_many_interfaces_uses_the_first() {
        let addresses: Vec<_> = (1..=MAX_INTERFACES as u32 + 1)
            .map(|index| address(index, "192.0.2.1"))
            .collect();
        let used = group(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &addresses);
        assert_eq!(used.len(), MAX_INTERFACES);
        assert_eq!(
            used.last().map(|last| last.index),
            Some(MAX_INTERFACES as u32)
        );
    }
}
