//! Steps with their seconds and outcomes, printed as they run and once more as a table.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How a step ended, with a remark: a figure, the error, or why it was left out.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It holds.
    Passed(String),
    /// It does not hold.
    Failed(String),
    /// It could not be tried here.
    Skipped(String),
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "ok",
            Self::Failed(_) => "FAILED",
            Self::Skipped(_) => "SKIPPED",
        }
    }

    fn remark(&self) -> &str {
        match self {
            Self::Passed(remark) | Self::Failed(remark) | Self::Skipped(remark) => remark,
        }
    }
}

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Self {
        result.map(|()| String::new()).into()
    }
}

impl From<Result<String>> for Outcome {
    fn from(result: Result<String>) -> Self {
        match result {
            Ok(remark) => Self::Passed(remark),
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// A list of steps; a failed one does not keep the others from running.
pub(crate) struct Report {
    title: &'static str,
    /// Steps without this in their name are left out.
    only: Option<String>,
    rows: Vec<(String, Outcome, Duration)>,
}

impl Report {
    /// A report without steps. `title` is one word.
    pub(crate) fn new(title: &'static str) -> Self {
        Self {
            title,
            only: None,
            rows: Vec::new(),
        }
    }

    /// The same, limited to steps with this in their name.
    pub(crate) fn only(mut self, only: Option<String>) -> Self {
        self.only = only;
        self
    }

    /// Runs one step.
    pub(crate) fn step<O: Into<Outcome>>(
        &mut self,
        name: impl Into<String>,
        run: impl FnOnce() -> O,
    ) {
        let name = name.into();
        if self.only.as_ref().is_some_and(|only| !name.contains(only)) {
            return;
        }
        println!("==> {name}");
        let start = Instant::now();
        let outcome = run().into();
        self.add(name, outcome, start.elapsed());
    }

    /// Adds a step that ran elsewhere.
    pub(crate) fn add(&mut self, name: String, outcome: Outcome, took: Duration) {
        self.rows.push((name, outcome, took));
        if let Some(row) = self.rows.last() {
            println!("    {}", Self::line(row));
        }
    }

    /// Prints the table; a failed step is an error, and so is having run none.
    pub(crate) fn finish(self) -> Result<()> {
        if self.rows.is_empty() {
            bail!(
                "no step has `{}` in its name",
                self.only.unwrap_or_default()
            );
        }
        println!("\n{}", self.title);
        for row in &self.rows {
            println!("  {}", Self::line(row));
        }
        let count = |word| {
            self.rows
                .iter()
                .filter(|(_, outcome, _)| outcome.word() == word)
                .count()
        };
        let (passed, failed, skipped) = (count("ok"), count("FAILED"), count("SKIPPED"));
        println!(
            "{}: {passed} passed, {failed} failed, {skipped} skipped",
            self.title
        );
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.rows.len());
        }
        Ok(())
    }

    fn line((name, outcome, took): &(String, Outcome, Duration)) -> String {
        let seconds = took.as_secs_f32();
        let line = format!("{:8}{seconds:7.1} s  {name}", outcome.word());
        match outcome.remark() {
            "" => line,
            remark => format!("{line}: {remark}"),
        }
    }
}
