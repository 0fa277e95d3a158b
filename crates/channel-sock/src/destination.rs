//! Where a tunnel leads, as people write it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

/// Limit: bytes of a host name. A longer one is no destination: DNS has none.
pub const MAX_HOST: usize = 253;

/// A host, by name or address, and a port.
///
/// ```
/// use telehash_channel_sock::Destination;
///
/// let by_name: Destination = "db.example:5432".parse().unwrap();
/// let by_address: Destination = "[::1]:22".parse().unwrap();
/// assert_eq!(by_name.to_string(), "db.example:5432");
/// assert_eq!(by_address.port(), 22);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    host: Host,
    port: u16,
}

/// A name or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, in lower case.
    Name(String),
    /// Whatever the other side chooses: only to bind.
    Any,
}

/// Why something is no destination. Malformed input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// There is no port.
    #[error("`{0}` has no port: write it as HOST:PORT")]
    NoPort(String),
    /// The port is none.
    #[error("`{0}` is no port: one is a number from 0 to 65535")]
    Port(String),
    /// The host is none.
    #[error(
        "`{0}` is no host: it takes an address, or a name of letters, digits, dots and hyphens"
    )]
    Host(String),
}

impl Destination {
    /// This host and port.
    ///
    /// # Errors
    /// The host is neither an address nor a name.
    pub fn new(host: &str, port: u16) -> Result<Self, DestinationError> {
        Ok(Self {
            host: host.parse()?,
            port,
        })
    }

    /// Only a port: to bind, on all of the peer's addresses that its policy allows.
    #[must_use]
    pub fn any(port: u16) -> Self {
        Self {
            host: Host::Any,
            port,
        }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: Host::Ip(address.ip()),
            port: address.port(),
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| DestinationError::NoPort(shortened(text)))?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits);
        let port = port.ok_or_else(|| DestinationError::Port(shortened(text)))?;
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(DestinationError::Host(shortened(host)));
        }
        Self::new(host, port)
    }
}

impl FromStr for Host {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let bracketed = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bracketed {
            return match inner.parse::<Ipv6Addr>() {
                Ok(ip) => Ok(Self::Ip(ip.into())),
                Err(_) => Err(DestinationError::Host(shortened(text))),
            };
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        if !is_name(text) {
            return Err(DestinationError::Host(shortened(text)));
        }
        Ok(Self::Name(text.trim_end_matches('.').to_ascii_lowercase()))
    }
}

/// Whether it can be looked up and is not another spelling of an address: `127.1` or `0x7f000001`
/// are addresses to a resolver.
fn is_name(text: &str) -> bool {
    let labels = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let chars = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(chars)
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    text.len() <= MAX_HOST
        && labels.split('.').all(label)
        && !last.starts_with(|c: char| c.is_ascii_digit())
}

/// For an error message, whatever was sent.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{port}"),
            Host::Any => write!(f, "*:{port}"),
        }
    }
}
