//! README's first command.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process;

const LIMIT: Duration = Duration::from_secs(120);

/// Its steps, in order, each with a figure that it has to show.
const STEPS: [(&str, &str); 12] = [
    ("identities", "ann"),
    ("endpoints", "router"),
    ("link", "cipher_set"),
    ("direct", "ways"),
    ("ping", "best_rtt_us"),
    ("stream", "mb_per_s_each_way"),
    ("chat", "messages"),
    ("file", "mb_per_s"),
    ("unknown-channel", "answer"),
    ("stranger", "answers"),
    ("box", "letters"),
    ("close", "ms"),
];

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
    ensure!(
        lines.len() == STEPS.len(),
        "it showed {} steps of {}",
        lines.len(),
        STEPS.len()
    );
    for (line, (step, figure)) in lines.iter().zip(STEPS) {
        ensure!(line["ok"] == true, "a step failed: {line}");
        ensure!(line["step"] == step, "instead of {step}: {line}");
        ensure!(
            !line[figure].is_null(),
            "{step} does not show {figure}: {line}"
        );
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
