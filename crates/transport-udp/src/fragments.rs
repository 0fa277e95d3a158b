//! Lets the network fragment a packet that cannot be cut again.

use std::io;

use tokio::net::UdpSocket;

/// Sends with `send` while packets may be fragmented. Packets that others send meanwhile may be, too,
/// which harms none but a probe of the path: that is why this is for the rare packet only.
///
/// Where the system has no such choice, packets are sent as ever.
pub(crate) fn allowed<R>(
    socket: &UdpSocket,
    send: impl FnOnce() -> io::Result<R>,
) -> io::Result<R> {
    system::allow(socket, true);
    let sent = send();
    system::allow(socket, false);
    sent
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery as V4, Ipv6PathMtuDiscovery as V6, set_ip_mtu_discover,
        set_ipv6_mtu_discover,
    };
    use tokio::net::UdpSocket;

    /// A socket has the options of its own family, and those of IPv4 if it serves both. What fails is
    /// not its family.
    pub(super) fn allow(socket: &UdpSocket, fragments: bool) {
        let (v4, v6) = match fragments {
            true => (V4::DONT, V6::DONT),
            // As quinn-udp has it: no fragments, whatever the system believes of the path.
            false => (V4::PROBE, V6::PROBE),
        };
        let _ = set_ip_mtu_discover(socket, v4);
        let _ = set_ipv6_mtu_discover(socket, v6);
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use tokio::net::UdpSocket;

    pub(super) fn allow(_socket: &UdpSocket, _fragments: bool) {}
}
