//! PCP and its predecessor NAT-PMP.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::pcp::{self, BaseMapRequest, DropMappingRange, Nonce};
use crab_nat::{
    InternetProtocol, PortMapping, PortMappingOptions, PortMappingType, TimeoutConfig, natpmp,
};

use crate::ask::{Grant, Handle, refused};
use crate::error::Refusal;
use crate::limits::LEASE;
use crate::port::{Gateway, Method, Port, Protocol};

/// A gateway is next door: what it does not answer within two seconds, asked three times, it will not.
const TIMING: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: None,
};

/// A port that nobody listens on.
const DISCARD: u16 = 9;

/// Asks by PCP.
///
/// The nonce is that of all our mappings: a gateway refuses whoever comes with another.
pub(crate) async fn map(
    gateway: Gateway,
    port: Port,
    last: Option<Grant>,
    nonce: Nonce,
) -> Result<Grant, Refusal> {
    let base = BaseMapRequest::new(
        gateway.address.into(),
        gateway.local.into(),
        protocol(port),
        number(Method::Pcp, port.address.port())?,
    );
    let known = match last.map(|last| last.handle) {
        Some(Handle::Pcp { nonce, external }) => Some((nonce, external)),
        _ => None,
    };
    let (known, external) = known.unzip();
    let nonce = Some(known.unwrap_or(nonce));
    let mapping = pcp::port_mapping(base, nonce, external, options(port, last)).await;
    let mapping = mapping.map_err(refused(Method::Pcp))?;
    let PortMappingType::Pcp {
        nonce, external_ip, ..
    } = mapping.mapping_type()
    else {
        return Err(Refusal::new(Method::Pcp, "the answer is none of PCP"));
    };
    let IpAddr::V4(ip) = external_ip.to_canonical() else {
        return Err(Refusal::new(
            Method::Pcp,
            "the outer address is not of IPv4",
        ));
    };
    let handle = Handle::Pcp {
        nonce,
        external: ip.into(),
    };
    grant(&mapping, ip.into(), handle)
}

/// Gives back what PCP granted.
pub(crate) async fn unmap(gateway: Gateway, port: Port, nonce: Nonce) -> Result<(), Refusal> {
    let range = DropMappingRange::Single {
        protocol: protocol(port),
        internal_port: number(Method::Pcp, port.address.port())?,
    };
    let (address, local) = (gateway.address.into(), gateway.local.into());
    let dropped = pcp::try_drop_mapping(address, local, nonce, range, Some(TIMING)).await;
    dropped.map_err(refused(Method::Pcp))
}

/// Whether the gateway speaks PCP: it is asked to end a mapping of the discard port that nobody asked
/// for, which it agrees to.
pub(crate) async fn probe(gateway: Gateway) -> Result<(), Refusal> {
    let port = Port {
        protocol: Protocol::Udp,
        address: SocketAddrV4::new(gateway.local, DISCARD),
    };
    unmap(gateway, port, fresh_nonce()?).await
}

pub(crate) fn fresh_nonce() -> Result<Nonce, Refusal> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(refused(Method::Pcp))?;
    let part = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| nonce[at + byte]));
    Ok([part(0), part(4), part(8)])
}

/// The outer address, as NAT-PMP tells it.
pub(crate) async fn natpmp_external(gateway: Gateway) -> Result<Ipv4Addr, Refusal> {
    let external = natpmp::external_address(gateway.address.into(), Some(TIMING)).await;
    external.map_err(refused(Method::NatPmp))
}

/// Asks by NAT-PMP.
pub(crate) async fn natpmp_map(
    gateway: Gateway,
    port: Port,
    last: Option<Grant>,
) -> Result<Grant, Refusal> {
    let refused = refused(Method::NatPmp);
    let address = gateway.address.into();
    let external = natpmp_external(gateway).await?;
    let number = number(Method::NatPmp, port.address.port())?;
    let mapping = natpmp::port_mapping(address, protocol(port), number, options(port, last)).await;
    grant(&mapping.map_err(refused)?, external.into(), Handle::NatPmp)
}

/// Gives back what NAT-PMP granted.
pub(crate) async fn natpmp_unmap(gateway: Gateway, port: Port) -> Result<(), Refusal> {
    let number = number(Method::NatPmp, port.address.port())?;
    let address = gateway.address.into();
    let dropped =
        natpmp::try_drop_mapping(address, protocol(port), Some(number), Some(TIMING)).await;
    dropped.map_err(refused(Method::NatPmp))
}

fn grant(mapping: &PortMapping, ip: IpAddr, handle: Handle) -> Result<Grant, Refusal> {
    let IpAddr::V4(ip) = ip else {
        return Err(Refusal::new(
            handle.method(),
            "the outer address is not of IPv4",
        ));
    };
    Ok(Grant {
        external: SocketAddrV4::new(ip, mapping.external_port().get()),
        lifetime: Duration::from_secs(mapping.lifetime().into()),
        handle,
    })
}

fn options(port: Port, last: Option<Grant>) -> PortMappingOptions {
    let wish = last.map_or(port.address.port(), |last| last.external.port());
    PortMappingOptions {
        external_port: NonZeroU16::new(wish),
        lifetime_seconds: u32::try_from(LEASE.as_secs()).ok(),
        timeout_config: Some(TIMING),
    }
}

fn protocol(port: Port) -> InternetProtocol {
    match port.protocol {
        Protocol::Udp => InternetProtocol::Udp,
        Protocol::Tcp => InternetProtocol::Tcp,
    }
}

fn number(method: Method, port: u16) -> Result<NonZeroU16, Refusal> {
    NonZeroU16::new(port).ok_or_else(|| Refusal::new(method, "port 0 cannot be mapped"))
}
