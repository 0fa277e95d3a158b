//! Between the words of the transports and those of the link core, which know nothing of each
//! other.

use telehash_link::PipeCapabilities;
use telehash_transport::Capabilities;

pub(crate) fn to_link(remote: telehash_transport::Remote) -> telehash_link::Remote {
    match remote {
        telehash_transport::Remote::Socket(address) => telehash_link::Remote::Socket(address),
        telehash_transport::Remote::Connection(number) => telehash_link::Remote::Connection(number),
    }
}

/// Nothing for a pipe through a router, which no transport knows.
pub(crate) fn to_transport(remote: telehash_link::Remote) -> Option<telehash_transport::Remote> {
    use telehash_transport::Remote;
    match remote {
        telehash_link::Remote::Socket(address) => Some(Remote::Socket(address)),
        telehash_link::Remote::Connection(number) => Some(Remote::Connection(number)),
        telehash_link::Remote::Router(_) => None,
    }
}

pub(crate) fn capabilities(of: &Capabilities) -> PipeCapabilities {
    PipeCapabilities {
        max_packet: of.max_packet,
        reliable: of.reliable,
        own_congestion_control: of.own_congestion_control,
        cloak: match of.cloak {
            telehash_transport::CloakPolicy::Always => telehash_link::CloakPolicy::Always,
            telehash_transport::CloakPolicy::MatchPeer => telehash_link::CloakPolicy::MatchPeer,
            telehash_transport::CloakPolicy::Never => telehash_link::CloakPolicy::Never,
        },
        keepalive: of.keepalive,
        backpressure: of.backpressure,
    }
}
