//! The way out: the gateway of the default route.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use crate::limits::MAX_ROUTES;
use crate::port::Gateway;

/// Where Linux tells of its routes, those of the network that this thread is in.
const ROUTES: &str = "/proc/thread-self/net/route";

/// Flags of a route: it is up, and leads to a gateway.
const UP_BY_GATEWAY: u32 = 0x3;

/// The gateway of the default route, if there is one and the system tells.
pub(crate) fn gateway() -> Option<Gateway> {
    let address = default_route(&read(File::open(ROUTES).ok()?).ok()?)?;
    let local = local_towards(address).ok()?;
    Some(Gateway { address, local })
}

fn read(table: impl Read) -> io::Result<String> {
    let mut text = String::new();
    table.take(MAX_ROUTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Of the default routes the one that is preferred.
fn default_route(text: &str) -> Option<Ipv4Addr> {
    let routes = text.lines().skip(1).filter_map(parse);
    let (_, gateway) = routes.min_by_key(|(metric, _)| *metric)?;
    Some(gateway)
}

/// Metric and gateway of a line, if it is a default route.
fn parse(line: &str) -> Option<(u32, Ipv4Addr)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, destination, gateway, flags, _, _, metric, mask, ..] = fields[..] else {
        return None;
    };
    let hex = |text| u32::from_str_radix(text, 16).ok();
    let is_default = hex(destination)? == 0 && hex(mask)? == 0;
    let usable = hex(flags)? & UP_BY_GATEWAY == UP_BY_GATEWAY;
    // The kernel prints the four bytes as a number of this machine.
    let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
    (is_default && usable).then_some((metric.parse().ok()?, gateway))
}

/// Our address on the way there. Nothing is sent.
fn local_towards(gateway: Ipv4Addr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((gateway, crab_nat::GATEWAY_PORT))?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(local) => Ok(local),
        IpAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(destination: u32, gateway: [u8; 4], flags: u32, metric: u32, mask: u32) -> String {
        let gateway = u32::from_ne_bytes(gateway);
        format!(
            "eth0\t{destination:08X}\t{gateway:08X}\t{flags:04X}\t0\t0\t{metric}\t{mask:08X}\t0\t0\t0\n"
        )
    }

    #[test]
    fn a_long_table_of_routes_is_read_as_far_as_the_limit() {
        let text = read(io::repeat(b'x')).unwrap();
        assert_eq!(text.len() as u64, MAX_ROUTES);
    }

    #[test]
    fn the_preferred_default_route_is_the_way_out() {
        let text = [
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n".to_owned(),
            line(0, [192, 168, 1, 1], 3, 100, 0),
            line(0, [192, 168, 2, 1], 3, 50, 0),
            // No gateway, down, and not for everybody.
            line(0, [0, 0, 0, 0], 1, 0, 0),
            line(0, [192, 168, 3, 1], 2, 0, 0),
            line(10, [192, 168, 4, 1], 3, 0, 255),
        ];
        let found = default_route(&text.concat());
        assert_eq!(found, Some(Ipv4Addr::new(192, 168, 2, 1)));
        assert_eq!(default_route("Iface\nnonsense\n\n"), None);
    }
}
