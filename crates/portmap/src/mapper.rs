//! What is mapped, kept up round by round.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::ask::{Ask, Grant};
use crate::error::{MapError, Refusal};
use crate::external::{Worth, worth};
use crate::limits::{MAX_PORTS, RELEASE_TIMEOUT};
use crate::network::Network;
use crate::port::{Gateway, Mapping, Method, Port};
use crate::schedule::{again_in, believed};

/// Keeps ports mapped: [`keep`](Self::keep) asks for each once, and has to be called again and again.
///
/// Nothing is sent before the first call. Dropped without [`release`](Self::release), it leaves its
/// mappings to the end of their leases.
#[derive(Debug)]
pub struct Mapper(Keeper<Network>);

/// What a round brought.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The mappings that stand.
    pub mappings: Vec<Mapping>,
    /// Why others do not, if so.
    pub problem: Option<MapError>,
    /// When to ask again.
    pub again_in: Duration,
}

impl Mapper {
    /// One that has mapped nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Keeper::new(Network::default()))
    }

    /// Sees to it that exactly these ports are mapped, as far as they are on the network of the gateway
    /// of now: asks for new ones, renews those that it has, takes back those that are not named any
    /// more. Ports beyond [`MAX_PORTS`] are left out.
    ///
    /// Cancel-safe, but a mapping that was being asked for may stand until the end of its lease.
    pub async fn keep(&mut self, ports: &[Port]) -> Report {
        self.0.keep(ports).await
    }

    /// Takes everything back, within [`RELEASE_TIMEOUT`].
    pub async fn release(self) {
        self.0.release().await;
    }
}

impl Default for Mapper {
    fn default() -> Self {
        Self::new()
    }
}

/// A mapping that stands.
#[derive(Clone, Copy, Debug)]
struct Lease {
    gateway: Gateway,
    port: Port,
    grant: Grant,
    until: Instant,
}

impl Lease {
    fn mapping(&self) -> Mapping {
        Mapping {
            port: self.port,
            external: self.grant.external,
            method: self.grant.handle.method(),
        }
    }
}

/// The same as [`Mapper`], whoever is asked.
#[derive(Debug)]
struct Keeper<A> {
    asker: A,
    leases: Vec<Lease>,
    failures: u32,
}

impl<A: Ask> Keeper<A> {
    fn new(asker: A) -> Self {
        Self {
            asker,
            leases: Vec::new(),
            failures: 0,
        }
    }

    async fn keep(&mut self, ports: &[Port]) -> Report {
        let problem = match self.asker.gateway() {
            Some(gateway) => self.keep_at(gateway, ports).await.err(),
            None => {
                self.leases.clear();
                Some(MapError::NoGateway)
            }
        };
        let now = Instant::now();
        self.leases.retain(|lease| lease.until > now);
        self.failures = match problem {
            Some(_) => self.failures.saturating_add(1),
            None => 0,
        };
        let left = self.leases.iter().map(|lease| lease.until - now);
        Report {
            mappings: self.leases.iter().map(Lease::mapping).collect(),
            again_in: again_in(self.failures, left.min(), chance()),
            problem,
        }
    }

    async fn keep_at(&mut self, gateway: Gateway, ports: &[Port]) -> Result<(), MapError> {
        // What another gateway granted is out of reach, and ends by itself.
        self.leases.retain(|lease| lease.gateway == gateway);
        let local = gateway.local;
        let mut wanted: Vec<Port> = Vec::new();
        for port in ports {
            let usable = *port.address.ip() == local && !local.is_loopback();
            if usable && !wanted.contains(port) && wanted.len() < MAX_PORTS {
                wanted.push(*port);
            }
        }
        self.give_up_all_but(&wanted).await;
        if wanted.is_empty() {
            return Err(MapError::NoPort { local });
        }
        let mut worked = self.leases.first().map(|lease| lease.mapping().method);
        let mut problem = None;
        for port in wanted {
            match self.keep_one(gateway, port, worked).await {
                Ok(method) => worked = Some(method),
                Err(error) => {
                    problem = Some(error);
                    // A gateway that refuses the first by every protocol need not be asked for the rest.
                    if worked.is_none() {
                        break;
                    }
                }
            }
        }
        problem.map_or(Ok(()), Err)
    }

    /// Maps a port by the method that it is mapped by, or that worked before, or any.
    async fn keep_one(
        &mut self,
        gateway: Gateway,
        port: Port,
        worked: Option<Method>,
    ) -> Result<Method, MapError> {
        let of_port = |lease: &&Lease| lease.port == port;
        let last = self.leases.iter().find(of_port).map(|lease| lease.grant);
        let first = last.map(|last| last.handle.method()).or(worked);
        let rest = Method::ALL
            .into_iter()
            .filter(|method| Some(*method) != first);
        let mut refusals = Vec::new();
        for method in first.into_iter().chain(rest) {
            let last = last.filter(|last| last.handle.method() == method);
            match self.asker.map(gateway, method, port, last).await {
                Ok(grant) => match self.accept(gateway, port, grant).await? {
                    None => return Ok(method),
                    Some(refusal) => refusals.push(refusal),
                },
                Err(refusal) => {
                    tracing::debug!(%method, ?port, reason = refusal.reason, "no port mapping");
                    refusals.push(refusal);
                }
            }
        }
        let gateway = gateway.address;
        Err(MapError::Refused { gateway, refusals })
    }

    /// Believes in a grant if its address is of use; otherwise it is given back.
    async fn accept(
        &mut self,
        gateway: Gateway,
        port: Port,
        grant: Grant,
    ) -> Result<Option<Refusal>, MapError> {
        let external = *grant.external.ip();
        let worth = worth(external);
        let old = self.leases.iter().position(|lease| lease.port == port);
        let old = old.map(|at| self.leases.remove(at).grant);
        // By the other protocols it is the inner port that is taken back, and so this mapping too.
        let other = |old: &Grant| {
            old.handle.method() == Method::Upnp && old.external.port() != grant.external.port()
        };
        if let Some(old) = old.filter(other) {
            let _ = self.asker.unmap(gateway, port, old).await;
        }
        if worth == Worth::Public && !grant.lifetime.is_zero() {
            let until = Instant::now() + believed(grant.lifetime);
            tracing::debug!(external = %grant.external, ?port, "port mapped");
            self.leases.push(Lease {
                gateway,
                port,
                grant,
                until,
            });
            return Ok(None);
        }
        let _ = self.asker.unmap(gateway, port, grant).await;
        if worth == Worth::Private {
            let gateway = gateway.address;
            return Err(MapError::DoubleNat { gateway, external });
        }
        let reason = format!("it offers {}, where nobody can be", grant.external);
        Ok(Some(Refusal::new(grant.handle.method(), reason)))
    }

    /// Takes back what is not wanted any more.
    async fn give_up_all_but(&mut self, wanted: &[Port]) {
        let gone = |lease: &Lease| !wanted.contains(&lease.port);
        // Forgotten only once it is done: whoever gives up waiting releases the rest.
        while let Some(at) = self.leases.iter().position(gone) {
            give_back(&mut self.asker, vec![self.leases[at]]).await;
            self.leases.remove(at);
        }
    }

    async fn release(mut self) {
        let leases = std::mem::take(&mut self.leases);
        let released = timeout(RELEASE_TIMEOUT, give_back(&mut self.asker, leases)).await;
        if released.is_err() {
            tracing::debug!("port mappings are left to the end of their leases");
        }
    }
}

async fn give_back<A: Ask>(asker: &mut A, leases: Vec<Lease>) {
    for lease in leases {
        let given = asker.unmap(lease.gateway, lease.port, lease.grant).await;
        tracing::debug!(external = %lease.grant.external, ?given, "port mapping taken back");
    }
}

fn chance() -> u8 {
    let mut byte = [0];
    // Without randomness everything is still right, only less spread.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests;
