//! Sending announcements.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV6},
};

use socket2::SockRef;
use telehash_transport::ip::Family;
use tokio::net::UdpSocket;

use super::{DISCOVERY_GROUP_V4, DISCOVERY_GROUP_V6, DISCOVERY_PORT, interfaces::Interface};

/// Where an announcement goes, and what the system has to be told about the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Broadcast(Ipv4Addr),
    /// The IPv4 group, on the interface with this address.
    GroupV4(Ipv4Addr),
    /// The IPv6 group, on the interface of this index.
    GroupV6(u32),
}

/// Sends each packet to each network, those for one place one after the other. They leave from
/// `socket`, so that their source address is the path to us. How many places took them.
pub(super) fn to_all(
    socket: &UdpSocket,
    family: Family,
    interfaces: &[Interface],
    packets: &[Vec<u8>],
) -> io::Result<usize> {
    // Around tokio, which takes a new socket for busy until the reactor has looked at it.
    let socket = SockRef::from(socket);
    socket.set_broadcast(true)?;
    let mut reached = 0;
    for target in targets(family, interfaces) {
        match send(&socket, family, target, packets) {
            Ok(()) => reached += 1,
            Err(error) => tracing::debug!(?target, %error, "announcement not sent"),
        }
    }
    Ok(reached)
}

fn targets(family: Family, interfaces: &[Interface]) -> Vec<Target> {
    let mut targets = Vec::new();
    for interface in interfaces {
        if family != Family::V6 {
            targets.extend(interface.broadcasts.iter().copied().map(Target::Broadcast));
            targets.extend(interface.v4.first().copied().map(Target::GroupV4));
        }
        if family != Family::V4 && interface.v6 {
            targets.push(Target::GroupV6(interface.index));
        }
    }
    targets
}

fn send(
    socket: &SockRef<'_>,
    family: Family,
    target: Target,
    packets: &[Vec<u8>],
) -> io::Result<()> {
    match target {
        Target::Broadcast(_) => {}
        Target::GroupV4(interface) => socket.set_multicast_if_v4(&interface)?,
        Target::GroupV6(index) => socket.set_multicast_if_v6(index)?,
    }
    let address = family.destination(target.address());
    let address = address.ok_or(io::ErrorKind::InvalidInput)?.into();
    for packet in packets {
        socket.send_to(packet, &address)?;
    }
    Ok(())
}

impl Target {
    fn address(self) -> SocketAddr {
        match self {
            Self::Broadcast(ip) => SocketAddr::new(ip.into(), DISCOVERY_PORT),
            Self::GroupV4(_) => SocketAddr::new(DISCOVERY_GROUP_V4.into(), DISCOVERY_PORT),
            Self::GroupV6(index) => {
                SocketAddrV6::new(DISCOVERY_GROUP_V6, DISCOVERY_PORT, 0, index).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface() -> Interface {
        Interface {
            index: 2,
            v4: vec![[192, 0, 2, 7].into(), [192, 0, 2, 8].into()],
            broadcasts: vec![[192, 0, 2, 255].into()],
            v6: true,
        }
    }

    #[test]
    fn each_network_is_reached_by_broadcast_and_by_group() {
        let v4 = [
            Target::Broadcast([192, 0, 2, 255].into()),
            Target::GroupV4([192, 0, 2, 7].into()),
        ];
        let both = [v4[0], v4[1], Target::GroupV6(2)];
        assert_eq!(targets(Family::Both, &[interface()]), both);
        assert_eq!(targets(Family::V4, &[interface()]), v4);
        assert_eq!(targets(Family::V6, &[interface()]), [Target::GroupV6(2)]);
    }

    #[test]
    fn the_addresses_are_those_of_the_protocol() {
        let address = |target: Target| target.address().to_string();
        assert_eq!(address(Target::GroupV6(2)), "[ff02::4242%2]:42420");
        assert_eq!(
            address(Target::GroupV4([192, 0, 2, 7].into())),
            "239.42.42.42:42420"
        );
        assert_eq!(
            address(Target::Broadcast([192, 0, 2, 255].into())),
            "192.0.2.255:42420"
        );
    }
}
