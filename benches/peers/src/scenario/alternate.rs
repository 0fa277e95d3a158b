//! Ours and another library in turns.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::{
    far::{FarEnd, Processes},
    figures::{Bound, Row, Series},
    library::{self, Library},
    plan::Plan,
    scenario::Scenario,
};

/// What is compared with what, and what is expected of each figure.
pub struct Comparison {
    pub ours: String,
    pub theirs: String,
    pub bounds: Vec<(&'static str, Bound)>,
}

impl Comparison {
    /// As the tables of the scenarios say it.
    pub fn new(ours: &str, theirs: &str, bounds: &[(&'static str, Bound)]) -> Self {
        Self {
            ours: ours.to_owned(),
            theirs: theirs.to_owned(),
            bounds: bounds.to_vec(),
        }
    }

    /// Those of the plan, if it says which, or else the scenario's own.
    pub fn of(plan: &Plan, own: Vec<Self>) -> Vec<Self> {
        if plan.pairs.is_empty() {
            return own;
        }
        plan.pairs.iter().map(|pair| pair.comparison()).collect()
    }
}

/// The figures of one round of one library, each with its unit.
pub type Round = Vec<(&'static str, f64)>;

/// Measures each comparison in one process and in two, ours and theirs in turns.
pub async fn alternate(
    scenario: Scenario,
    plan: &Plan,
    comparisons: &[Comparison],
    measure: impl AsyncFn(&dyn Library, &FarEnd) -> Result<Round>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for comparison in comparisons {
        for processes in Processes::ALL {
            let mut values: BTreeMap<(&'static str, bool), Vec<f64>> = BTreeMap::new();
            let mut figures = Vec::new();
            for round in 1..=plan.rounds() {
                for (name, is_ours) in [(&comparison.theirs, false), (&comparison.ours, true)] {
                    eprintln!(
                        "{}, {processes}, round {round} of {}: {name}",
                        scenario.name(),
                        plan.rounds()
                    );
                    let far = FarEnd::start(name, processes).await?;
                    let measured = measure(&*library::named(name)?, &far).await?;
                    far.stop().await?;
                    figures = measured.iter().map(|(figure, _)| *figure).collect();
                    for (figure, value) in measured {
                        values.entry((figure, is_ours)).or_default().push(value);
                    }
                }
            }
            for figure in figures {
                let mut series = |name, is_ours| {
                    Series::new(name, values.remove(&(figure, is_ours)).unwrap_or_default())
                };
                let bound = comparison.bounds.iter().find(|(of, _)| *of == figure);
                rows.push(Row {
                    scenario,
                    figure,
                    setting: processes.to_string(),
                    ours: series(&comparison.ours, true),
                    theirs: Some(series(&comparison.theirs, false)),
                    bound: bound.map(|(_, bound)| *bound),
                });
            }
        }
    }
    Ok(rows)
}
