//! Which of the paths that a peer offers may be sent to.

use core::net::IpAddr;

use telehash_hashname::Path;

/// Whether a probe may go to an offered path. Offers are untrusted: nobody may aim us at a group of
/// hosts, at nobody, or, from elsewhere, at services of our own machine.
///
/// A path of a kind that only an application's own transport knows has no address to judge; whoever
/// installs such a transport lets it be dialled. A path through a router costs whoever is linked to
/// that router a handshake, so that may be tried too. Paths through web servers are no probes' business.
///
/// `near` tells that the link's own pipe is a loopback one, so the peer is on this machine too.
///
/// ```
/// use telehash_channel_path::may_probe;
/// use telehash_hashname::Path;
///
/// assert!(may_probe(&Path::udp("192.0.2.1:42424".parse()?), false));
/// assert!(!may_probe(&Path::udp("239.42.42.42:42424".parse()?), false));
/// assert!(!may_probe(&Path::udp("127.0.0.1:53".parse()?), false));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use]
pub fn may_probe(path: &Path, near: bool) -> bool {
    let without_address = !path.is_known() || matches!(path, Path::Peer { .. });
    path.socket_addr().map_or(without_address, |address| {
        let ip = address.ip().to_canonical();
        let nowhere = ip.is_unspecified() || ip.is_multicast() || address.port() == 0;
        !nowhere && !is_special(ip) && (near || !ip.is_loopback())
    })
}

/// Broadcast, and addresses that mean nothing without an interface.
fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(address: &str) -> Path {
        Path::udp(address.parse().unwrap())
    }

    #[test]
    fn an_ordinary_address_may_be_probed() {
        for address in ["192.0.2.1:1", "10.0.0.1:42424", "[2001:db8::1]:42424"] {
            assert!(may_probe(&udp(address), false), "{address}");
        }
    }

    #[test]
    fn groups_nobody_and_broadcast_are_never_probed() {
        for address in [
            "224.0.0.1:1",
            "239.42.42.42:42420",
            "[ff02::1]:1",
            "0.0.0.0:1",
            "0.1.2.3:1",
            "[::]:1",
            "255.255.255.255:1",
            "[fe80::1]:1",
            "[::ffff:224.0.0.1]:1",
        ] {
            assert!(!may_probe(&udp(address), true), "{address}");
        }
    }

    #[test]
    fn our_own_machine_is_probed_only_for_a_peer_on_it() {
        for address in [
            "127.0.0.1:53",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(!may_probe(&udp(address), false), "{address}");
            assert!(may_probe(&udp(address), true), "{address}");
        }
    }

    #[test]
    fn only_kinds_of_an_application_are_probed_without_an_address() {
        assert!(may_probe(
            &r#"{"type":"bluetooth"}"#.parse().unwrap(),
            false
        ));
        assert!(!may_probe(&Path::http("http://192.0.2.1/"), true));
    }

    #[test]
    fn a_path_through_a_router_may_be_tried() {
        let router = telehash_hashname::Hashname::from_bytes([7; 32]);
        assert!(may_probe(&Path::peer(router), false));
    }
}
