//! Addresses that nobody means who allows "everything".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits))
}

const fn v6(a: u16, b: u16, bits: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0),
        bits,
    ))
}

/// Private, link-local (metadata services are there), loopback, shared by carriers, reserved; and
/// IPv6 addresses that stand for IPv4 ones.
const GUARDED: [IpNet; 21] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(240, 0, 0, 0, 4),
    v6(0, 0, 32), // Unspecified, loopback, IPv4-compatible and -mapped.
    v6(0x64, 0xff9b, 32),
    v6(0x2001, 0, 23),
    v6(0x2002, 0, 16),
    v6(0xfc00, 0, 7),
    v6(0xfe80, 0, 10),
    v6(0xfec0, 0, 10),
];

/// Whether it takes a rule of its own.
pub(crate) fn is_guarded(ip: IpAddr) -> bool {
    GUARDED.iter().any(|block| block.contains(&ip))
}

/// Whether a rule with this network means guarded addresses: it lies within one of their blocks.
pub(crate) fn names_guarded(net: &IpNet) -> bool {
    GUARDED.iter().any(|block| block.contains(net))
}

/// Whether no rule can allow it: nobody is there, or many are.
pub(crate) fn is_nobody(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}
