//! Port mapping for the builder.

use std::net::SocketAddr;
use std::time::Duration;

use telehash_hashname::Path;
use telehash_portmap::{Mapper, Mapping, Port, Protocol, Report};
use telehash_runtime::{Builder, MappedPort, PortMapper, PortMapping, Surroundings};

/// However often the network changes, the gateway is left alone for so long after it was asked.
const CALM: Duration = Duration::from_secs(5);

/// Adds port mapping to [`Builder`].
pub trait BuilderPortMappingExt {
    /// Has the gateway of the network pass on what comes in for our UDP, TCP, TLS and QUIC ports, by
    /// PCP, NAT-PMP or UPnP, as long as this mesh runs: strangers outside can then reach this host on
    /// these ports. Off by default. What came of it: [`Mesh::port_mapping`](crate::Mesh::port_mapping)
    /// and [`MeshEvent::PortMapping`](crate::MeshEvent::PortMapping).
    #[must_use]
    fn port_mapping(self, on: bool) -> Self;
}

impl BuilderPortMappingExt for Builder {
    fn port_mapping(self, on: bool) -> Self {
        match on {
            true => self.port_mapper(AtGateway),
            false => self,
        }
    }
}

/// Maps at the gateway.
struct AtGateway;

#[async_trait::async_trait]
impl PortMapper for AtGateway {
    async fn run(self: Box<Self>, surroundings: Surroundings) {
        let mut mapper = Mapper::new();
        tokio::select! {
            () = surroundings.closing() => {}
            () = keep(&mut mapper, &surroundings) => {}
        }
        mapper.release().await;
    }
}

/// Keeps ports mapped for ever.
async fn keep(mapper: &mut Mapper, surroundings: &Surroundings) {
    loop {
        let paths = surroundings.paths();
        let ports: Vec<Port> = paths.iter().filter_map(port).collect();
        let report = mapper.keep(&ports).await;
        let pause = report.again_in;
        surroundings.tell(told(&paths, &report));
        tokio::time::sleep(CALM).await;
        tokio::select! {
            () = surroundings.changed() => {}
            () = tokio::time::sleep(pause.saturating_sub(CALM)) => {}
        }
    }
}

/// The port that a path of ours leads to.
fn port(path: &Path) -> Option<Port> {
    let (protocol, address) = match path {
        Path::Udp4(address) | Path::Quic4(address) => (Protocol::Udp, *address),
        Path::Tcp4(address) | Path::Tls4(address) => (Protocol::Tcp, *address),
        _ => return None,
    };
    Some(Port { protocol, address })
}

fn told(paths: &[Path], report: &Report) -> PortMapping {
    let mapped = |mapping: &Mapping| {
        let inner = paths.iter().find(|path| port(path) == Some(mapping.port))?;
        Some(MappedPort {
            inner: inner.clone(),
            outer: outside(inner, mapping.external.into()),
            method: mapping.method.name(),
        })
    };
    PortMapping {
        ports: report.mappings.iter().filter_map(mapped).collect(),
        problem: report.problem.as_ref().map(ToString::to_string),
    }
}

/// The same kind of path at another address.
fn outside(inner: &Path, address: SocketAddr) -> Path {
    match inner {
        Path::Quic4(_) => Path::quic(address),
        Path::Tcp4(_) => Path::tcp(address),
        Path::Tls4(_) => Path::tls(address),
        _ => Path::udp(address),
    }
}
