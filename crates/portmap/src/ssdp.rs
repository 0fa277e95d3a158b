//! The search for the gateway's UPnP device.
//!
//! Whoever is on the network may answer a search, under any address, and igd-next fetches whatever
//! the answer names if it names its sender. So the search is ours: igd-next gets to hear only what
//! comes from the gateway's address, by a socket of this host, and may fetch from there alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use igd_next::SearchOptions;
use igd_next::aio::Gateway as Device;
use igd_next::aio::tokio::{Tokio, search_gateway};
use tokio::net::UdpSocket;

use crate::ask::refused;
use crate::error::Refusal;
use crate::port::{Gateway, Method};

/// Where devices hear searches.
const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);

/// What is searched for, most general first.
const TARGETS: [&str; 3] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// How long is waited for the answer; a gateway may take its time for a second.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of one answer; more would not fit into a packet.
const ANSWER: usize = 1500;

/// Finds the gateway's device and what it can do.
pub(crate) async fn search(gateway: Gateway) -> Result<Device<Tokio>, Refusal> {
    let refused = refused::<igd_next::SearchError>(Method::Upnp);
    let inner = bind(Ipv4Addr::LOCALHOST).await?;
    let relay = inner.local_addr().map_err(|error| refused(error.into()))?;
    let mut options = SearchOptions::default();
    options.bind_addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    options.broadcast_address = relay;
    options.timeout = Some(SEARCH_TIMEOUT);
    options.single_search_timeout = Some(SEARCH_TIMEOUT);
    options.allowed_gateway_ips = vec![IpAddr::V4(gateway.address)];
    let outer = bind(gateway.local).await?;
    tokio::select! {
        found = search_gateway(options) => found.map_err(refused),
        Err(error) = pass_answers(&inner, &outer, gateway.address) => Err(refused(error.into())),
    }
}

async fn bind(address: Ipv4Addr) -> Result<UdpSocket, Refusal> {
    let bound = UdpSocket::bind((address, 0)).await;
    bound.map_err(|error| Refusal::new(Method::Upnp, error))
}

/// Searches, and passes on to igd-next what the gateway answers. Ends with an error only.
async fn pass_answers(
    inner: &UdpSocket,
    outer: &UdpSocket,
    gateway: Ipv4Addr,
) -> std::io::Result<()> {
    let mut buffer = [0; ANSWER];
    let (_, library) = inner.recv_from(&mut buffer).await?;
    for target in TARGETS {
        let (ip, port) = GROUP;
        let text = format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {ip}:{port}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n"
        );
        outer.send_to(text.as_bytes(), GROUP).await?;
    }
    loop {
        let (length, from) = outer.recv_from(&mut buffer).await?;
        if from.ip() == IpAddr::V4(gateway) {
            inner.send_to(&buffer[..length], library).await?;
        }
    }
}
