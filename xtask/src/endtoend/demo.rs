//! README's first command.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process;

const LIMIT: Duration = Duration::from_secs(120);

/// `mesh demo` succeeds, and each of its steps says so.
pub(crate) fn check(program: &Path) -> Result<String> {
    let done = process::finish(Command::new(program).args(["demo", "--json"]), LIMIT)?;
    let lines = done.json_lines();
    ensure!(
        done.code == Some(0),
        "exit {:?}: {}\n{}",
        done.code,
        done.stderr,
        done.stdout
    );
    ensure!(!lines.is_empty(), "it showed no step");
    for line in &lines {
        ensure!(line["ok"] == true, "a step failed: {line}");
    }
    let steps: Vec<_> = lines
        .iter()
        .filter_map(|line| line["step"].as_str())
        .collect();
    Ok(format!(
        "{} in {:.1} s",
        steps.join(", "),
        done.took.as_secs_f32()
    ))
}
