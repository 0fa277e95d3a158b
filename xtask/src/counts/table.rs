//! Counts by name, and what became of them.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::ALLOWED;
use super::environment::Environment;

/// Instructions for each packet, by what is done to it.
pub(super) type Instructions = BTreeMap<String, u64>;

/// What `benches/counts.json` says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// What the counts depend on besides our code.
    pub(super) environment: Environment,
    pub(super) instructions: Instructions,
}

impl Counts {
    /// A line for each count, so that changes show as such.
    pub(super) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.instructions {
            writeln!(f, "    {name:<40} {count:>8}")?;
        }
        Ok(())
    }
}

/// What became of one count.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    name: String,
    before: Option<u64>,
    now: Option<u64>,
}

/// What became of all.
#[derive(Debug)]
pub(super) struct Comparison(Vec<Change>);

/// Compares them name by name.
pub(super) fn compare(before: &Instructions, now: &Instructions) -> Comparison {
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    let changes = now.keys().chain(gone).map(|name| Change {
        name: name.clone(),
        before: before.get(name).copied(),
        now: now.get(name).copied(),
    });
    Comparison(changes.collect())
}

impl Comparison {
    /// Those that have grown by more than they may.
    pub(super) fn grown(&self) -> impl Iterator<Item = &str> {
        let grown = self.0.iter().filter(|change| change.has_grown());
        grown.map(|change| change.name.as_str())
    }

    /// Whatever must not be.
    pub(super) fn faults(&self) -> Vec<String> {
        self.0.iter().filter_map(Change::fault).collect()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|change| writeln!(f, "    {change}"))?;
        if self.0.iter().any(Change::has_shrunk) {
            writeln!(
                f,
                "    some are smaller: `cargo xtask bench --record` has them stay so"
            )?;
        }
        Ok(())
    }
}

impl Change {
    fn has_grown(&self) -> bool {
        let both = self.before.zip(self.now);
        both.is_some_and(|(before, now)| now * 100 > before * (100 + ALLOWED))
    }

    fn has_shrunk(&self) -> bool {
        let both = self.before.zip(self.now);
        both.is_some_and(|(before, now)| now * 100 < before * (100 - ALLOWED))
    }

    fn fault(&self) -> Option<String> {
        let Self { name, before, now } = self;
        match (before, now) {
            (Some(before), Some(now)) if self.has_grown() => Some(format!(
                "`{name}` takes {now} instructions, not {before}: more than {ALLOWED} % more"
            )),
            (Some(_), None) => Some(format!("`{name}` is recorded, and not counted any more")),
            (None, Some(_)) => Some(format!("`{name}` is counted, and not recorded")),
            _ => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let (before, now) = (count(self.before), count(self.now));
        write!(f, "{:<40} {before:>8} {now:>8}", self.name)?;
        match self.before.zip(self.now) {
            Some((before, now)) if before > 0 => {
                let percent = (now as f64 / before as f64 - 1.0) * 100.0;
                write!(f, " {percent:>+7.2} %")
            }
            _ => Ok(()),
        }
    }
}
