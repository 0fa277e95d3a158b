//! Which of ours: a transport, a cipher set, and how packets are cloaked and cut.

use std::{fmt, str::FromStr};

use anyhow::{Context, Error, Result, bail, ensure};
use mesh::Csid;

/// The smallest datagram that a link may be held to, in bytes: what every path carries.
const SMALLEST_DATAGRAM: usize = 1200;

/// This library in one of its ways: `udp-cs42`, `udp-cs3a-full`, `udp-cs42-1400`, `tcp-cs42`, … In a
/// name without a cipher set it is CS3a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    pub carrier: Carrier,
    pub set: Csid,
    /// Cloak every packet in full, and not only the head of channel packets.
    pub full_cloak: bool,
    /// Send no datagram longer than this, in bytes.
    pub datagram: Option<usize>,
}

/// Which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Udp,
    Tcp,
    Quic,
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        })
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-cs{}", self.carrier, self.set)?;
        if self.full_cloak {
            f.write_str("-full")?;
        }
        match self.datagram {
            Some(bytes) => write!(f, "-{bytes}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let mut parts = name.split('-');
        let carrier = match parts.next() {
            Some("udp") => Carrier::Udp,
            Some("tcp") => Carrier::Tcp,
            Some("quic") => Carrier::Quic,
            _ => bail!("`{name}` begins with none of udp, tcp and quic"),
        };
        let mut variant = Self {
            carrier,
            set: Csid::CS3A,
            full_cloak: false,
            datagram: None,
        };
        for part in parts {
            if let Some(set) = part.strip_prefix("cs") {
                variant.set = set.parse()?;
            } else if part == "full" {
                variant.full_cloak = true;
            } else {
                let bytes = part
                    .parse()
                    .with_context(|| format!("`{part}` of `{name}` says nothing"))?;
                ensure!(carrier == Carrier::Udp, "`{name}`: only UDP has datagrams");
                ensure!(
                    bytes >= SMALLEST_DATAGRAM,
                    "`{name}`: at least {SMALLEST_DATAGRAM} bytes"
                );
                variant.datagram = Some(bytes);
            }
        }
        Ok(variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["udp-cs42", "udp-cs3a-full", "udp-cs42-1400", "quic-cs42"] {
            let variant: Variant = name.parse().unwrap();
            assert_eq!(variant.to_string(), name);
        }
        let plain: Variant = "tcp".parse().unwrap();
        assert_eq!(plain.to_string(), "tcp-cs3a");
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for name in ["", "sctp", "udp-cs99x", "udp-half", "tcp-1400", "udp-900"] {
            assert!(name.parse::<Variant>().is_err(), "{name}");
        }
    }
}
