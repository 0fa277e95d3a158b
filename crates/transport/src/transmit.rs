//! What goes out: the far end of a pipe, and a run of packets for it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// The far end of a pipe, as its transport names it. Together with the transport it identifies
/// the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Remote {
    /// A socket address: datagram transports. An IPv4 peer is always named by its IPv4 address,
    /// never by the IPv4-mapped IPv6 form.
    Socket(SocketAddr),
    /// A connection that the transport numbered itself. Numbers are never used again within the
    /// life of a transport.
    Connection(u64),
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "{address}"),
            Self::Connection(number) => write!(f, "connection {number}"),
        }
    }
}

/// Explicit congestion notification bits of a datagram (RFC 3168).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// ECT(0): the sender understands ECN.
    Ect0,
    /// ECT(1): the sender understands ECN.
    Ect1,
    /// CE: the network marked congestion on the way.
    Ce,
}

/// A run of packets for one remote, in one buffer.
///
/// Every packet of the run has `segment_size` bytes, except that the last one may be shorter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Transmit<'a> {
    /// Where to.
    pub remote: Remote,
    /// The packets, one after the other. An empty run is sent successfully, as nothing.
    pub contents: &'a [u8],
    /// Size of each packet in bytes; `None` if `contents` is one packet.
    pub segment_size: Option<usize>,
    /// Congestion notification bits to set. Ignored where the transport or the system has none.
    pub ecn: Option<Ecn>,
    /// Local address to send from: what [`Received::local`](crate::Received::local) said of the
    /// peer's packets, so that answers on a host with several addresses leave from the one that
    /// was addressed. `None` leaves the choice to the system.
    pub source: Option<IpAddr>,
    /// Whether the packet may be fragmented on its way: it was cut for a larger path and cannot be
    /// cut again. Otherwise what is larger than the path is lost. Ignored where that is no matter.
    pub fragment: bool,
}

impl<'a> Transmit<'a> {
    /// One packet for `remote`.
    #[must_use]
    pub const fn packet(remote: Remote, contents: &'a [u8]) -> Self {
        Self {
            remote,
            contents,
            segment_size: None,
            ecn: None,
            source: None,
            fragment: false,
        }
    }

    /// A run of packets of `segment_size` bytes each (the last may be shorter) for `remote`.
    #[must_use]
    pub const fn run(remote: Remote, contents: &'a [u8], segment_size: usize) -> Self {
        Self {
            remote,
            contents,
            segment_size: Some(segment_size),
            ecn: None,
            source: None,
            fragment: false,
        }
    }

    /// Size in bytes of every packet but the last; at least 1.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.segment_size.unwrap_or(self.contents.len()).max(1)
    }

    /// The packets of the run, in order.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        self.contents.chunks(self.stride())
    }
}
