//! The test suites.

use anyhow::Result;

use crate::files;
use crate::shell::{cargo, run as sh};

/// README's command.
pub(crate) fn test() -> Result<()> {
    sh(cargo().args(["test", "--workspace"]))
}

/// The plain tests and those marked `#[ignore = "long: …"]`, optimised as the `ci` profile is; then what
/// takes whole programs and minutes.
pub(crate) fn long() -> Result<()> {
    sh(cargo().args([
        "test",
        "--workspace",
        "--profile",
        "ci",
        "--",
        "--include-ignored",
    ]))?;
    files::run(&files::LONG)
}
