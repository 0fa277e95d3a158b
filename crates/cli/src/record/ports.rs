//! Ports that the gateway passes on.

use std::fmt;

use mesh::PortMapping;
use serde::{Deserialize, Serialize};

use super::show_path;

/// Which are, and why others are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PortMappingRecord {
    pub(crate) ports: Vec<MappedRecord>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) problem: Option<String>,
}

/// One that is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MappedRecord {
    /// Where others reach it.
    pub(crate) outer: String,
    /// Where we listen.
    pub(crate) inner: String,
    /// `PCP`, `NAT-PMP` or `UPnP`.
    pub(crate) method: String,
}

impl From<PortMapping> for PortMappingRecord {
    fn from(mapping: PortMapping) -> Self {
        let port = |port: &mesh::MappedPort| MappedRecord {
            outer: show_path(&port.outer),
            inner: show_path(&port.inner),
            method: port.method.to_owned(),
        };
        Self {
            ports: mapping.ports.iter().map(port).collect(),
            problem: mapping.problem,
        }
    }
}

impl fmt::Display for PortMappingRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mapped = |port: &MappedRecord| {
            let MappedRecord {
                outer,
                inner,
                method,
            } = port;
            format!("mapped: {outer} to {inner}, by {method}")
        };
        let mut lines: Vec<String> = self.ports.iter().map(mapped).collect();
        let problem = self.problem.iter();
        lines.extend(problem.map(|problem| format!("not mapped: {problem}")));
        if lines.is_empty() {
            lines.push("not mapped yet: the gateway is being asked".to_owned());
        }
        f.write_str(&lines.join("\n"))
    }
}
