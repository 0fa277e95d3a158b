//! The test suites.

use anyhow::Result;

use crate::shell::{cargo, run as sh};

/// README's command.
pub(crate) fn test() -> Result<()> {
    sh(cargo().args(["test", "--workspace"]))
}

/// The plain tests and those marked `#[ignore = "long: …"]`, optimised as the `ci` profile is.
pub(crate) fn long() -> Result<()> {
    sh(cargo().args([
        "test",
        "--workspace",
        "--profile",
        "ci",
        "--",
        "--include-ignored",
    ]))
}
