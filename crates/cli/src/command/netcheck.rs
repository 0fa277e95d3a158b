//! `mesh netcheck`: what the network lets through to us.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mesh::portmap::{Answer, probe};
use mesh::{Link, Path, UdpConfig, UdpTransport};
use tokio::time::{Instant, sleep};

use crate::args::Netcheck;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::nat::judge;
use crate::record::{GatewayRecord, NetcheckRecord, Record, SeenRecord, SocketRecord, show_path};
use crate::report::Report;

/// How many routers it takes to tell one NAT from another.
const WITNESSES: usize = 2;

/// How often it is looked whether they have told.
const LOOK: Duration = Duration::from_millis(50);

/// Waits a while for routers to tell where they see us, and reports everything at once.
pub(crate) async fn perform(
    endpoint: &Endpoint,
    options: &Netcheck,
    report: &mut Report,
) -> Outcome {
    let routers = endpoint.mesh.routers();
    let wanted = WITNESSES.min(routers.len());
    let end = Instant::now() + options.wait;
    while seen(endpoint).len() < wanted && Instant::now() < end {
        sleep(LOOK).await;
    }
    let seen = seen(endpoint);
    let paths = endpoint.mesh.local_paths();
    let own: Vec<SocketAddr> = paths.iter().filter_map(udp).collect();
    let at: Vec<SocketAddr> = seen.iter().map(|(_, address)| *address).collect();
    let verdict = judge(&own, &at);
    let has = |usable: fn(&IpAddr) -> bool| {
        let mut ips = paths
            .iter()
            .filter_map(|path| Some(path.socket_addr()?.ip()));
        ips.any(|ip| usable(&ip))
    };
    let record = NetcheckRecord {
        paths: paths.iter().map(show_path).collect(),
        ipv4: has(|ip| ip.is_ipv4() && !ip.is_loopback()),
        ipv6: has(is_global_v6),
        nat: verdict.nat,
        keeps_port: verdict.keeps_port,
        routers: routers.len(),
        seen: seen
            .into_iter()
            .map(|(router, address)| SeenRecord { router, address })
            .collect(),
        port_mapping: endpoint.mesh.port_mapping().map(Into::into),
        gateway: match options.gateway {
            true => Some(gateway().await),
            false => None,
        },
        packet_size: largest_packet(endpoint),
        socket: socket().await?,
    };
    report.report(Record::Netcheck(Box::new(record))).await
}

/// Where each router of ours sees our UDP socket, in IPv4.
fn seen(endpoint: &Endpoint) -> Vec<(String, SocketAddr)> {
    let routers: BTreeSet<_> = endpoint.mesh.routers().into_iter().collect();
    let links = endpoint.mesh.links().into_iter();
    let routers = links.filter(|link| routers.contains(&link.hashname()));
    let of = |link: Link| {
        let at = link
            .seen_as()
            .iter()
            .filter_map(udp)
            .find(SocketAddr::is_ipv4)?;
        Some((link.hashname().to_string(), at))
    };
    routers.filter_map(of).collect()
}

fn udp(path: &Path) -> Option<SocketAddr> {
    match path {
        Path::Udp4(_) | Path::Udp6(_) => path.socket_addr(),
        _ => None,
    }
}

/// Neither of this host, nor of this network alone.
fn is_global_v6(ip: &IpAddr) -> bool {
    let IpAddr::V6(ip) = ip else { return false };
    !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local())
}

/// The largest packet that a direct UDP path of a link is known to carry.
fn largest_packet(endpoint: &Endpoint) -> Option<usize> {
    let links = endpoint.mesh.links();
    let pipes = links.iter().flat_map(Link::pipes);
    let proven = pipes.filter(|pipe| {
        pipe.validated && pipe.path.as_ref().is_some_and(|path| udp(path).is_some())
    });
    proven.map(|pipe| pipe.packet_size).max()
}

/// What the gateway says that it speaks.
async fn gateway() -> GatewayRecord {
    let Some(probe) = probe().await else {
        return GatewayRecord::default();
    };
    let mut record = GatewayRecord {
        address: Some(probe.gateway.address.to_string()),
        ..GatewayRecord::default()
    };
    for Answer { method, result } in probe.answers {
        match result {
            Ok(external) => {
                record.protocols.push(method.to_string());
                record.external = record.external.or(external.map(|ip| ip.to_string()));
            }
            Err(refusal) => record
                .refusals
                .push(format!("{method}: {}", refusal.reason)),
        }
    }
    record
}

/// What the system grants a UDP socket, found out with one that sends nothing.
async fn socket() -> Outcome<SocketRecord> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = UdpTransport::bind(&UdpConfig::at(loopback)).await;
    let support = socket.map_err(Failure::failed)?.support();
    Ok(SocketRecord {
        asked: support.asked,
        send: support.send_buffer,
        receive: support.receive_buffer,
        send_segments: support.send_segments,
        receive_segments: support.receive_segments,
    })
}
