//! The commit that recorded the counts, counted again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::measure::Measured;
use super::table::Counts;
use crate::shell::{output, root, run as sh, target_dir};

/// The commit that changed `file` last.
pub(super) fn commit(file: &str) -> Result<String> {
    let shallow = output(git().args(["rev-parse", "--is-shallow-repository"]))?;
    ensure!(
        shallow.trim() == "false",
        "which commit recorded {file} cannot be known in a shallow clone; `git fetch --unshallow` gets the rest"
    );
    let commit = output(git().args(["log", "-1", "--format=%H", "--", file]))?;
    match commit.trim() {
        "" => bail!("{file} is in no commit yet, so there is nothing to count again; commit it"),
        commit => Ok(commit.to_owned()),
    }
}

/// Counts it, in a folder of its own.
pub(super) fn count(commit: &str) -> Result<Counts> {
    let tree = WorkTree::add(commit)?;
    Ok(Measured::of(&tree.0, "counts-before")?.counts)
}

/// The files of a commit, removed when this is dropped.
struct WorkTree(PathBuf);

impl WorkTree {
    fn add(commit: &str) -> Result<Self> {
        let folder = target_dir()?.join("counts-commit");
        remove(&folder); // what an earlier run that was killed left
        sh(git()
            .args(["worktree", "add", "--force", "--detach"])
            .arg(&folder)
            .arg(commit))?;
        Ok(Self(folder))
    }
}

impl Drop for WorkTree {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// An error means that there is none.
fn remove(folder: &Path) {
    if folder.exists() {
        let _none = sh(git().args(["worktree", "remove", "--force"]).arg(folder));
    }
}

fn git() -> Command {
    let mut command = Command::new("git");
    command.current_dir(root());
    command
}
