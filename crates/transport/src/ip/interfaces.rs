//! Where others may reach a socket.

use std::net::{IpAddr, SocketAddr};

use super::{Family, canonical};

/// The addresses at which others may reach a socket that is bound to `bound`: itself, or, for a
/// wildcard, every address of this host that is of use elsewhere; loopback ones if there are no
/// others.
#[must_use]
pub fn reachable_at(bound: SocketAddr, family: Family) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![canonical(bound)];
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

/// The addresses of a socket that is bound to every address of its family, on a host with these.
fn of_wildcard(port: u16, family: Family, ips: &[IpAddr]) -> Vec<SocketAddr> {
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
    let reachable = addresses(is_of_use_elsewhere);
    if reachable.is_empty() {
        return addresses(IpAddr::is_loopback);
    }
    reachable
}

/// Link-local IPv6 addresses mean nothing without an interface, which paths cannot name.
fn is_of_use_elsewhere(ip: &IpAddr) -> bool {
    let is_link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !ip.is_loopback() && !ip.is_unspecified() && !is_link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(family: Family, ips: &[&str]) -> Vec<String> {
        let ips: Vec<_> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let addresses = of_wildcard(7, family, &ips).into_iter();
        addresses.map(|address| address.to_string()).collect()
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
            addresses(Family::Both, &HOST),
            ["192.0.2.1:7", "[2001:db8::1]:7"]
        );
        assert_eq!(addresses(Family::V4, &HOST), ["192.0.2.1:7"]);
        assert_eq!(addresses(Family::V6, &HOST), ["[2001:db8::1]:7"]);
    }

    #[test]
    fn loopback_counts_when_there_is_nothing_else() {
        let alone = ["127.0.0.1", "::1", "fe80::1"];
        assert_eq!(addresses(Family::Both, &alone), ["127.0.0.1:7", "[::1]:7"]);
        assert_eq!(addresses(Family::V4, &alone), ["127.0.0.1:7"]);
        assert!(addresses(Family::Both, &[]).is_empty());
    }

    #[test]
    fn a_bound_address_is_the_only_one() {
        let bound: SocketAddr = "127.0.0.1:7".parse().unwrap();
        assert_eq!(reachable_at(bound, Family::V4), [bound]);
    }
}
