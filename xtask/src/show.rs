//! The proofs of a milestone, each with its figure.

mod programs;
mod roads;
mod routers;
mod sets;
mod slice;
mod tests;

use anyhow::{Result, bail};

use crate::report::Report;

/// Runs the proofs of milestone `number`: all, or those with `only` in their name.
pub(crate) fn run(number: u32, only: Option<String>) -> Result<()> {
    let mut report = Report::new("show").only(only);
    match number {
        2 => slice::steps(&mut report)?,
        3 => sets::steps(&mut report),
        4 => roads::steps(&mut report),
        5 => routers::steps(&mut report),
        6 => programs::steps(&mut report),
        _ => {
            bail!(
                "no proofs are written down for {number}; there are those of 2, the first slice, 3, \
                 the cipher sets, 4, the roads, 5, the routers, and 6, the channels for programs"
            )
        }
    }
    report.finish()
}
