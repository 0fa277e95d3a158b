//! The matrix, and when it counts as passed.

use anyhow::{Result, bail};

/// Who starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialer {
    Ours,
    Theirs,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nobody tried yet.
    Untried,
    /// With a figure.
    Passed(String),
    /// With what went wrong.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

/// One combination.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    peer: &'static str,
    dialer: Dialer,
    transport: &'static str,
    set: String,
    what: &'static str,
    required: bool,
    outcome: Outcome,
}

impl Row {
    /// A row that has to pass.
    pub(crate) fn required(
        peer: &'static str,
        dialer: Dialer,
        transport: &'static str,
        set: &str,
        what: &'static str,
    ) -> Self {
        Self {
            peer,
            dialer,
            transport,
            set: set.to_owned(),
            what,
            required: true,
            outcome: Outcome::Untried,
        }
    }

    /// A row that cannot be tried, for `reason`.
    pub(crate) fn skipped(
        peer: &'static str,
        dialer: Dialer,
        transport: &'static str,
        set: &str,
        what: &'static str,
        reason: &str,
    ) -> Self {
        let outcome = Outcome::Skipped(reason.to_owned());
        Self {
            required: false,
            outcome,
            ..Self::required(peer, dialer, transport, set, what)
        }
    }

    fn holds(&self) -> bool {
        match self.outcome {
            Outcome::Passed(_) => true,
            Outcome::Failed(_) => false,
            Outcome::Skipped(_) | Outcome::Untried => !self.required,
        }
    }

    fn print(&self) {
        let dialer = match self.dialer {
            Dialer::Ours => "we dial",
            Dialer::Theirs => "it dials",
        };
        let (word, remark) = match &self.outcome {
            Outcome::Untried => ("UNTRIED", "nothing reported a result"),
            Outcome::Passed(figure) => ("ok", figure.as_str()),
            Outcome::Failed(why) => ("FAILED", why.as_str()),
            Outcome::Skipped(why) if self.required => ("MISSING", why.as_str()),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
        };
        let Self {
            peer,
            transport,
            set,
            what,
            ..
        } = self;
        println!("  {peer:12} {dialer:9} {transport:5} {set:18} {what:8} {word:8} {remark}");
    }
}

/// Rows that are tried together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a> {
    pub(crate) dialer: Dialer,
    pub(crate) transport: &'a str,
    pub(crate) sets: &'a str,
}

impl Group<'_> {
    fn has(&self, row: &Row) -> bool {
        (row.dialer, row.transport, row.set.as_str()) == (self.dialer, self.transport, self.sets)
    }
}

/// All rows.
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// A table to be filled.
    pub(crate) fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// Fills the rows for `what` of telehash-js in this group.
    pub(crate) fn set(&mut self, group: &Group<'_>, what: &str, outcome: &Outcome) {
        for row in &mut self.rows {
            if row.outcome == Outcome::Untried && group.has(row) && row.what == what {
                row.outcome = outcome.clone();
            }
        }
    }

    /// Gives every row that nobody tried the same reason.
    pub(crate) fn skip_untried(&mut self, reason: &str) {
        for row in self
            .rows
            .iter_mut()
            .filter(|row| row.outcome == Outcome::Untried)
        {
            row.outcome = Outcome::Skipped(reason.to_owned());
        }
    }

    /// Gives every row of this group that nobody tried the same failure.
    pub(crate) fn fail_untried(&mut self, group: &Group<'_>, why: &str) {
        for row in self
            .rows
            .iter_mut()
            .filter(|row| row.outcome == Outcome::Untried && group.has(row))
        {
            row.outcome = Outcome::Failed(why.to_owned());
        }
    }

    /// Prints the table; a required row that did not pass is an error.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n  peer         who       over  sets               what     outcome");
        self.rows.iter().for_each(Row::print);
        let missing = self.rows.iter().filter(|row| !row.holds()).count();
        if missing > 0 {
            bail!("{missing} rows of the matrix do not hold");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(vec![
            Row::required("js", Dialer::Ours, "udp4", "3a", "link"),
            Row::skipped("js", Dialer::Ours, "tcp4", "3a", "link", "not built yet"),
        ])
    }

    fn group(dialer: Dialer, sets: &str) -> Group<'_> {
        Group {
            dialer,
            transport: "udp4",
            sets,
        }
    }

    #[test]
    fn a_skip_with_a_reason_passes_unless_it_is_required() {
        let mut filled = table();
        filled.set(
            &group(Dialer::Ours, "3a"),
            "link",
            &Outcome::Passed(String::new()),
        );
        assert!(filled.finish().is_ok());

        let mut skipped = table();
        skipped.skip_untried("no node");
        assert!(skipped.finish().is_err());
    }

    #[test]
    fn a_required_row_that_nobody_tried_fails() {
        assert!(table().finish().is_err());
    }

    #[test]
    fn a_result_counts_only_for_its_own_direction() {
        let mut filled = table();
        filled.set(
            &group(Dialer::Theirs, "3a"),
            "link",
            &Outcome::Passed(String::new()),
        );
        assert!(filled.finish().is_err());
    }

    #[test]
    fn a_result_counts_only_for_its_own_sets() {
        let mut filled = table();
        filled.set(
            &group(Dialer::Ours, "2a"),
            "link",
            &Outcome::Passed(String::new()),
        );
        assert!(filled.finish().is_err());
    }

    #[test]
    fn a_failed_row_fails_the_matrix() {
        let mut filled = table();
        filled.set(
            &group(Dialer::Ours, "3a"),
            "link",
            &Outcome::Failed("timeout".into()),
        );
        assert!(filled.finish().is_err());
    }
}
