//! Endpoints on the loopback interface to measure between, each of an identity of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mesh::prelude::*;
use mesh::{Builder, Csid, LinkJson, StrangerBudget};

use super::peer;
use crate::args::Transport;
use crate::failure::{Failure, Outcome};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Handshakes a second, more than can be.
const UNLIMITED: u32 = 1_000_000;

/// What they have in common.
pub(super) struct Ends {
    pub(super) transport: Transport,
    pub(super) csid: Csid,
    /// How long a link may take.
    wait: Duration,
}

impl Ends {
    pub(super) fn new(transport: Transport, csid: Csid, wait: Duration) -> Self {
        Self {
            transport,
            csid,
            wait,
        }
    }

    /// One that everybody may link to.
    pub(super) async fn server(&self) -> Outcome<Mesh> {
        let builder = self.builder().accept(Accept::All);
        let builder = builder.strangers(no_ration()).on_stream(peer::serve);
        Ok(builder.build().await?)
    }

    /// One that only dials.
    pub(super) async fn client(&self) -> Outcome<Mesh> {
        Ok(self.builder().accept(Accept::None).build().await?)
    }

    /// A new one, and its link.
    pub(super) async fn dial(&self, to: &LinkJson) -> Outcome<(Mesh, Link)> {
        let mesh = self.client().await?;
        let link = self.link(&mesh, to).await?;
        Ok((mesh, link))
    }

    /// A link that is up.
    pub(super) async fn link(&self, from: &Mesh, to: &LinkJson) -> Outcome<Link> {
        let link = from.link(to).await?;
        let up = link.wait_up(self.wait).await;
        up.map_err(|error| {
            Failure::unreachable(error)
                .hint("this machine is too busy, or something keeps it from reaching itself; --wait gives it longer")
        })?;
        Ok(link)
    }

    fn builder(&self) -> Builder {
        let builder = mesh::builder().new_identity([self.csid]);
        match self.transport {
            Transport::Udp => builder.udp(LOOPBACK),
            Transport::Tcp => builder.tcp(LOOPBACK),
            Transport::Tls => builder.tls(LOOPBACK),
            Transport::Quic => builder.quic(LOOPBACK),
        }
    }
}

/// All the strangers come from one address here, which would be suspicious elsewhere.
fn no_ration() -> StrangerBudget {
    let mut budget = StrangerBudget::default();
    (budget.per_prefix, budget.global) = (UNLIMITED, UNLIMITED);
    budget
}
