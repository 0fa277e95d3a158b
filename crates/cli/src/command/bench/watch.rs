//! How far the measurements are.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Outcome;
use crate::record::Record;
use crate::report::Report;

/// Between two reports of progress.
const TICK: Duration = Duration::from_millis(100);

/// Reports figures, and progress in between.
pub(super) struct Watch<'a> {
    report: &'a mut Report,
    start: Instant,
    total: Duration,
    reported: Option<Instant>,
    what: String,
}

impl<'a> Watch<'a> {
    /// All is to take about this long.
    pub(super) fn new(report: &'a mut Report, total: Duration) -> Self {
        Self {
            report,
            start: Instant::now(),
            total,
            reported: None,
            what: String::new(),
        }
    }

    /// What is measured from now on.
    pub(super) fn about(&mut self, what: &str) {
        what.clone_into(&mut self.what);
    }

    /// Something was done. Reports that now and then.
    pub(super) async fn tick(&mut self) -> Outcome {
        let now = Instant::now();
        if self.reported.is_some_and(|last| now - last < TICK) {
            return Ok(());
        }
        self.reported = Some(now);
        let record = Record::Measuring {
            what: self.what.clone(),
            ms: (now - self.start).as_millis() as u64,
            of_ms: self.total.as_millis() as u64,
        };
        self.report.report(record).await
    }

    /// Reports a figure.
    pub(super) async fn report(&mut self, record: Record) -> Outcome {
        self.report.report(record).await
    }
}
