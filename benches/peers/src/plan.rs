//! How much is measured.

use std::path::PathBuf;

use clap::Args;

use crate::{pair::Pair, scenario::Scenario};

/// What to measure, and how long. Sizes that are not given are those of a full run, or of a quick one.
#[derive(Args)]
pub struct Plan {
    /// Measure these scenarios only
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Scenario>,
    /// Compare these instead, VARIANT:LIBRARY, with `=RATIO` if we have to reach at least that share
    /// of the library's MB/s
    #[arg(long = "pair")]
    pub pairs: Vec<Pair>,
    /// Try everything in three minutes: two rounds, small sizes; the figures mean little
    #[arg(long)]
    pub quick: bool,
    /// Fail if a figure is not within its bound
    #[arg(long)]
    pub check: bool,
    /// Where results are written: JSON, Markdown, SVG [default: peers in the target directory]
    #[arg(long, overrides_with = "out")]
    pub out: Option<PathBuf>,
    /// Alternating rounds [default: 7, quick 2]
    #[arg(long)]
    rounds: Option<usize>,
    /// MiB one way on one stream [default: 512, quick 16]
    #[arg(long)]
    mib: Option<u64>,
    /// 64-byte round trips a round [default: 5000, quick 500]
    #[arg(long)]
    pings: Option<usize>,
    /// Connections set up one after the other, a round [default: 500, quick 50]
    #[arg(long)]
    setups: Option<usize>,
    /// Seconds over which idle links are watched [default: 60, quick 3]
    #[arg(long)]
    idle_seconds: Option<u64>,
    /// Numbers of idle links, ascending [default: 1000,10000, quick 100,300]
    #[arg(long, value_delimiter = ',')]
    idle_links: Vec<usize>,
}

impl Plan {
    fn size<T>(&self, given: Option<T>, full: T, quick: T) -> T {
        given.unwrap_or(if self.quick { quick } else { full })
    }

    pub fn rounds(&self) -> usize {
        self.size(self.rounds, 7, 2)
    }

    /// Of what hardly varies and takes long.
    pub fn few_rounds(&self) -> usize {
        self.rounds().min(if self.quick { 1 } else { 3 })
    }

    /// Bytes of a stream.
    pub fn bytes(&self) -> u64 {
        self.size(self.mib, 512, 16) << 20
    }

    pub fn pings(&self) -> usize {
        self.size(self.pings, 5000, 500)
    }

    pub fn setups(&self) -> usize {
        self.size(self.setups, 500, 50)
    }

    pub fn idle_seconds(&self) -> u64 {
        self.size(self.idle_seconds, 60, 3)
    }

    /// Numbers of idle links, ascending.
    pub fn idle_links(&self) -> Vec<usize> {
        match self.idle_links.is_empty() {
            false => self.idle_links.clone(),
            true if self.quick => vec![100, 300],
            true => vec![1000, 10_000],
        }
    }

    /// Idle links beside the one whose packets are weighed, ascending.
    pub fn growth_links(&self) -> &'static [usize] {
        match self.quick {
            true => &[100, 300],
            false => &[100, 1000, 10_000],
        }
    }

    /// Idle channels, likewise.
    pub fn growth_channels(&self) -> &'static [usize] {
        match self.quick {
            true => &[100],
            false => &[10, 100, 1000],
        }
    }
}
