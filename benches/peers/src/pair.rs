//! What is compared with what, and with what result we are content.

use std::str::FromStr;

use anyhow::{Context, Error, Result, ensure};

use crate::{library, ours::Carrier};

/// One of our transports and the library that it is measured beside.
#[derive(Clone, Debug)]
pub struct Pair {
    ours: Carrier,
    theirs: String,
    at_least: Option<f64>,
}

impl Pair {
    /// Ours, as [`library::named`] takes it.
    pub fn ours(&self) -> &'static str {
        self.ours.name()
    }

    /// The other library, likewise.
    pub fn theirs(&self) -> &str {
        &self.theirs
    }

    /// One line about the ratios of MB/s in one process and in two, and whether they suffice: both
    /// have to.
    pub fn judge(&self, [one, two]: [f64; 2]) -> (String, bool) {
        let (ours, theirs) = (self.ours(), self.theirs());
        let line =
            format!("{ours} beside {theirs}: {one:.2} x MB/s in one process, {two:.2} x in two");
        match self.at_least {
            Some(bound) => (format!("{line} (at least {bound})"), one.min(two) >= bound),
            None => (line, true),
        }
    }
}

impl FromStr for Pair {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (names, bound) = match text.split_once('=') {
            Some((names, bound)) => (names, Some(bound.parse().context("RATIO is a number")?)),
            None => (text, None),
        };
        let (ours, theirs) = names.split_once(':').context("say TRANSPORT:LIBRARY")?;
        let ours = Carrier::named(ours).context("TRANSPORT is udp, tcp or quic")?;
        library::named(theirs)?;
        ensure!(Carrier::named(theirs).is_none(), "`{theirs}` is ours");
        Ok(Self {
            ours,
            theirs: theirs.to_owned(),
            at_least: bound,
        })
    }
}
