//! What is mapped, and where.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// UDP
    Udp,
    /// TCP
    Tcp,
}

/// A port that this host listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its address on the gateway's network.
    pub address: SocketAddrV4,
}

/// How a gateway is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Port Control Protocol, RFC 6887.
    Pcp,
    /// NAT Port Mapping Protocol, RFC 6886.
    NatPmp,
    /// UPnP Internet Gateway Device.
    Upnp,
}

/// A port that the gateway passes on to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Ours.
    pub port: Port,
    /// The gateway's, for everybody outside. Nobody but the gateway vouches for it.
    pub external: SocketAddrV4,
    /// How the gateway was asked.
    pub method: Method,
}

/// The way out of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address inside.
    pub address: Ipv4Addr,
    /// Ours, as it sees it.
    pub local: Ipv4Addr,
}

impl Method {
    /// All, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];

    /// Its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
