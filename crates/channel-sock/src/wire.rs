//! What is said in packets (channel-types.md, "sock").

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value, json};

use crate::destination::{Destination, Host};

/// The `type` of the channel.
pub const TYPE: &str = "sock";

/// What an `err` says. JavaScript says nothing of the kind, and takes any.
pub(crate) mod refusal {
    pub(crate) const DENIED: &str = "denied";
    pub(crate) const BUSY: &str = "busy";
    pub(crate) const REFUSED: &str = "connection refused";
    pub(crate) const UNREACHABLE: &str = "unreachable";
    pub(crate) const TIMEOUT: &str = "timeout";
    pub(crate) const NO_SUCH_HOST: &str = "no such host";
    pub(crate) const IN_USE: &str = "address in use";
    pub(crate) const MALFORMED: &str = "bad request";
    pub(crate) const RESET: &str = "reset";
    pub(crate) const UNKNOWN_TYPE: &str = "unknown type";
}

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Connect(Destination),
    /// The address to listen on, if it names one, and the port.
    Bind(Destination),
    /// A connection came to a port that we bound: its port, and from where.
    Accept {
        port: u16,
        from: Option<SocketAddr>,
    },
}

/// Reads the head of an open.
pub(crate) fn parse(head: Option<&Map<String, Value>>) -> Option<Request> {
    let head = head?;
    let dst = head.get("dst");
    match head.get("sock")?.as_str()? {
        "connect" => {
            let to = destination(dst?)?;
            let usable = to.port() != 0 && *to.host() != Host::Any;
            usable.then_some(Request::Connect(to))
        }
        "bind" => {
            // JavaScript names the port in `dst`, others in `src`.
            let at = dst.or_else(|| head.get("src"))?;
            destination(at).map(Request::Bind)
        }
        "accept" => {
            let port = port(dst?)?;
            let from = head.get("src").and_then(origin);
            Some(Request::Accept { port, from })
        }
        _ => None,
    }
}

/// The place that a bind's answer names.
pub(crate) fn bound(head: Option<&Map<String, Value>>) -> Option<SocketAddr> {
    let dst = head?.get("dst")?;
    let unspecified = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let ip = ip(dst).unwrap_or(unspecified);
    Some(SocketAddr::new(ip, port(dst).filter(|port| *port != 0)?))
}

/// Where something came from; without a port if the peer tells none, as JavaScript does.
pub(crate) fn origin(value: &Value) -> Option<SocketAddr> {
    Some(SocketAddr::new(ip(value)?, port(value).unwrap_or(0)))
}

/// An address of a datagram.
pub(crate) fn destination(value: &Value) -> Option<Destination> {
    let port = port(value)?;
    match value.get("ip") {
        None | Some(Value::Null) => Some(Destination::any(port)),
        Some(host) => Destination::new(host.as_str()?, port).ok(),
    }
}

fn port(value: &Value) -> Option<u16> {
    u16::try_from(value.get("port")?.as_u64()?).ok()
}

fn ip(value: &Value) -> Option<IpAddr> {
    let ip: IpAddr = value.get("ip")?.as_str()?.parse().ok()?;
    Some(ip.to_canonical())
}

/// The head of an open.
pub(crate) fn connect(to: &Destination) -> Map<String, Value> {
    object(json!({ "sock": "connect", "dst": place(to) }))
}

/// JavaScript reads `dst` and throws without it.
pub(crate) fn bind(at: &Destination) -> Map<String, Value> {
    let place = place(at);
    object(json!({ "sock": "bind", "src": place, "dst": place }))
}

pub(crate) fn accept(local: SocketAddr, from: SocketAddr) -> Map<String, Value> {
    let (dst, src) = (place(&local.into()), place(&from.into()));
    object(json!({ "sock": "accept", "dst": dst, "src": src }))
}

/// The answer to a bind.
pub(crate) fn bound_at(local: SocketAddr) -> Map<String, Value> {
    object(json!({ "dst": place(&local.into()) }))
}

fn place(at: &Destination) -> Value {
    let port = at.port();
    match at.host() {
        Host::Ip(ip) => json!({ "ip": ip.to_string(), "port": port }),
        Host::Name(name) => json!({ "ip": name, "port": port }),
        Host::Any => json!({ "port": port }),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
