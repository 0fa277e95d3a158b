//! Figures of repeated measurements, and what is expected of them.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::scenario::Scenario;

/// What a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    /// The number.
    pub fn limit(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }

    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(limit) => figure >= limit,
            Self::AtMost(limit) => figure <= limit,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(f, "at least {limit}"),
            Self::AtMost(limit) => write!(f, "at most {limit}"),
        }
    }
}

/// What was measured, a value a round.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// Of what: a library, a variant, or a number of links.
    pub name: String,
    pub values: Vec<f64>,
}

impl Series {
    /// These values.
    pub fn new(name: impl fmt::Display, values: Vec<f64>) -> Self {
        let name = name.to_string();
        Self { name, values }
    }
}

/// One line of a table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub scenario: Scenario,
    /// The figure and its unit.
    pub figure: &'static str,
    /// How it was measured: in one process or two, with how many links.
    pub setting: String,
    pub ours: Series,
    /// Beside what, if the ratio is the result.
    pub theirs: Option<Series>,
    pub bound: Option<Bound>,
}

impl Row {
    /// What counts: the ratios of the rounds, or the values if there is nothing beside them. The two
    /// runs of a round follow each other, so that whatever else the machine does slows both.
    pub fn result(&self) -> Option<Summary> {
        match &self.theirs {
            Some(theirs) => Summary::of(&ratios(&self.ours.values, &theirs.values)),
            None => Summary::of(&self.ours.values),
        }
    }

    /// Whether it is as it has to be; of nothing measured, it is not.
    pub fn is_ok(&self) -> bool {
        let Some(bound) = self.bound else { return true };
        self.result()
            .is_some_and(|result| bound.holds(result.median))
    }

    /// `ok` or `below`, of what has a bound.
    pub fn verdict(&self) -> &'static str {
        match (self.bound, self.is_ok()) {
            (None, _) => "",
            (_, true) => "ok",
            (_, false) => "below",
        }
    }
}

fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(a, b)| a / b).collect()
}

/// The time of this percentage of a round's pings, in microseconds.
pub fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = sorted.len().saturating_sub(1) * percent / 100;
    sorted
        .get(at)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// Median and range.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Summary {
    /// Of these values; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let upper = sorted.len() / 2;
        let lower = sorted.len().saturating_sub(1) / 2;
        Some(Self {
            median: (sorted.get(lower)? + sorted.get(upper)?) / 2.0,
            low: *sorted.first()?,
            high: *sorted.last()?,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Three or four digits say enough.
        let digits = match self.median.abs() {
            1000.0.. => 0,
            100.0.. => 1,
            1.0.. => 2,
            _ => 3,
        };
        let Self { median, low, high } = self;
        write!(f, "{median:.digits$} ({low:.digits$}..{high:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: &[f64], theirs: Option<&[f64]>, bound: Bound) -> Row {
        Row {
            scenario: Scenario::Stream,
            figure: "MB/s",
            setting: String::new(),
            ours: Series::new("ours", ours.to_vec()),
            theirs: theirs.map(|values| Series::new("theirs", values.to_vec())),
            bound: Some(bound),
        }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        let row = row(
            &[2.0, 30.0, 8.0],
            Some(&[1.0, 10.0, 2.0]),
            Bound::AtLeast(3.0),
        );
        let result = row.result().unwrap();
        assert_eq!((result.low, result.median, result.high), (2.0, 3.0, 4.0));
        assert_eq!(row.verdict(), "ok");
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_ones() {
        let summary = Summary::of(&[4.0, 1.0, 2.0, 9.0]).unwrap();
        assert_eq!(summary.median, 3.0);
        assert!(Summary::of(&[]).is_none());
    }

    #[test]
    fn what_misses_its_bound_or_was_not_measured_is_below() {
        assert_eq!(row(&[9.0], None, Bound::AtMost(8.0)).verdict(), "below");
        assert_eq!(row(&[8.0], None, Bound::AtMost(8.0)).verdict(), "ok");
        assert_eq!(row(&[], None, Bound::AtMost(8.0)).verdict(), "below");
    }

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let times: Vec<_> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(percentile(&times, 50), 50.0);
        assert_eq!(percentile(&times, 99), 99.0);
        assert!(percentile(&[], 50).is_nan());
    }
}
