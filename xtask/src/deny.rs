//! Licences, bans and sources of all dependencies, as deny.toml says.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell::{cargo, exists, root, run as sh, target_dir};

/// The cargo-deny that is installed when the machine has none.
const VERSION: &str = "0.20.2";

/// Runs cargo-deny; the advisories need the network.
pub(crate) fn run(advisories: bool) -> Result<()> {
    let program = program()?;
    sh(cargo().arg("fetch"))?; // it looks at every target's dependencies, and below it may not ask the network
    let deny = || {
        let mut command = Command::new(&program);
        command.current_dir(root());
        command
    };
    sh(deny().args(["--offline", "check", "bans", "licenses", "sources"]))?;
    if advisories {
        sh(deny().args(["check", "advisories"]))?;
    }
    Ok(())
}

/// The machine's own cargo-deny, or one under the target folder: built without optimisation, which takes a third of
/// the time and is quick enough for one run.
fn program() -> Result<PathBuf> {
    if exists("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let tools = target_dir()?.join("tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        sh(cargo()
            .args([
                "install",
                "--locked",
                "--debug",
                "cargo-deny",
                "--version",
                VERSION,
                "--root",
            ])
            .arg(&tools)
            .arg("--target-dir")
            .arg(tools.join("build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    Ok(program)
}
