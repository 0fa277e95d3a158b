//! Where others may reach a socket.

use std::net::{IpAddr, SocketAddr};

use telehash_hashname::Path;

use crate::address::{Family, canonical};

/// The paths of a socket that is bound to `bound`.
pub(crate) fn local_paths(bound: SocketAddr, family: Family) -> Vec<Path> {
    if !bound.ip().is_unspecified() {
        return vec![Path::udp(canonical(bound))];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the addresses of this host cannot be listed");
        Vec::new()
    });
    let ips = interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .collect::<Vec<_>>();
    of_wildcard(bound.port(), family, &ips)
}

/// The paths of a socket that is bound to every address of its family, on a host with these.
fn of_wildcard(port: u16, family: Family, ips: &[IpAddr]) -> Vec<Path> {
    let addresses = |wanted: fn(&IpAddr) -> bool| {
        let mut addresses = Vec::new();
        for address in ips
            .iter()
            .filter(|ip| wanted(ip))
            .map(|&ip| SocketAddr::new(ip, port))
        {
            if family.reaches(&address) && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    };
    let mut addresses_of_paths = addresses(is_of_use_elsewhere);
    if addresses_of_paths.is_empty() {
        addresses_of_paths = addresses(IpAddr::is_loopback);
    }
    addresses_of_paths.into_iter().map(Path::udp).collect()
}

/// Link-local IPv6 addresses mean nothing without an interface, which paths cannot name.
fn is_of_use_elsewhere(ip: &IpAddr) -> bool {
    let is_link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !ip.is_loopback() && !ip.is_unspecified() && !is_link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(family: Family, ips: &[&str]) -> Vec<String> {
        let ips: Vec<_> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let describe = |path: Path| format!("{} {}", path.kind(), path.socket_addr().unwrap());
        of_wildcard(7, family, &ips)
            .into_iter()
            .map(describe)
            .collect()
    }

    const HOST: [&str; 6] = [
        "127.0.0.1",
        "::1",
        "192.0.2.1",
        "2001:db8::1",
        "fe80::1",
        "192.0.2.1",
    ];

    #[test]
    fn a_wildcard_is_every_address_that_others_can_use_once() {
        assert_eq!(
            paths(Family::Both, &HOST),
            ["udp4 192.0.2.1:7", "udp6 [2001:db8::1]:7"]
        );
        assert_eq!(paths(Family::V4, &HOST), ["udp4 192.0.2.1:7"]);
        assert_eq!(paths(Family::V6, &HOST), ["udp6 [2001:db8::1]:7"]);
    }

    #[test]
    fn loopback_is_a_path_when_there_is_nothing_else() {
        let alone = ["127.0.0.1", "::1", "fe80::1"];
        assert_eq!(
            paths(Family::Both, &alone),
            ["udp4 127.0.0.1:7", "udp6 [::1]:7"]
        );
        assert_eq!(paths(Family::V4, &alone), ["udp4 127.0.0.1:7"]);
        assert!(paths(Family::Both, &[]).is_empty());
    }

    #[test]
    fn a_bound_address_is_the_only_path() {
        let bound = "127.0.0.1:7".parse().unwrap();
        assert_eq!(local_paths(bound, Family::V4), [Path::udp(bound)]);
    }
}
