//! What is compared with what on demand, and with what result we are content.

use std::str::FromStr;

use anyhow::{Context, Error, Result, ensure};

use crate::{
    figures::{Bound, Row},
    library,
    scenario::{Comparison, RATE},
    variant::Variant,
};

/// One of our variants and the library that it is measured beside.
#[derive(Clone, Debug)]
pub struct Pair {
    ours: String,
    theirs: String,
    at_least: Option<f64>,
}

impl Pair {
    /// What is to be measured.
    pub fn comparison(&self) -> Comparison {
        let bound = self.at_least.map(|least| (RATE, Bound::AtLeast(least)));
        Comparison::new(&self.ours, &self.theirs, bound.as_slice())
    }

    /// One line about the ratios of MB/s in one process and in two.
    pub fn summary(&self, rows: &[Row]) -> String {
        let (ours, theirs) = (&self.ours, &self.theirs);
        let of_pair = rows.iter().filter(|row| {
            row.figure == RATE
                && row.ours.name == *ours
                && row.theirs.as_ref().is_some_and(|row| row.name == *theirs)
        });
        let ratios: Vec<String> = of_pair
            .filter_map(|row| Some(format!("{:.2} x in {}", row.result()?.median, row.setting)))
            .collect();
        let line = format!("{ours} beside {theirs}, MB/s: {}", ratios.join(", "));
        match self.at_least {
            Some(bound) => format!("{line} (at least {bound})"),
            None => line,
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
        let (ours, theirs) = names.split_once(':').context("say VARIANT:LIBRARY")?;
        let _: Variant = ours.parse()?;
        library::named(theirs)?;
        ensure!(theirs.parse::<Variant>().is_err(), "`{theirs}` is ours");
        Ok(Self {
            ours: ours.to_owned(),
            theirs: theirs.to_owned(),
            at_least: bound,
        })
    }
}
