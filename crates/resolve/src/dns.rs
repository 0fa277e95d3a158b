//! What DNS answers mean (uri.md, "Resolution order"), without asking for any.
//!
//! A domain names its endpoint with a service record, `_link._udp.example.org SRV 0 0 42424
//! <hashname>.example.org`. The host has the keys in text records, `"3a=…"` in base32, and
//! addresses. A key of more than 250 characters is cut: `"2a=…"`, `"2a2=…"`, and so on.

mod error;
mod texts;

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};

use telehash_hashname::{Hashname, Path};

pub use error::DnsError;
pub use texts::{MAX_TEXT_STRINGS, TextRecord, keys, texts};

use crate::Place;
use crate::place::hashname_of;

/// Hosts that are looked at of one domain, the most preferred ones. Limit: the others are ignored.
pub const MAX_SERVICE_HOSTS: usize = 8;

/// Addresses of each family that are used of one host; more are ignored.
pub const MAX_HOST_ADDRESSES: usize = 4;

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// The lowest is tried first.
    pub priority: u16,
    /// Among those of equal priority the highest is tried first.
    pub weight: u16,
    /// The port, of UDP and of TCP.
    pub port: u16,
    /// The host, `<hashname>.example.org`, with a dot at its end or without.
    pub target: String,
}

/// A host that a service record names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHost {
    /// Whose host it is.
    pub hashname: Hashname,
    /// Its name in DNS, without a dot at its end.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// The name that the service records of a domain have.
#[must_use]
pub fn service_name(domain: &str) -> String {
    format!("_link._udp.{domain}")
}

/// The host that a place names by itself: its domain, if that begins with a hashname. No service record
/// is needed then.
#[must_use]
pub fn named_host(place: &Place) -> Option<ServiceHost> {
    Some(ServiceHost {
        hashname: hashname_of(place.domain())?,
        name: place.domain().to_owned(),
        port: place.port(),
    })
}

/// The hosts that the service records of a domain name, best first; only that of `expected`, if
/// anyone is. Records that name no endpoint are passed over.
///
/// # Errors
///
/// Nothing is left; see [`DnsError`].
pub fn hosts(
    mut records: Vec<ServiceRecord>,
    expected: Option<&Hashname>,
) -> Result<Vec<ServiceHost>, DnsError> {
    records.sort_by_key(|record| (record.priority, Reverse(record.weight)));
    let mut first_error = None;
    let mut hosts = Vec::new();
    for record in &records {
        match ServiceHost::of(record, expected) {
            Ok(host) if hosts.len() < MAX_SERVICE_HOSTS => hosts.push(host),
            Ok(_) => break,
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match hosts.is_empty() {
        true => Err(first_error.unwrap_or(DnsError::NoService)),
        false => Ok(hosts),
    }
}

impl ServiceHost {
    fn of(record: &ServiceRecord, expected: Option<&Hashname>) -> Result<Self, DnsError> {
        let target = record.target.trim_end_matches('.');
        if target.is_empty() || record.port == 0 {
            return Err(DnsError::NotOffered);
        }
        let hashname = hashname_of(target).ok_or_else(|| DnsError::TargetUnnamed {
            target: target.to_owned(),
        })?;
        let host = Self {
            hashname,
            name: target.to_owned(),
            port: record.port,
        };
        host.expected(expected)
    }

    /// Refuses the host of somebody else.
    pub(crate) fn expected(self, expected: Option<&Hashname>) -> Result<Self, DnsError> {
        match expected {
            Some(expected) if *expected != self.hashname => Err(DnsError::OtherHashname {
                expected: *expected,
                found: self.hashname,
            }),
            _ => Ok(self),
        }
    }

    /// The paths to this host at these addresses: of UDP first, then of TCP.
    #[must_use]
    pub fn paths(&self, addresses: &[IpAddr]) -> Vec<Path> {
        let family = |is_ipv4: bool| {
            let of_it = addresses.iter().filter(move |ip| ip.is_ipv4() == is_ipv4);
            of_it.take(MAX_HOST_ADDRESSES)
        };
        let used = family(true).chain(family(false));
        let at: Vec<_> = used.map(|ip| SocketAddr::new(*ip, self.port)).collect();
        let udp = at.iter().copied().map(Path::udp);
        udp.chain(at.iter().copied().map(Path::tcp)).collect()
    }
}
