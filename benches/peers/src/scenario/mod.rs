//! What is measured.

mod alternate;
mod bridged;
mod crowded;
mod growth;
mod idle;
mod many;
mod pings;
mod setups;
mod stream;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

pub use alternate::Comparison;
pub use stream::RATE;

use crate::{figures::Row, plan::Plan};

/// One of the things that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One reliable stream: rate, and CPU of both ends
    Stream,
    /// Round trips of 64 bytes
    Pings,
    /// Links one after the other: rate, and CPU of both ends
    Setups,
    /// Memory for each idle link, of the end that accepts and of the end that links
    IdleMemory,
    /// CPU of the end that has many idle links
    IdleCpu,
    /// 16 links with a stream each, at once
    Links,
    /// 64 streams of one link, at once
    Streams,
    /// A stream through a router: its CPU beside that of the ends
    Bridged,
    /// CPU for a packet beside ever more idle links and channels
    Growth,
}

impl Scenario {
    /// Its name, as `--only` takes it.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it measures, in a line.
    pub fn title(self) -> String {
        let value = self.to_possible_value();
        value
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }

    /// Those of a plan.
    pub fn of(plan: &Plan) -> Vec<Self> {
        match (plan.only.is_empty(), plan.pairs.is_empty()) {
            (false, _) => plan.only.clone(),
            (true, true) => Self::value_variants().to_vec(),
            (true, false) => vec![Self::Stream, Self::Pings, Self::Setups],
        }
    }

    /// Measures it.
    pub async fn run(self, plan: &Plan) -> Result<Vec<Row>> {
        match self {
            Self::Stream => stream::run(plan).await,
            Self::Pings => pings::run(plan).await,
            Self::Setups => setups::run(plan).await,
            Self::IdleMemory => idle::memory(plan).await,
            Self::IdleCpu => idle::cpu(plan).await,
            Self::Links => many::links(plan).await,
            Self::Streams => many::streams(plan).await,
            Self::Bridged => bridged::run(plan).await,
            Self::Growth => growth::run(plan).await,
        }
    }
}
