//! The test vectors of cipher set 42, which is ours: published from the code, checked by a program in another language
//! that was written from the page alone.

use std::process::Command;

use anyhow::Result;

use crate::shell::{cargo, root, run as sh};

/// What checks vectors.
const CHECKER: &str = "interop/cs42/check.py";

/// The vectors that came with the page, and ours.
const FILES: [&str; 2] = [
    "interop/vectors/cs42/cs42.json",
    "interop/vectors/ours/cs42.json",
];

/// Tells the test that compares our file with what the code makes to write it.
const WRITE: &str = "TELEHASH_WRITE_VECTORS";

/// Writes our file, then checks as [`check`] does.
pub(crate) fn publish() -> Result<()> {
    sh(tests().env(WRITE, "1"))?;
    checker()
}

/// Runs the tests of the cipher set, one of which compares our file with what the code makes, and the checker over both
/// files.
pub(crate) fn check() -> Result<()> {
    sh(tests().env_remove(WRITE))?;
    checker()
}

fn tests() -> Command {
    let mut command = cargo();
    command.args([
        "test",
        "-p",
        "telehash-e3x",
        "--features",
        "cs42",
        "--lib",
        "cs42::",
    ]);
    command
}

fn checker() -> Result<()> {
    let mut command = Command::new("python3");
    command.current_dir(root()).arg(CHECKER).args(FILES);
    sh(&mut command)
}
