//! The results, for people and for programs: a table on the terminal, JSON, Markdown and plots.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    figures::{Row, Summary},
    plan::Plan,
    plot,
    scenario::Scenario,
};

/// What is written as JSON.
#[derive(Serialize)]
struct Document<'a> {
    scenario: Scenario,
    title: String,
    quick: bool,
    rounds: usize,
    rows: Vec<JsonRow<'a>>,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    #[serde(flatten)]
    row: &'a Row,
    result: Option<Summary>,
    verdict: &'static str,
}

/// Writes what was measured of a scenario as JSON, Markdown and SVG, each in a file of its name: a run
/// of some scenarios leaves the results of the others as they are. Pairs on demand have a folder of
/// their own.
pub fn write(plan: &Plan, scenario: Scenario, rows: &[Row]) -> Result<()> {
    let mut folder = plan.out.clone().unwrap_or_else(default_folder);
    if !plan.pairs.is_empty() {
        folder.push("pairs");
    }
    fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    let document = Document {
        scenario,
        title: scenario.title(),
        quick: plan.quick,
        rounds: plan.rounds(),
        rows: rows.iter().map(json).collect(),
    };
    let json = serde_json::to_string_pretty(&document)? + "\n";
    let path = |ending: &str| folder.join(format!("{}.{ending}", scenario.name()));
    write_file(&path("json"), &json)?;
    write_file(&path("md"), &markdown(scenario, rows))?;
    plot::draw(&path("svg"), scenario, rows)
}

fn default_folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    target.join("peers")
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

fn json(row: &Row) -> JsonRow<'_> {
    JsonRow {
        row,
        result: row.result(),
        verdict: row.verdict(),
    }
}

/// The cells of a row: figure, setting, ours, theirs, ratio, bound, verdict.
fn cells(row: &Row) -> [String; 7] {
    let series = |series: &crate::figures::Series| match Summary::of(&series.values) {
        Some(summary) => format!("{}: {summary}", series.name),
        None => series.name.clone(),
    };
    let ratio = row.result().filter(|_| row.theirs.is_some());
    [
        row.figure.to_owned(),
        row.setting.clone(),
        series(&row.ours),
        row.theirs.as_ref().map(series).unwrap_or_default(),
        ratio.map(|ratio| ratio.to_string()).unwrap_or_default(),
        row.bound.map(|bound| bound.to_string()).unwrap_or_default(),
        row.verdict().to_owned(),
    ]
}

const HEAD: [&str; 7] = ["", "where", "ours", "beside", "ratio", "bound", ""];

/// What goes to docs/performance.md: medians and ranges.
fn markdown(scenario: Scenario, rows: &[Row]) -> String {
    let mut text = format!("### {}\n\n", scenario.title());
    // Writing to a string does not fail.
    let _ = writeln!(text, "| {} |", HEAD.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(HEAD.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", cells(row).join(" | "));
    }
    text
}

/// The same for a terminal.
pub fn table(scenario: Scenario, rows: &[Row]) -> String {
    let lines: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned))
        .chain(rows.iter().map(cells))
        .collect();
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = format!("\n{}: {}\n", scenario.name(), scenario.title());
    for line in lines {
        let padded = line.iter().zip(widths);
        let padded: Vec<String> = padded
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Bound, Series};

    #[test]
    fn a_table_says_figures_bounds_and_verdicts() {
        let row = Row {
            scenario: Scenario::IdleMemory,
            figure: "KiB/idle link",
            setting: "10 links".to_owned(),
            ours: Series::new("udp-cs42", vec![9.5]),
            theirs: None,
            bound: Some(Bound::AtMost(8.0)),
        };
        let text = markdown(Scenario::IdleMemory, std::slice::from_ref(&row));
        let line =
            "| KiB/idle link | 10 links | udp-cs42: 9.50 (9.50..9.50) |  |  | at most 8 | below |";
        assert!(text.contains(line), "{text}");
        assert!(
            text.starts_with("### Memory for each idle link, "),
            "{text}"
        );
        assert!(table(Scenario::IdleMemory, &[row]).contains("at most 8  below"));
    }
}
