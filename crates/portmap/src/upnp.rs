//! UPnP: HTTP and XML with the gateway.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use igd_next::aio::Gateway as Device;
use igd_next::aio::tokio::Tokio;
use igd_next::{AddPortError, PortMappingProtocol};

use crate::ask::{Grant, Handle, refused};
use crate::error::Refusal;
use crate::limits::LEASE;
use crate::port::{Gateway, Method, Port, Protocol};
use crate::ssdp::search;

/// What the gateway shows its owner.
const DESCRIPTION: &str = "telehash";

/// For ever: some gateways know no other lease.
const PERMANENT: u32 = 0;

/// The device that was found last, of which gateway.
#[derive(Debug, Default)]
pub(crate) struct Upnp {
    found: Option<(Gateway, Device<Tokio>)>,
}

impl Upnp {
    pub(crate) async fn map(
        &mut self,
        gateway: Gateway,
        port: Port,
        last: Option<Grant>,
    ) -> Result<Grant, Refusal> {
        let device = self.device(gateway).await?;
        let mapped = map_at(&device, port, last).await;
        if mapped.is_err() {
            // It may have restarted, and be found elsewhere.
            self.found = None;
        }
        mapped
    }

    pub(crate) async fn unmap(
        &mut self,
        gateway: Gateway,
        port: Port,
        external: u16,
    ) -> Result<(), Refusal> {
        let device = self.device(gateway).await?;
        let removed = device.remove_port(protocol(port), external).await;
        removed.map_err(refused(Method::Upnp))
    }

    /// The outer address.
    pub(crate) async fn external(&mut self, gateway: Gateway) -> Result<Ipv4Addr, Refusal> {
        external_of(&self.device(gateway).await?).await
    }

    async fn device(&mut self, gateway: Gateway) -> Result<Device<Tokio>, Refusal> {
        if let Some((of, device)) = &self.found
            && *of == gateway
        {
            return Ok(device.clone());
        }
        let device = search(gateway).await?;
        self.found = Some((gateway, device.clone()));
        Ok(device)
    }
}

async fn external_of(device: &Device<Tokio>) -> Result<Ipv4Addr, Refusal> {
    let external = device.get_external_ip().await;
    match external.map_err(refused(Method::Upnp))? {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(_) => Err(Refusal::new(
            Method::Upnp,
            "the outer address is not of IPv4",
        )),
    }
}

async fn map_at(device: &Device<Tokio>, port: Port, last: Option<Grant>) -> Result<Grant, Refusal> {
    let ip = external_of(device).await?;
    let wish = last.map_or(port.address.port(), |last| last.external.port());
    let number = add(device, port, wish).await?;
    Ok(Grant {
        external: SocketAddrV4::new(ip, number),
        lifetime: LEASE,
        handle: Handle::Upnp,
    })
}

/// Has it map a port, the wished one if it is free, and returns which it is.
async fn add(device: &Device<Tokio>, port: Port, wish: u16) -> Result<u16, Refusal> {
    let protocol = protocol(port);
    let local = SocketAddr::V4(port.address);
    let lease = u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX);
    let added = device
        .add_port(protocol, wish, local, lease, DESCRIPTION)
        .await;
    match added {
        Ok(()) => Ok(wish),
        Err(AddPortError::OnlyPermanentLeasesSupported) => {
            let added = device.add_port(protocol, wish, local, PERMANENT, DESCRIPTION);
            added.await.map_err(refused(Method::Upnp))?;
            Ok(wish)
        }
        Err(AddPortError::PortInUse) => {
            let added = device.add_any_port(protocol, local, lease, DESCRIPTION);
            added.await.map_err(refused(Method::Upnp))
        }
        Err(error) => Err(refused(Method::Upnp)(error)),
    }
}

fn protocol(port: Port) -> PortMappingProtocol {
    match port.protocol {
        Protocol::Udp => PortMappingProtocol::UDP,
        Protocol::Tcp => PortMappingProtocol::TCP,
    }
}
