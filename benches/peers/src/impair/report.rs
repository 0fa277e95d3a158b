//! What was measured, for people and for programs, and what it was to be.

use std::{fmt::Write as _, fs, path::Path as FilePath};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::proxy;

/// A figure with its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: String,
    pub value: f64,
    pub bound: Bound,
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Check {
    pub fn at_least(name: impl Into<String>, value: f64, bound: f64) -> Self {
        Self {
            name: name.into(),
            value,
            bound: Bound::AtLeast(bound),
        }
    }

    pub fn at_most(name: impl Into<String>, value: f64, bound: f64) -> Self {
        Self {
            name: name.into(),
            value,
            bound: Bound::AtMost(bound),
        }
    }

    pub fn is_ok(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.value >= bound,
            Bound::AtMost(bound) => self.value <= bound,
        }
    }

    fn word(&self) -> &'static str {
        match (self.is_ok(), self.bound) {
            (true, _) => "ok",
            (false, Bound::AtLeast(_)) => "**below**",
            (false, Bound::AtMost(_)) => "**above**",
        }
    }

    fn bound(&self) -> String {
        match self.bound {
            Bound::AtLeast(bound) => format!("at least {bound}"),
            Bound::AtMost(bound) => format!("at most {bound}"),
        }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "value": self.value,
            "bound": self.bound(),
            "ok": self.is_ok(),
        })
    }
}

/// A table, the figures behind it, and its checks.
#[derive(Clone, Debug, Default)]
pub struct Section {
    pub title: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub figures: Vec<Value>,
    pub checks: Vec<Check>,
    /// What the proxies did, with what each measured.
    pub proxies: Vec<(String, proxy::Report)>,
}

impl Section {
    pub fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.iter().map(|&cell| cell.to_owned()).collect(),
            ..Self::default()
        }
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        for row in [&self.head, &vec!["---".to_owned(); self.head.len()]]
            .into_iter()
            .chain(&self.rows)
        {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        if !self.checks.is_empty() {
            text.push_str("\n| bound | | | |\n| --- | --- | --- | --- |\n");
        }
        for check in &self.checks {
            let (name, value, word) = (&check.name, check.value, check.word());
            let _ = writeln!(text, "| {name} | {value:.2} | {} | {word} |", check.bound());
        }
        for (what, report) in &self.proxies {
            if report.overrun > 0 {
                let overrun = report.overrun;
                let _ = writeln!(
                    text,
                    "\n{what} is void: the proxy was overrun by {overrun} datagrams."
                );
            }
        }
        let late = self.proxies.iter().map(|(_, report)| report.late_p99).max();
        if let Some(late) = late {
            let _ = writeln!(
                text,
                "\nOf the worst run 99 % of the datagrams left the proxy within {late:?} of their time."
            );
        }
        text
    }

    fn json(&self) -> Value {
        let proxies = self.proxies.iter().map(|(what, report)| {
            json!({
                "run": what,
                "sent": report.sent,
                "lost": report.lost,
                "dropped": report.dropped,
                "overrun": report.overrun,
                "late_p99_us": report.late_p99.as_micros() as u64,
            })
        });
        json!({
            "title": self.title,
            "figures": self.figures,
            "checks": self.checks.iter().map(Check::json).collect::<Vec<_>>(),
            "proxies": proxies.collect::<Vec<_>>(),
        })
    }
}

/// Writes `impair.md` and `impair.json` to this folder, and prints the former.
pub fn write(sections: &[Section], folder: &FilePath) -> Result<()> {
    let markdown: Vec<String> = sections.iter().map(Section::markdown).collect();
    let markdown = markdown.join("\n");
    let json = Value::Array(sections.iter().map(Section::json).collect());
    fs::create_dir_all(folder)?;
    fs::write(folder.join("impair.md"), &markdown)?;
    fs::write(
        folder.join("impair.json"),
        serde_json::to_string_pretty(&json)?,
    )?;
    println!("{markdown}");
    Ok(())
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The value in the middle.
pub fn median(values: &[f64]) -> Result<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied();
    middle.context("nothing was measured")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_met_at_the_bound_and_not_beyond() {
        assert!(Check::at_least("a", 0.9, 0.9).is_ok());
        assert!(!Check::at_least("a", 0.899, 0.9).is_ok());
        assert!(!Check::at_least("a", f64::NAN, 0.9).is_ok());
        assert!(Check::at_most("a", 1.5, 1.5).is_ok());
        assert!(!Check::at_most("a", 1.501, 1.5).is_ok());
        assert!(!Check::at_most("a", f64::NAN, 1.5).is_ok());
    }

    #[test]
    fn a_miss_is_told_with_its_bound() {
        let mut section = Section::new("Rates", &["path", "ours"]);
        section.rows.push(vec!["8M".to_owned(), "3".to_owned()]);
        section
            .checks
            .push(Check::at_least("ours by quinn", 0.5, 0.9));
        let text = section.markdown();
        assert!(
            text.contains("| path | ours |\n| --- | --- |\n| 8M | 3 |\n"),
            "{text}"
        );
        assert!(
            text.contains("| ours by quinn | 0.50 | at least 0.9 | **below** |"),
            "{text}"
        );
        assert_eq!(section.json()["checks"][0]["ok"], false);
    }

    #[test]
    fn overruns_void_a_run() {
        let mut section = Section::new("Rates", &["path"]);
        let report = proxy::Report {
            overrun: 3,
            ..proxy::Report::default()
        };
        section.proxies.push(("8M, ours".to_owned(), report));
        let text = section.markdown();
        assert!(text.contains("8M, ours is void"), "{text}");
    }

    #[test]
    fn means_and_medians() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]).expect("there are some"), 2.0);
        assert!(median(&[]).is_err());
    }
}
