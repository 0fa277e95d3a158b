//! The constants that bound something, and what `docs/limits.md` says of them.
//!
//! A constant of a crate's sources is a limit if its name starts with `MAX_`, contains `CAPACITY`, or a line of its
//! documentation says `Limit:`. Each has a row in the table: its name, its value as the source writes it, what happens
//! at it, and the test that goes there.

mod sources;
mod table;
#[cfg(test)]
mod tests;

use anyhow::{Result, bail};

use crate::shell::root;
use sources::Sources;

/// The page with the table.
const PAGE: &str = "docs/limits.md";

/// Prints every limit and whatever is wrong with the table.
pub(crate) fn run() -> Result<()> {
    let sources = Sources::read(&root().join("crates"))?;
    for limit in sources.limits() {
        println!("    {:48} = {}", limit.path(), limit.value);
    }
    let wrong = table::faults(&std::fs::read_to_string(root().join(PAGE))?, &sources);
    for fault in &wrong {
        println!("    {fault}");
    }
    if !wrong.is_empty() {
        bail!("{} rows of {PAGE} are missing or wrong", wrong.len());
    }
    Ok(())
}
