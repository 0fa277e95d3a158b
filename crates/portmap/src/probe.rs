//! Whether a gateway would map ports, without mapping any.

use std::net::Ipv4Addr;

use crate::error::Refusal;
use crate::network::Network;
use crate::port::{Gateway, Method};

/// What a gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The gateway.
    pub gateway: Gateway,
    /// For each protocol whether it speaks it, or what went wrong.
    pub answers: Vec<Answer>,
}

/// What came of asking by one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The protocol.
    pub method: Method,
    /// The outer address of the gateway, as far as this protocol tells it unasked; or why there is no
    /// mapping by it.
    pub result: Result<Option<Ipv4Addr>, Refusal>,
}

/// Asks the gateway of this network what it speaks. `None` without a gateway.
///
/// Nothing is mapped: by NAT-PMP and UPnP it is asked for its outer address, by PCP to end a mapping
/// that there is not.
pub async fn probe() -> Option<Probe> {
    let gateway = crate::route::gateway()?;
    let mut network = Network::default();
    let mut answers = Vec::new();
    for method in Method::ALL {
        let result = network.probe(gateway, method).await;
        answers.push(Answer { method, result });
    }
    Some(Probe { gateway, answers })
}
