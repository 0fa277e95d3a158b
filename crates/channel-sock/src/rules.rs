//! What may be allowed, as people write it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use thiserror::Error;

use crate::blocks;
use crate::destination::Host;

/// Destinations that peers may reach: `CIDR`, `CIDR:PORT`, `CIDR:PORT-PORT`, `HOST:PORT`, `*:PORT`.
/// IPv6 before a port goes in brackets. `*` for a port is all of them.
///
/// Private, link-local (where metadata services are) and loopback addresses are allowed only by a
/// network that lies within such a block: neither `*` nor `0.0.0.0/0` covers them, and no name but
/// `localhost`, whatever it resolves to.
///
/// ```
/// use telehash_channel_sock::AllowRule;
///
/// for rule in ["10.1.0.0/16", "192.168.1.7:22", "[fd00::/8]:80-90", "db.example:5432", "*:443"] {
///     assert!(rule.parse::<AllowRule>().is_ok());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowRule {
    to: To,
    ports: RangeInclusive<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum To {
    Everywhere,
    Net(IpNet),
    Name(String),
}

/// Ports of ours that peers may bind: `PORT`, `PORT-PORT`, `IP:PORT`, `IP:PORT-PORT`, `*:PORT`.
///
/// Without an address that is 127.0.0.1; `*` is every interface. Port 0 stands for any free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindRule {
    ip: IpAddr,
    ports: RangeInclusive<u16>,
}

/// Why something is no rule. Malformed input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no rule: it takes CIDR, CIDR:PORT, CIDR:PORT-PORT, HOST:PORT or *:PORT")]
pub struct RuleError(String);

impl AllowRule {
    /// Whether it allows this address, which a destination given by `name` came to.
    pub(crate) fn allows(&self, name: Option<&str>, ip: IpAddr, port: u16) -> bool {
        if !self.ports.contains(&port) || blocks::is_nobody(ip) {
            return false;
        }
        let guarded = blocks::is_guarded(ip);
        match &self.to {
            To::Everywhere => !guarded,
            To::Net(net) => net.contains(&ip) && (!guarded || blocks::names_guarded(net)),
            To::Name(allowed) => {
                name == Some(allowed.as_str())
                    && (!guarded || (allowed == "localhost" && ip.is_loopback()))
            }
        }
    }

    /// Whether it may allow this port of this name, once that is resolved.
    pub(crate) fn may_allow(&self, name: &str, port: u16) -> bool {
        let names = match &self.to {
            To::Name(allowed) => allowed == name,
            To::Everywhere | To::Net(_) => true,
        };
        names && self.ports.contains(&port)
    }
}

impl FromStr for AllowRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let parsed = match network(text) {
            Some(net) => Some((To::Net(net), 0..=u16::MAX)),
            None => text
                .rsplit_once(':')
                .and_then(|(to, ports)| Some((place(to)?, range(ports)?))),
        };
        let (to, ports) = parsed.ok_or_else(|| RuleError(text.to_owned()))?;
        Ok(Self { to, ports })
    }
}

impl BindRule {
    /// Where to listen for whoever asks for this.
    pub(crate) fn allows(&self, asked: &Host, port: u16) -> Option<IpAddr> {
        if !self.ports.contains(&port) {
            return None;
        }
        match asked {
            Host::Any => Some(self.ip),
            Host::Ip(ip) => (self.ip == *ip || self.ip.is_unspecified()).then_some(*ip),
            Host::Name(name) if name == "localhost" => {
                let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
                (self.ip == loopback || self.ip.is_unspecified()).then_some(loopback)
            }
            Host::Name(_) => None,
        }
    }
}

impl FromStr for BindRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (ip, ports) = match text.rsplit_once(':') {
            None => (Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), text),
            Some(("*", ports)) => (Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), ports),
            Some((ip, ports)) => (unbracketed(ip).parse().ok(), ports),
        };
        let parsed = ip.and_then(|ip| Some((ip, range(ports)?)));
        let (ip, ports) = parsed.ok_or_else(|| RuleError(text.to_owned()))?;
        Ok(Self { ip, ports })
    }
}

fn place(text: &str) -> Option<To> {
    if text == "*" {
        return Some(To::Everywhere);
    }
    if text.contains(':') && !text.starts_with('[') {
        return None;
    }
    if let Some(net) = network(text) {
        return Some(To::Net(net));
    }
    match text.parse().ok()? {
        Host::Name(name) => Some(To::Name(name)),
        Host::Ip(_) | Host::Any => None,
    }
}

/// A network, or an address, which is a small one.
fn network(text: &str) -> Option<IpNet> {
    let text = unbracketed(text);
    let net: Option<IpNet> = text.parse().ok();
    net.or_else(|| text.parse().ok().map(|ip: IpAddr| ip.to_canonical().into()))
}

fn unbracketed(text: &str) -> &str {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(text)
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "*" {
        return Some(0..=u16::MAX);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.parse().ok()?..=last.parse().ok()?;
    (!range.is_empty()).then_some(range)
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            To::Everywhere => write!(f, "*"),
            To::Net(net @ IpNet::V4(_)) => net.fmt(f),
            To::Net(net) => write!(f, "[{net}]"),
            To::Name(name) => f.write_str(name),
        }?;
        match (*self.ports.start(), *self.ports.end()) {
            (0, u16::MAX) => write!(f, ":*"),
            (first, last) if first == last => write!(f, ":{first}"),
            (first, last) => write!(f, ":{first}-{last}"),
        }
    }
}
