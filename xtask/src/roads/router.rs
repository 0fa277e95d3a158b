//! The router between the hosts: it forwards, counts, and makes trouble in silence, as a bad network does.

use anyhow::{Context, Result};
use serde_json::Value;

use super::net::{Host, Namespace};
use crate::shell;

/// The least MTU that IPv6 promises, and what the router counts long packets by.
pub(super) const LEAST_MTU: u32 = 1280;

/// Counts what gets through. Rules that drop something go to `cut`, for what is forwarded, and to `quiet`, for what the
/// router itself says.
const TABLE: &str = "table inet roads {
    counter passed_udp {}
    counter passed_tcp {}
    counter passed_long {}
    chain cut {}
    chain quiet {}
    chain forward {
        type filter hook forward priority 0;
        jump cut
        meta length > 1280 counter name passed_long
        meta l4proto udp counter name passed_udp
        meta l4proto tcp counter name passed_tcp
    }
    chain output {
        type filter hook output priority 0;
        jump quiet
    }
}";

/// The router.
pub(super) struct Router {
    pub(super) namespace: Namespace,
}

/// Bytes that it forwarded, IP headers included, and bytes of packets that are longer than the least MTU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) udp: u64,
    pub(super) tcp: u64,
    pub(super) long: u64,
}

impl Router {
    /// Makes a router of a namespace.
    pub(super) fn new(namespace: Namespace) -> Result<Self> {
        namespace.forward()?;
        namespace.nft(TABLE)?;
        Ok(Self { namespace })
    }

    /// Drops every UDP packet, in both directions.
    pub(super) fn cut_udp(&self) -> Result<()> {
        self.namespace
            .nft("add rule inet roads cut meta l4proto udp drop")
    }

    /// Drops nothing any more.
    pub(super) fn mend(&self) -> Result<()> {
        self.namespace.nft("flush chain inet roads cut")
    }

    /// Keeps from now on to itself what it would say by ICMP.
    pub(super) fn say_nothing(&self) -> Result<()> {
        self.namespace
            .nft("add rule inet roads quiet meta l4proto icmp drop")
    }

    /// Takes only packets of up to the least MTU to `host`. A smaller MTU of the interface would bound what comes from
    /// there as well, and drop it without a word.
    pub(super) fn narrow(&self, host: &Host) -> Result<()> {
        self.namespace.ip(&format!(
            "route change {} dev {} mtu lock {LEAST_MTU}",
            host.network(),
            host.interface_of_router()
        ))
    }

    /// What got through so far.
    pub(super) fn passed(&self) -> Result<Passed> {
        let mut nft = self.namespace.command("nft");
        let text = shell::output(nft.args(["--json", "list", "counters"]))?;
        let counters: Value = serde_json::from_str(&text)?;
        let bytes = |name: &str| {
            let list = counters["nftables"].as_array()?;
            let mut counters = list.iter().map(|entry| &entry["counter"]);
            let counter = counters.find(|counter| counter["name"] == name)?;
            counter["bytes"].as_u64()
        };
        Ok(Passed {
            udp: bytes("passed_udp").context("nft lists no counter of UDP")?,
            tcp: bytes("passed_tcp").context("nft lists no counter of TCP")?,
            long: bytes("passed_long").context("nft lists no counter of long packets")?,
        })
    }
}

impl Passed {
    /// What got through since.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            udp: self.udp - earlier.udp,
            tcp: self.tcp - earlier.tcp,
            long: self.long - earlier.long,
        }
    }
}
