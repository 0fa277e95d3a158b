//! Where an endpoint may be reached (transports.md).

use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::Hashname;
use crate::json::{self, JsonError};

/// Longest path in bytes of JSON text that [`Path::from_str`] reads; longer is refused with
/// [`JsonError::TooLong`].
pub const MAX_PATH_JSON_LEN: usize = 1024;

/// One way to reach an endpoint, as its JSON description says it: `{"type":"udp4","ip":…,"port":…}`.
///
/// [`Path::from_json`] takes whatever has a `type`. A kind that is not known here, or a known kind
/// whose fields cannot be used, stays [`Path::Unknown`] word for word: it is passed on and
/// otherwise ignored. Fields that a known kind does not define are dropped.
///
/// ```
/// use telehash_hashname::Path;
///
/// let path: Path = r#"{"type":"udp4","ip":"192.0.2.1","port":42424}"#.parse()?;
/// assert_eq!(path.socket_addr(), Some("192.0.2.1:42424".parse().unwrap()));
/// assert_eq!(path, Path::udp("192.0.2.1:42424".parse().unwrap()));
/// # Ok::<(), telehash_hashname::PathError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Path {
    /// UDP over IPv4.
    Udp4(SocketAddrV4),
    /// UDP over IPv6.
    Udp6(SocketAddrV6),
    /// Chunks over TCP on IPv4.
    Tcp4(SocketAddrV4),
    /// Chunks over TCP on IPv6.
    Tcp6(SocketAddrV6),
    /// QUIC over IPv4.
    Quic4(SocketAddrV4),
    /// QUIC over IPv6.
    Quic6(SocketAddrV6),
    /// TLS on TCP over IPv4.
    Tls4(SocketAddrV4),
    /// TLS on TCP over IPv6.
    Tls6(SocketAddrV6),
    /// The HTTP transport of browsers.
    Http {
        /// Where its server is.
        url: String,
    },
    /// Through another endpoint, a router.
    Peer {
        /// The router's hashname.
        hn: Hashname,
    },
    /// Anything else, kept as it came.
    Unknown(Map<String, Value>),
}

impl Path {
    /// A UDP path; `udp4` also for an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`).
    #[must_use]
    pub fn udp(addr: SocketAddr) -> Self {
        match canonical(addr) {
            SocketAddr::V4(addr) => Self::Udp4(addr),
            SocketAddr::V6(addr) => Self::Udp6(addr),
        }
    }

    /// A TCP path, see [`Path::udp`].
    #[must_use]
    pub fn tcp(addr: SocketAddr) -> Self {
        match canonical(addr) {
            SocketAddr::V4(addr) => Self::Tcp4(addr),
            SocketAddr::V6(addr) => Self::Tcp6(addr),
        }
    }

    /// A QUIC path, see [`Path::udp`].
    #[must_use]
    pub fn quic(addr: SocketAddr) -> Self {
        match canonical(addr) {
            SocketAddr::V4(addr) => Self::Quic4(addr),
            SocketAddr::V6(addr) => Self::Quic6(addr),
        }
    }

    /// A TLS path, see [`Path::udp`].
    #[must_use]
    pub fn tls(addr: SocketAddr) -> Self {
        match canonical(addr) {
            SocketAddr::V4(addr) => Self::Tls4(addr),
            SocketAddr::V6(addr) => Self::Tls6(addr),
        }
    }

    /// A path to the HTTP transport at `url`.
    #[must_use]
    pub fn http(url: impl Into<String>) -> Self {
        Self::Http { url: url.into() }
    }

    /// A path through the router `hn`.
    #[must_use]
    pub const fn peer(hn: Hashname) -> Self {
        Self::Peer { hn }
    }

    /// The `type` of the JSON description.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Udp4(_) => "udp4",
            Self::Udp6(_) => "udp6",
            Self::Tcp4(_) => "tcp4",
            Self::Tcp6(_) => "tcp6",
            Self::Quic4(_) => "quic4",
            Self::Quic6(_) => "quic6",
            Self::Tls4(_) => "tls4",
            Self::Tls6(_) => "tls6",
            Self::Http { .. } => "http",
            Self::Peer { .. } => "peer",
            Self::Unknown(json) => type_of(json).unwrap_or_default(),
        }
    }

    /// Address and port, for the kinds that have them.
    #[must_use]
    pub const fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Udp4(addr) | Self::Tcp4(addr) | Self::Quic4(addr) | Self::Tls4(addr) => {
                Some(SocketAddr::V4(*addr))
            }
            Self::Udp6(addr) | Self::Tcp6(addr) | Self::Quic6(addr) | Self::Tls6(addr) => {
                Some(SocketAddr::V6(*addr))
            }
            Self::Http { .. } | Self::Peer { .. } | Self::Unknown(_) => None,
        }
    }

    /// Whether this kind is known and its fields can be used.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// Reads a JSON description.
    ///
    /// # Errors
    ///
    /// [`PathError::NoType`] without a `type` that is a string, and only then: what cannot be used
    /// is [`Path::Unknown`].
    pub fn from_json(json: &Map<String, Value>) -> Result<Self, PathError> {
        let kind = type_of(json).ok_or(PathError::NoType)?;
        Ok(known(kind, json).unwrap_or_else(|| Self::Unknown(json.clone())))
    }

    /// The JSON description. An IPv6 scope has no place in it.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut json = Map::new();
        json.insert("type".into(), self.kind().into());
        match self {
            Self::Unknown(unknown) => return unknown.clone(),
            Self::Http { url } => json.insert("url".into(), url.as_str().into()),
            Self::Peer { hn } => json.insert("hn".into(), hn.to_string().into()),
            _ => self.socket_addr().and_then(|addr| {
                json.insert("ip".into(), addr.ip().to_string().into());
                json.insert("port".into(), addr.port().into())
            }),
        };
        json
    }
}

fn type_of(json: &Map<String, Value>) -> Option<&str> {
    json.get("type")?.as_str()
}

/// A path of a known kind whose fields can be used.
fn known(kind: &str, json: &Map<String, Value>) -> Option<Path> {
    let v4 = || match ip_port(json)? {
        (IpAddr::V4(ip), port) => Some(SocketAddrV4::new(ip, port)),
        (IpAddr::V6(_), _) => None,
    };
    let v6 = || match ip_port(json)? {
        (IpAddr::V6(ip), port) => Some(SocketAddrV6::new(ip, port, 0, 0)),
        (IpAddr::V4(_), _) => None,
    };
    match kind {
        "udp4" => v4().map(Path::Udp4),
        "udp6" => v6().map(Path::Udp6),
        "tcp4" => v4().map(Path::Tcp4),
        "tcp6" => v6().map(Path::Tcp6),
        "quic4" => v4().map(Path::Quic4),
        "quic6" => v6().map(Path::Quic6),
        "tls4" => v4().map(Path::Tls4),
        "tls6" => v6().map(Path::Tls6),
        "http" => json.get("url")?.as_str().map(Path::http),
        "peer" => {
            // Some JS versions write `peer` for `hn`.
            let text = json.get("hn").or_else(|| json.get("peer"))?.as_str()?;
            text.parse().ok().map(Path::peer)
        }
        _ => None,
    }
}

/// Port 0 cannot be sent to, so a path with it cannot be used.
fn ip_port(json: &Map<String, Value>) -> Option<(IpAddr, u16)> {
    let ip = json.get("ip")?.as_str()?.parse().ok()?;
    let port = u16::try_from(json.get("port")?.as_u64()?).ok()?;
    (port != 0).then_some((ip, port))
}

/// Undoes IPv4-mapped addresses and drops the flow label, which is no part of a path.
fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::V4(SocketAddrV4::new(ip, v6.port())),
            None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
        },
        SocketAddr::V4(_) => addr,
    }
}

impl fmt::Display for Path {
    /// Writes the JSON description.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::Object(self.to_json()).fmt(f)
    }
}

impl FromStr for Path {
    type Err = PathError;

    /// Reads a JSON description of at most [`MAX_PATH_JSON_LEN`] bytes, before and after its
    /// numbers and escapes are spelled our way.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let path = Self::from_json(&json::parse_object(text, MAX_PATH_JSON_LEN)?)?;
        json::check_len(&path.to_string(), MAX_PATH_JSON_LEN)?;
        Ok(path)
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// Bounds neither size nor depth: that is for whoever reads the text around it.
impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Map::deserialize(deserializer)?;
        Self::from_json(&json).map_err(de::Error::custom)
    }
}

/// Why something does not describe a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No `type`, or one that is no string.
    #[error("a path is a JSON object with a \"type\" such as \"udp4\"; this has none")]
    NoType,
    /// No JSON object.
    #[error(transparent)]
    Json(#[from] JsonError),
}
