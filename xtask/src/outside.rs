//! "Depend on only the crates you need": programs outside the workspace that take one layer each.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::libraries;
use crate::shell::{cargo, root, run as sh, target_dir};

/// Builds and runs every program of `interop/outside`, and looks at what each cipher set brings along.
pub(crate) fn run() -> Result<()> {
    libraries::run()?;
    let folder = root().join("interop/outside");
    let mut programs: Vec<_> = fs::read_dir(&folder)
        .with_context(|| format!("could not list {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().join("Cargo.toml")))
        .filter(|manifest| manifest.exists())
        .collect();
    programs.sort();
    ensure!(
        !programs.is_empty(),
        "there is no program in interop/outside"
    );
    let target = target_dir()?.join("outside");
    for manifest in programs {
        sh(cargo()
            .args(["run", "--quiet", "--manifest-path"])
            .arg(&manifest)
            .env("CARGO_TARGET_DIR", &target))?;
    }
    Ok(())
}
