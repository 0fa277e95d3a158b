//! What the counts depend on besides our code.

use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::shell::output;

/// Two runs of the same code in the same environment count the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Environment {
    /// Its version and commit: it decides which instructions there are.
    pub(super) rustc: String,
    /// What it compiles for.
    pub(super) target: String,
    /// It copies memory.
    pub(super) libc: String,
    /// It decides which processor programs see.
    pub(super) valgrind: String,
    /// The instructions of that processor which ciphers choose by.
    pub(super) processor: String,
}

impl Environment {
    /// Here; the program that is counted says what its processor has.
    pub(super) fn here(processor: &str) -> Result<Self> {
        let about = output(Command::new("rustc").arg("-vV"))?;
        let field = |name: &str| {
            let lines = about.lines().filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(field, _)| *field == name);
            let (_, value) = found
                .next()
                .with_context(|| format!("rustc -vV has no {name}"))?;
            anyhow::Ok(value.to_owned())
        };
        let rustc = format!("{} ({})", field("release")?, field("commit-hash")?);
        Ok(Self {
            rustc,
            target: field("host")?,
            libc: libc(),
            valgrind: output(Command::new("valgrind").arg("--version"))?
                .trim()
                .to_owned(),
            processor: processor.to_owned(),
        })
    }

    /// A sentence for each thing that is another.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let pairs = [
            ("rustc", &self.rustc, &other.rustc),
            ("target", &self.target, &other.target),
            ("libc", &self.libc, &other.libc),
            ("valgrind", &self.valgrind, &other.valgrind),
            ("processor", &self.processor, &other.processor),
        ];
        let differing = pairs.into_iter().filter(|(_, there, here)| there != here);
        differing
            .map(|(what, there, here)| format!("{what} was {there}, and is {here} here"))
            .collect()
    }
}

/// Other libraries than glibc do not tell.
fn libc() -> String {
    let version = output(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    version.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
