//! What NAT is in front of us, as far as routers can tell.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The kind of NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Nat {
    /// Nobody, or only one router, tells where it sees us.
    Unknown,
    /// None: they see us where we are.
    None,
    /// One that has the same port for everybody: others meet us there.
    EndpointIndependent,
    /// One that has another port for each: others meet us only if they are not behind such a one.
    EndpointDependent,
}

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) nat: Nat,
    /// Whether it keeps the port that we send from.
    pub(crate) keeps_port: Option<bool>,
    /// How many told.
    pub(crate) witnesses: usize,
}

/// Judges by where we are and where each router sees us.
pub(crate) fn judge(own: &[SocketAddr], seen: &[SocketAddr]) -> Verdict {
    let keeps_port = (!seen.is_empty()).then(|| {
        seen.iter()
            .all(|at| own.iter().any(|own| own.port() == at.port()))
    });
    let places: BTreeSet<_> = seen.iter().collect();
    let nat = match (seen.len(), places.len()) {
        (0, _) => Nat::Unknown,
        _ if seen.iter().all(|at| own.contains(at)) => Nat::None,
        (1, _) => Nat::Unknown,
        (_, 1) => Nat::EndpointIndependent,
        _ => Nat::EndpointDependent,
    };
    Verdict {
        nat,
        keeps_port,
        witnesses: seen.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|at| at.parse().unwrap()).collect()
    }

    #[test]
    fn it_takes_two_routers_to_tell_one_nat_from_another() {
        let own = at(&["192.168.1.2:42424"]);
        let judge = |seen: &[&str]| {
            let verdict = judge(&own, &at(seen));
            (verdict.nat, verdict.keeps_port)
        };
        assert_eq!(judge(&[]), (Nat::Unknown, None));
        assert_eq!(judge(&["198.51.100.2:42424"]), (Nat::Unknown, Some(true)));
        assert_eq!(judge(&["192.168.1.2:42424"]), (Nat::None, Some(true)));
        let same = ["198.51.100.2:42424"; 2];
        assert_eq!(judge(&same), (Nat::EndpointIndependent, Some(true)));
        let moved = ["198.51.100.2:1024"; 2];
        assert_eq!(judge(&moved), (Nat::EndpointIndependent, Some(false)));
        let each = ["198.51.100.2:1024", "198.51.100.2:1025"];
        assert_eq!(judge(&each), (Nat::EndpointDependent, Some(false)));
    }
}
