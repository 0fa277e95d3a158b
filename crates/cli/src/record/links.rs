//! Links, as records.

use std::fmt;

use mesh::Path;
use serde::{Deserialize, Serialize};

/// A path in few words: `udp4 192.0.2.1:42424`, `router` and its hashname, or its JSON.
pub(crate) fn show_path(path: &Path) -> String {
    match (path.socket_addr(), path) {
        (Some(address), _) => format!("{} {address}", path.kind()),
        (None, Path::Peer { hn }) => format!("router {hn}"),
        (None, _) => path.to_string(),
    }
}

/// A link, now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkRecord {
    pub(crate) hashname: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) alias: Option<String>,
    /// `up`, `down` or `unresolved`; `gone` once it is forgotten.
    pub(crate) state: String,
    /// Why it is down.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) reason: Option<String>,
    /// The agreed cipher set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) csid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) rtt_ms: Option<f64>,
    /// `direct`, or `relayed` by a router.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) way: Option<String>,
    /// Share of the bytes sent that was lost, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) loss: Option<f64>,
    /// Times that traffic moved from one path to another.
    #[serde(default)]
    pub(crate) moves: u64,
    /// Times that a path gave reason to doubt it.
    #[serde(default)]
    pub(crate) doubts: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) paths: Vec<PathRecord>,
}

/// A path of a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PathRecord {
    pub(crate) path: String,
    /// A round trip through it is proven.
    pub(crate) validated: bool,
    /// It is the one that sends.
    pub(crate) active: bool,
    /// Nothing came back by it lately.
    #[serde(default)]
    pub(crate) doubted: bool,
    /// Largest packet it is known to carry, in bytes.
    #[serde(default)]
    pub(crate) packet_size: usize,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) rtt_ms: Option<f64>,
}

/// A link of the state directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownRecord {
    pub(crate) hashname: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) alias: Option<String>,
    /// `unknown`, `trusted` or `blocked`.
    pub(crate) trust: String,
    /// It is used as a router.
    #[serde(default)]
    pub(crate) router: bool,
    pub(crate) paths: Vec<String>,
}

impl fmt::Display for LinkRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(alias) = &self.alias {
            write!(f, "{alias} ")?;
        }
        write!(f, "{} {}", self.hashname, self.state)?;
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        if let Some(csid) = &self.csid {
            write!(f, " cs{csid}")?;
        }
        if let Some(way) = &self.way {
            write!(f, " {way}")?;
        }
        if let Some(rtt) = self.rtt_ms {
            write!(f, " rtt {rtt:.3} ms")?;
        }
        if let Some(loss) = self.loss {
            write!(f, " loss {:.1} %", loss * 100.0)?;
        }
        for path in &self.paths {
            write!(f, "\n  {path}")?;
        }
        if (self.moves, self.doubts) != (0, 0) {
            let (moves, doubts) = (times(self.moves), times(self.doubts));
            write!(f, "\n  doubted {doubts}, moved {moves}")?;
        }
        Ok(())
    }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

impl fmt::Display for PathRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(rtt) = self.rtt_ms {
            write!(f, " rtt {rtt:.3} ms")?;
        }
        write!(f, ", packets of {} bytes", self.packet_size)?;
        f.write_str(match (self.active, self.doubted, self.validated) {
            (true, false, _) => ", in use",
            (true, true, _) => ", in use, but does not answer",
            (false, true, _) => ", does not answer",
            (false, false, true) => ", standing by",
            (false, false, false) => ", unproven",
        })
    }
}

impl fmt::Display for KnownRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alias = self.alias.as_deref().unwrap_or("-");
        write!(f, "{} {alias:<16} {:<8}", self.hashname, self.trust)?;
        if self.router {
            f.write_str(" router")?;
        }
        match self.paths.as_slice() {
            [] => f.write_str(" no path"),
            paths => write!(f, " {}", paths.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    #[test]
    fn a_link_reads_well_and_survives_the_control_socket() {
        let record = Record::Link(LinkRecord {
            hashname: "abc".into(),
            alias: None,
            state: "up".into(),
            reason: None,
            csid: Some("3a".into()),
            rtt_ms: Some(0.25),
            way: Some("direct".into()),
            loss: None,
            moves: 1,
            doubts: 2,
            paths: vec![PathRecord {
                path: "udp4 127.0.0.1:1".into(),
                validated: true,
                active: false,
                doubted: false,
                packet_size: 1200,
                rtt_ms: None,
            }],
        });
        let text = serde_json::to_string(&record).unwrap();
        assert!(
            text.starts_with(r#"{"event":"link","hashname":"abc","state":"up""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        let shown = "abc up cs3a direct rtt 0.250 ms\n  \
                     udp4 127.0.0.1:1, packets of 1200 bytes, standing by\n  \
                     doubted 2 times, moved once";
        assert_eq!(record.to_string(), shown);
    }
}
