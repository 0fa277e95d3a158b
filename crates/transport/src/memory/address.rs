//! Addresses in memory, and the paths that describe them.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};
use telehash_hashname::Path;

/// Which kind of endpoint has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Datagram,
    Stream,
}

impl Kind {
    /// The `type` of its paths, and the name of its transport.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Datagram => "memory",
            Self::Stream => "memory-stream",
        }
    }

    /// The path to the endpoint of this kind at `address`.
    pub(super) fn path(self, address: SocketAddr) -> Path {
        let mut json = Map::new();
        json.insert("type".into(), self.name().into());
        json.insert("ip".into(), address.ip().to_string().into());
        json.insert("port".into(), address.port().into());
        Path::Unknown(json)
    }

    /// The address in `path`, if it is one of this kind's.
    pub(super) fn address(self, path: &Path) -> Option<SocketAddr> {
        let Path::Unknown(json) = path else {
            return None;
        };
        if path.kind() != self.name() {
            return None;
        }
        let ip: IpAddr = json.get("ip").and_then(Value::as_str)?.parse().ok()?;
        let port = u16::try_from(json.get("port").and_then(Value::as_u64)?).ok()?;
        Some(SocketAddr::new(ip, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_back_to_its_address() {
        for text in ["10.0.0.1:42424", "[fd00::1]:9"] {
            let address: SocketAddr = text.parse().unwrap();
            for kind in [Kind::Datagram, Kind::Stream] {
                assert_eq!(kind.address(&kind.path(address)), Some(address));
            }
            assert_eq!(Kind::Stream.address(&Kind::Datagram.path(address)), None);
        }
    }

    #[test]
    fn other_and_broken_paths_have_no_address() {
        for text in [
            r#"{"type":"udp4","ip":"10.0.0.1","port":42424}"#,
            r#"{"type":"memory","ip":"10.0.0.1"}"#,
            r#"{"type":"memory","ip":"10.0.0.1","port":70000}"#,
            r#"{"type":"memory","ip":7,"port":7}"#,
            r#"{"type":"memory"}"#,
        ] {
            assert_eq!(
                Kind::Datagram.address(&text.parse().unwrap()),
                None,
                "{text}"
            );
        }
    }
}
