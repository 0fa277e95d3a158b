//! What the outer address of a gateway is worth.

use std::net::Ipv4Addr;

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Everybody may be able to reach it.
    Public,
    /// Another NAT is in front of it.
    Private,
    /// Nobody can be there.
    Nothing,
}

/// The first addresses of the shared space of carriers' NATs, RFC 6598.
const SHARED: [u8; 2] = [100, 64];

pub(crate) fn worth(address: Ipv4Addr) -> Worth {
    let [first, second, ..] = address.octets();
    let nowhere = first == 0
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        // And what is reserved beyond multicast, broadcast included.
        || first >= 240;
    if nowhere {
        return Worth::Nothing;
    }
    let shared = [first, second & 0b1100_0000] == SHARED;
    match address.is_private() || shared {
        true => Worth::Private,
        false => Worth::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_where_somebody_can_be_is_public() {
        let worths = [
            (Worth::Public, ["198.51.100.2", "100.128.0.1", "9.9.9.9"]),
            (Worth::Private, ["192.168.1.1", "10.1.2.3", "100.64.0.1"]),
            (Worth::Nothing, ["127.0.0.1", "0.0.0.0", "169.254.1.1"]),
            (Worth::Nothing, ["224.0.0.1", "255.255.255.255", "0.1.2.3"]),
        ];
        for (expected, addresses) in worths {
            for address in addresses {
                assert_eq!(worth(address.parse().unwrap()), expected, "{address}");
            }
        }
    }
}
