//! Proofs that are plain tests.

use anyhow::{Context, Result, ensure};

use crate::report::Report;
use crate::shell::{cargo, output};

/// What tests show: (line, package, part of their names).
pub(super) type Proof = (&'static str, &'static str, &'static str);

/// Adds a step for each.
pub(super) fn steps(report: &mut Report, proofs: &[Proof]) {
    for &(line, package, filter) in proofs {
        report.step(line, || passed(package, filter));
    }
}

/// Runs the tests of `package` whose names contain `filter` and returns how many passed; none is an error, so that a
/// renamed test does not silently stop proving anything.
pub(super) fn passed(package: &str, filter: &str) -> Result<String> {
    let log = output(cargo().args(["test", "--all-features", "-p", package, "--", filter]))?;
    let count: usize = log.lines().filter_map(count_of).sum();
    ensure!(count > 0, "no test of {package} has `{filter}` in its name");
    Ok(format!("{count} tests of {package} passed"))
}

/// The number in `test result: ok. 3 passed; …`.
fn count_of(line: &str) -> Option<usize> {
    let (_, after) = line.split_once("test result: ok. ")?;
    after.split(' ').next()?.parse().ok()
}

/// Runs several of them; all have to pass.
pub(super) fn all(tests: &[(&str, &str)]) -> Result<String> {
    let lines: Vec<String> = tests
        .iter()
        .map(|(package, filter)| {
            passed(package, filter).with_context(|| format!("{package} {filter}"))
        })
        .collect::<Result<_>>()?;
    Ok(lines.join(", "))
}
