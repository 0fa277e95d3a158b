//! A program with one cipher set is built with the libraries of that set, and with no other's.

use anyhow::{Result, ensure};

use crate::shell::{cargo, output};

/// The features of telehash-e3x, one for each set.
const SETS: [&str; 5] = ["cs1a", "cs1c", "cs2a", "cs3a", "cs42"];

/// Libraries and the sets that need them, by themselves or in another library.
const LIBRARIES: [(&str, &[&str]); 10] = [
    ("aes", &["cs1a", "cs1c"]),
    ("aws-lc-rs", &["cs2a"]),
    ("crypto-bigint", &["cs1a", "cs1c"]),
    ("ctr", &["cs1a", "cs1c"]),
    ("dryoc", &["cs3a"]),
    ("hkdf", &["cs1c", "cs42"]),
    ("hmac", &["cs1a", "cs1c", "cs42"]),
    ("p256", &["cs1c"]),
    ("ring", &["cs42"]),
    ("x25519-dalek", &["cs42"]),
];

/// Compares the dependencies of each set with the table.
pub(crate) fn run() -> Result<()> {
    for set in SETS {
        let tree = output(
            cargo()
                .args([
                    "tree", "--edges", "normal", "--prefix", "none", "--format", "{p}",
                ])
                .args([
                    "-p",
                    "telehash-e3x",
                    "--no-default-features",
                    "--features",
                    set,
                ]),
        )?;
        let is_there = |library| {
            tree.lines()
                .any(|line| line.split_whitespace().next() == Some(library))
        };
        for (library, sets) in LIBRARIES {
            let expected = sets.contains(&set);
            ensure!(
                is_there(library) == expected,
                "{set} alone {} {library}",
                if expected { "lacks" } else { "brings" }
            );
        }
        let own = LIBRARIES.iter().filter(|(_, sets)| sets.contains(&set));
        let own: Vec<_> = own.map(|(library, _)| *library).collect();
        println!(
            "{set} alone: {}, and no library of another set",
            own.join(", ")
        );
    }
    Ok(())
}
