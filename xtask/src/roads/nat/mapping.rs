//! A stranger reaches an endpoint behind a NAT that nobody else could, by a port that the NAT maps: it
//! has rules of nftables for that, made and taken away by a mapping server as it is asked.

use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use telehash_portmap::server::{self, Change, Description, Temper};
use telehash_portmap::{Method, Protocol};

use super::super::endpoint::{Endpoint, accept};
use super::super::net::{Namespace, join};
use super::super::patient;
use super::UP;
use super::network::Nats;
use crate::process;

/// The NAT of A, inside and outside.
const INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// A inside.
const INNER: &str = "192.168.1.2";

/// What is mapped: what comes in for these ports goes to these addresses inside, and may.
const TABLE: &str = "table ip mapped {
    map udp_ports { type inet_service : ipv4_addr . inet_service; }
    map tcp_ports { type inet_service : ipv4_addr . inet_service; }
    chain in {
        type nat hook prerouting priority dstnat;
        iifname wan dnat to udp dport map @udp_ports
        iifname wan dnat to tcp dport map @tcp_ports
    }
}
table ip firewall {
    chain forward {
        ct status dnat accept
    }
}";

pub(super) fn pcp(nats: &Nats) -> Result<String> {
    mapped(nats, Method::Pcp)
}

pub(super) fn nat_pmp(nats: &Nats) -> Result<String> {
    mapped(nats, Method::NatPmp)
}

pub(super) fn upnp(nats: &Nats) -> Result<String> {
    mapped(nats, Method::Upnp)
}

/// B, a stranger without a router, links to A by the mapped port, over UDP and TCP. Once A has ended,
/// nothing is mapped.
fn mapped(nats: &Nats, method: Method) -> Result<String> {
    let nat = nats.nat()?;
    serve(nat, method)?;
    expect_found(nats, method)?;
    ensure!(!rules(nat)?.contains(INNER), "looking mapped something");
    let words = [["--portmap".into()].as_slice(), &accept("all")].concat();
    let a = Endpoint::start(&nats.place, &nats.a, "a", &["udp", "tcp"], &words)?;
    let start = Instant::now();
    let ports = a.expect_mapped()?;
    let took = start.elapsed();
    ensure!(rules(nat)?.matches(INNER).count() == 2, "no rules");
    for outer in &ports {
        link(nats, &a, outer)?;
    }
    a.stop()?;
    let left = rules(nat)?;
    ensure!(!left.contains(INNER), "a rule is left: {left}");
    Ok(format!(
        "{} after {:.2} s, linked by each, taken back at the end",
        ports.join(" and "),
        took.as_secs_f32()
    ))
}

/// Has `mesh netcheck` find out that the NAT speaks this, and no more.
fn expect_found(nats: &Nats, method: Method) -> Result<()> {
    let mut netcheck = nats.a.command(&nats.place.program);
    netcheck.args(["netcheck", "--gateway", "--json", "--id"]);
    netcheck.arg(nats.place.path("netcheck.json"));
    let done = process::finish(&mut netcheck, patient(4 * UP))?;
    ensure!(done.code == Some(0), "netcheck: {}", done.last_error_line());
    let lines = done.json_lines();
    let found = lines.first().context("netcheck says nothing")?;
    let protocols = &found["gateway"]["protocols"];
    ensure!(
        *protocols == serde_json::json!([method.name()]),
        "netcheck: {found}"
    );
    Ok(())
}

/// Runs a mapping server of this method on the NAT, which follows it.
fn serve(nat: &Namespace, method: Method) -> Result<()> {
    nat.nft(TABLE)?;
    let description = Description {
        address: INSIDE,
        external: OUTSIDE,
        methods: vec![method],
        temper: Temper::Good,
        location: None,
        epoch: 1000,
    };
    let at = nat.clone();
    // Groups are heard where a route leads.
    nat.ip("route add 224.0.0.0/4 dev lan")?;
    join(nat.inside(move || {
        server::start(description, move |change| {
            if let Err(error) = follow(&at, change) {
                eprintln!("the NAT did not follow: {error:#}");
            }
        })
        .context("no mapping server")
    }))
}

fn follow(nat: &Namespace, change: Change) -> Result<()> {
    let map = match change.port.protocol {
        Protocol::Udp => "udp_ports",
        Protocol::Tcp => "tcp_ports",
    };
    // Who takes a mapping back does not always name the port outside; it is the same here.
    let port = change.port.address.port();
    if change.lifetime == 0 {
        return nat.nft(&format!("delete element ip mapped {map} {{ {port} }}"));
    }
    ensure!(change.external == port, "another port outside: {change:?}");
    let address = change.port.address.ip();
    nat.nft(&format!(
        "add element ip mapped {map} {{ {port} : {address} . {port} }}"
    ))
}

fn rules(nat: &Namespace) -> Result<String> {
    let mut nft = nat.command("nft");
    crate::shell::output(nft.args(["list", "table", "ip", "mapped"]))
}

/// Has a new stranger link to A by nothing but this path of A.
fn link(nats: &Nats, a: &Endpoint, outer: &str) -> Result<()> {
    let (kind, address) = outer.split_once(' ').context("a path without address")?;
    let stranger = format!("stranger-{kind}");
    let b = Endpoint::start(
        &nats.place,
        &nats.b,
        &stranger,
        &["udp", "tcp"],
        &accept("all"),
    )?;
    let target = nats.place.path(&format!("by-{kind}.json"));
    std::fs::write(&target, only(a.link(), kind, address)?.to_string())?;
    let limit = patient(UP);
    let mut link = b.ask("link");
    link.arg(crate::endtoend::mesh::at_file(&target));
    link.args(["--wait", &limit.as_secs().to_string()]);
    let done = process::finish(&mut link, 2 * limit)?;
    ensure!(done.code == Some(0), "{outer}: {}", done.last_error_line());
    b.stop()
}

/// The link JSON of A with this path alone.
fn only(link: &Value, kind: &str, address: &str) -> Result<Value> {
    let Some((ip, port)) = address.rsplit_once(':') else {
        bail!("no port in {address}");
    };
    let mut link = link.clone();
    let port: u16 = port.parse()?;
    link["paths"] = serde_json::json!([{ "type": kind, "ip": ip, "port": port }]);
    Ok(link)
}
