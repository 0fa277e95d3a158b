//! Why nothing is mapped.

use std::fmt;
use std::net::Ipv4Addr;

use crate::limits::MAX_REASON;
use crate::port::Method;

/// Why a port is not mapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// This host has no way out in IPv4, or it cannot be told.
    #[error(
        "no gateway: this host has no default route in IPv4, or its system does not tell; \
         without one there is nobody to ask"
    )]
    NoGateway,
    /// None of the ports is on the gateway's network.
    #[error(
        "no port to map: nothing listens on {local}, the address on the network of the gateway; \
         listen on it or on 0.0.0.0"
    )]
    NoPort {
        /// Our address there.
        local: Ipv4Addr,
    },
    /// The gateway is behind a NAT itself.
    #[error(
        "the gateway {gateway} is behind another NAT: its own outer address is {external}, a private \
         one, so a port there is of no use; have the outer NAT pass ports on, or use a router"
    )]
    DoubleNat {
        /// The gateway.
        gateway: Ipv4Addr,
        /// What it says.
        external: Ipv4Addr,
    },
    /// No protocol brought a mapping.
    #[error(
        "the gateway {gateway} maps no port ({}); look in its settings for PCP, NAT-PMP or UPnP, or \
         have it pass the port on",
        show(.refusals)
    )]
    Refused {
        /// The gateway.
        gateway: Ipv4Addr,
        /// What each protocol brought.
        refusals: Vec<Refusal>,
    },
}

/// What asking by one protocol brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The protocol.
    pub method: Method,
    /// What went wrong, of bounded length and printable.
    pub reason: String,
}

impl Refusal {
    /// The gateway has a say in the text: it is cut to size and made printable.
    pub(crate) fn new(method: Method, reason: impl fmt::Display) -> Self {
        Self {
            method,
            reason: printable(&reason.to_string()),
        }
    }
}

fn printable(text: &str) -> String {
    let mut kept = String::new();
    for char in text.chars() {
        let char = if char.is_control() { ' ' } else { char };
        if kept.len() + char.len_utf8() > MAX_REASON {
            break;
        }
        kept.push(char);
    }
    kept
}

fn show(refusals: &[Refusal]) -> String {
    let show = |refusal: &Refusal| format!("{}: {}", refusal.method, refusal.reason);
    refusals.iter().map(show).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gateway_says_is_cut_to_size_and_printable() {
        let long = format!("\x1b[2J\n{}", "ä".repeat(MAX_REASON));
        let refusal = Refusal::new(Method::Upnp, long);
        assert!(refusal.reason.len() <= MAX_REASON, "{}", refusal.reason);
        assert!(refusal.reason.len() > MAX_REASON - 2);
        assert!(!refusal.reason.chars().any(char::is_control));
    }
}
