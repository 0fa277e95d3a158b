//! Whether secrets show in the time that the cipher sets take. Not part of CI: it wants a quiet machine.

use anyhow::Result;

use crate::shell::{cargo, run as sh};

/// Measures and prints the figures of docs/security.md.
pub(crate) fn run() -> Result<()> {
    sh(cargo().args([
        "run",
        "--release",
        "-p",
        "telehash-benches",
        "--bin",
        "leakage",
    ]))
}
