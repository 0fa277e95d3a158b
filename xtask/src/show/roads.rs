//! The roads between hosts: whatever happens to them, a link finds another or waits for its own.

use crate::report::Report;
use crate::roads;

/// Adds every proof.
pub(super) fn steps(report: &mut Report) {
    roads::steps(report);
}
