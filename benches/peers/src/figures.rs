//! Medians and ranges of repeated measurements.

use std::{fmt, time::Duration};

/// The figures of one library, a value a round.
#[derive(Debug, Default)]
pub struct Figures {
    pub megabytes_per_second: Vec<f64>,
    pub cpu_seconds_per_gigabyte: Vec<f64>,
    pub ping_p50: Vec<f64>,
    pub ping_p99: Vec<f64>,
    pub setups_per_second: Vec<f64>,
    pub kib_per_idle_link: Vec<f64>,
}

impl Figures {
    /// Name, unit and values of each figure.
    pub fn rows(&self) -> [(&'static str, &[f64]); 6] {
        [
            ("MB/s", &self.megabytes_per_second),
            ("cpu-s/GB", &self.cpu_seconds_per_gigabyte),
            ("ping p50 us", &self.ping_p50),
            ("ping p99 us", &self.ping_p99),
            ("set-ups/s", &self.setups_per_second),
            ("KiB/idle link, far end", &self.kib_per_idle_link),
        ]
    }

    /// Adds the percentiles of one round of pings.
    pub fn add_pings(&mut self, mut times: Vec<Duration>) {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
        self.ping_p50.push(at(50));
        self.ping_p99.push(at(99));
    }
}

/// Ours by theirs: the median of the rounds' ratios. The two runs of a round follow each other, so
/// that whatever else the machine does slows both. `None` without any round.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    Some(Summary::of(&ratios)?.median)
}

/// Median and range.
pub struct Summary {
    median: f64,
    low: f64,
    high: f64,
}

impl Summary {
    /// Of these values; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Self {
            median: *sorted.get(sorted.len() / 2)?,
            low: *sorted.first()?,
            high: *sorted.last()?,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}..{:.2})", self.median, self.low, self.high)
    }
}
