//! Three networks around one router of the internet: that of the mesh router, and those of the two ends.

use std::process::Command;

use anyhow::{Context, Result};

use super::super::net::Namespace;
use super::super::world::Place;
use crate::shell;

/// What is between an end and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// Nothing.
    Open,
    /// A NAT that keeps the port, whatever the destination, and lets only those in who were sent to.
    PortPreserving,
    /// A NAT that takes another port for each destination.
    RandomPort,
}

/// What a NAT does, beside changing addresses: who is in may send to anybody, and gets answers. What comes unasked is
/// dropped without a word, or it would be a connection, and in the way of the one that goes out.
const FIREWALL: &str = "table ip firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        iifname lan accept
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        iifname lan accept
        ct state established,related accept
    }
}";

/// The networks. Addresses are those for examples, and private ones behind NATs.
pub(in super::super) struct Nats {
    pub(super) place: Place,
    /// Where the mesh router is.
    pub(super) router: Namespace,
    /// Where the two ends are.
    pub(super) a: Namespace,
    pub(super) b: Namespace,
    /// The NATs that there are.
    nats: Vec<Namespace>,
}

impl Nats {
    /// Makes them.
    pub(in super::super) fn new(place: Place, a: Kind, b: Kind) -> Result<Self> {
        let name = &place.name;
        let internet = Namespace::add(&format!("{name}-internet"))?;
        internet.forward()?;
        let host = |role: &str| Namespace::add(&format!("{name}-{role}"));
        let router = host("router")?;
        attach(&internet, "to-router", &router, "wan", "192.0.2")?;
        let mut nats = Vec::new();
        let mut end = |role: &str, kind: Kind, network: &str, private: &str| -> Result<Namespace> {
            let end = host(role)?;
            let cable = format!("to-{role}");
            if kind == Kind::Open {
                attach(&internet, &cable, &end, "wan", network)?;
            } else {
                let nat = host(&format!("{role}-nat"))?;
                attach(&internet, &cable, &nat, "wan", network)?;
                attach(&nat, "lan", &end, "eth0", private)?;
                translate(&nat, kind)?;
                nats.push(nat);
            }
            Ok(end)
        };
        let a = end("a", a, "198.51.100", "192.168.1")?;
        let b = end("b", b, "203.0.113", "192.168.2")?;
        Ok(Self {
            place,
            router,
            a,
            b,
            nats,
        })
    }

    /// The first of them.
    pub(super) fn nat(&self) -> Result<&Namespace> {
        self.nats.first().context("no end is behind a NAT")
    }

    /// Has the NATs forget whom they know.
    pub(super) fn forget(&self) -> Result<()> {
        for nat in &self.nats {
            let mut conntrack: Command = nat.command("conntrack");
            shell::output(conntrack.arg("--flush"))?;
        }
        Ok(())
    }
}

/// Puts `host` on a network with the first three bytes `network`, whose first address is `gateway`'s.
fn attach(
    gateway: &Namespace,
    cable: &str,
    host: &Namespace,
    interface: &str,
    network: &str,
) -> Result<()> {
    gateway.connect(cable, host, interface)?;
    gateway.ip(&format!("address add {network}.1/24 dev {cable}"))?;
    host.ip(&format!("address add {network}.2/24 dev {interface}"))?;
    host.ip(&format!("route add default via {network}.1"))
}

/// Makes a NAT of it.
fn translate(nat: &Namespace, kind: Kind) -> Result<()> {
    let ports = match kind {
        Kind::Open | Kind::PortPreserving => "",
        Kind::RandomPort => "fully-random",
    };
    nat.forward()?;
    nat.nft(FIREWALL)?;
    nat.nft(&format!(
        "table ip nat {{
            chain out {{
                type nat hook postrouting priority srcnat;
                oifname wan masquerade {ports}
            }}
        }}"
    ))
}
