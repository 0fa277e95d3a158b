//! What `mesh netcheck` found.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{PortMappingRecord, short};
use crate::nat::Nat;

/// Everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NetcheckRecord {
    /// Where we may be reached, as far as we know.
    pub(crate) paths: Vec<String>,
    /// Whether we have an address in IPv4 that is not of this host alone.
    pub(crate) ipv4: bool,
    /// Whether we have a global one in IPv6.
    pub(crate) ipv6: bool,
    pub(crate) nat: Nat,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) keeps_port: Option<bool>,
    /// How many routers we use.
    pub(crate) routers: usize,
    /// Where they see us.
    pub(crate) seen: Vec<SeenRecord>,
    /// If the endpoint has ports mapped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) port_mapping: Option<PortMappingRecord>,
    /// If the gateway was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) gateway: Option<GatewayRecord>,
    /// Bytes of the largest packet that UDP is known to carry on a link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) packet_size: Option<usize>,
    pub(crate) socket: SocketRecord,
}

/// Where a router sees us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenRecord {
    pub(crate) router: String,
    pub(crate) address: SocketAddr,
}

/// What a gateway speaks, without having mapped anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GatewayRecord {
    /// None if there is no gateway.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) address: Option<String>,
    pub(crate) protocols: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) external: Option<String>,
    /// Why it does not by the others.
    pub(crate) refusals: Vec<String>,
}

/// What the system grants a UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SocketRecord {
    /// Bytes of buffer that are asked for, to send and to receive.
    pub(crate) asked: usize,
    pub(crate) send: usize,
    pub(crate) receive: usize,
    /// Packets that one system call takes; 1 without offload.
    pub(crate) send_segments: usize,
    pub(crate) receive_segments: usize,
}

impl fmt::Display for NetcheckRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, text: String| writeln!(f, "{name:<13} {text}");
        for path in &self.paths {
            row("path", path.clone())?;
        }
        row("IPv4", address(self.ipv4, "an address"))?;
        row("IPv6", address(self.ipv6, "a global address"))?;
        row("NAT", self.nat())?;
        for seen in &self.seen {
            row(
                "",
                format!("{} sees us at {}", short(&seen.router), seen.address),
            )?;
        }
        row("port mapping", self.port_mapping())?;
        row("packet size", self.packet_size())?;
        row("UDP buffers", self.socket.buffers())?;
        write!(f, "{:<13} {}", "UDP offload", self.socket.offload())
    }
}

fn address(has: bool, what: &str) -> String {
    match has {
        true => format!("there is {what}"),
        false => format!("none: this host does not have {what}, or nothing listens on it"),
    }
}

impl NetcheckRecord {
    fn nat(&self) -> String {
        let port = match self.keeps_port {
            Some(true) => ", and keeps the port",
            Some(false) => ", and changes the port",
            None => "",
        };
        match self.nat {
            Nat::None => "none: routers see us where we are".to_owned(),
            Nat::EndpointIndependent => {
                format!("endpoint-independent{port}: others can meet us where routers see us")
            }
            Nat::EndpointDependent => format!(
                "endpoint-dependent{port}: another port for each, so whoever is behind such a one, too, \
                 reaches us through a router only"
            ),
            Nat::Unknown => format!(
                "unknown: it takes two routers that tell where they see us; {} of {} told; name more with \
                 `mesh up --via ROUTER` or `mesh links router NAME`",
                self.seen.len(),
                self.routers
            ),
        }
    }

    fn port_mapping(&self) -> String {
        if let Some(mapping) = &self.port_mapping {
            return mapping.to_string().replace('\n', "; ");
        }
        match &self.gateway {
            None => "not looked for: --gateway asks the gateway, and maps nothing".to_owned(),
            Some(gateway) => gateway.to_string(),
        }
    }

    fn packet_size(&self) -> String {
        self.packet_size.map_or_else(
            || "unknown: no link goes by UDP; link to somebody far away".to_owned(),
            |bytes| format!("{bytes} bytes by UDP, as far as is proven"),
        )
    }
}

impl fmt::Display for GatewayRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(address) = &self.address else {
            return f.write_str(
                "no gateway: there is no default route in IPv4, or the system does not tell",
            );
        };
        if self.protocols.is_empty() {
            return write!(f, "none at {address} ({})", self.refusals.join("; "));
        }
        write!(f, "{} at {address}", self.protocols.join(", "))?;
        if let Some(external) = &self.external {
            write!(f, ", which is {external} outside")?;
        }
        f.write_str("; `mesh up --portmap` makes use of it")
    }
}

impl SocketRecord {
    fn buffers(&self) -> String {
        let Self {
            asked,
            send,
            receive,
            ..
        } = self;
        let hint = match receive < asked || send < asked {
            true => "; raise net.core.rmem_max and net.core.wmem_max",
            false => "",
        };
        format!("{asked} bytes asked for, {send} granted to send, {receive} to receive{hint}")
    }

    fn offload(&self) -> String {
        format!(
            "{} packets a call to send (GSO), {} to receive (GRO)",
            self.send_segments, self.receive_segments
        )
    }
}
