//! A far end with many idle links to the endpoints of another process, which share one socket.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use crate::{far::FarEnd, process::Process};

/// How long links rest before anything is measured: their handshakes are over by then.
pub const REST: Duration = Duration::from_secs(2);

/// Links that are set up before the next line about it.
const STEP: usize = 1000;

/// Which variant has many links.
pub const VARIANT: &str = "udp-cs42";

/// Who sets up the links of the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// The crowd: the far end accepts.
    Crowd,
    /// The far end.
    FarEnd,
}

/// The far end with its crowd.
pub struct Crowded {
    pub far: FarEnd,
    crowd: Process,
    initiator: Initiator,
    links: usize,
}

impl Crowded {
    /// Both, without links.
    pub async fn start(initiator: Initiator) -> Result<Self> {
        let far = FarEnd::with(&["serve", VARIANT]).await?;
        let crowd = match initiator {
            Initiator::Crowd => Process::start(&["crowd", VARIANT, far.address()])?,
            Initiator::FarEnd => Process::start(&["crowd", VARIANT])?,
        };
        Ok(Self {
            far,
            crowd,
            initiator,
            links: 0,
        })
    }

    /// The number of the far end's process.
    pub fn process(&self) -> Result<u32> {
        self.far.process().context("it is another process")
    }

    /// Sets up as many links as are missing to `count`, and lets them rest.
    pub async fn grow(&mut self, count: usize) -> Result<()> {
        while self.links < count {
            let more = STEP.min(count - self.links);
            self.add(more).await?;
            self.links += more;
            eprintln!("  {} of {count} links", self.links);
        }
        sleep(REST).await;
        Ok(())
    }

    async fn add(&mut self, more: usize) -> Result<()> {
        self.crowd.tell(&[more]).await?;
        if self.initiator == Initiator::FarEnd {
            let mut addresses = Vec::with_capacity(more);
            for _ in 0..more {
                addresses.push(self.crowd.hear().await?);
            }
            self.far.reach(&addresses).await?;
        }
        self.crowd.done(1).await
    }

    /// Ends both: the crowd without farewells, which would take long.
    pub async fn stop(self) -> Result<()> {
        drop(self.crowd);
        self.far.stop().await
    }
}
