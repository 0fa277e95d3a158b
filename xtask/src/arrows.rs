//! Dependencies between the crates point down only (ARCHITECTURE.md, "Arrows").

mod graph;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use crate::shell::{cargo, output};
use graph::Graph;

/// Checks the workspace as `cargo metadata` resolves it, with every feature on.
pub(crate) fn run() -> Result<()> {
    let metadata = output(cargo().args(["metadata", "--format-version=1", "--all-features"]))?;
    let graph = Graph::from_metadata(&metadata)?;
    let mut below = BTreeMap::new();
    for member in graph.members().filter(|member| rules::is_core(member)) {
        below.insert(member.to_owned(), everything_below(member)?);
    }
    let violations = rules::violations(&graph, &below);
    for violation in &violations {
        println!("    {violation}");
    }
    if !violations.is_empty() {
        bail!("{} dependencies point the wrong way", violations.len());
    }
    Ok(())
}

/// All packages that `package` needs when it is built alone, with all of its features: unlike in the workspace as a whole,
/// nobody else turns features of its dependencies on.
fn everything_below(package: &str) -> Result<BTreeSet<String>> {
    let tree = output(cargo().args([
        "tree",
        "--package",
        package,
        "--all-features",
        "--edges=no-dev",
        "--prefix=none",
        "--format={p}",
    ]))?;
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    Ok(names
        .filter(|name| *name != package)
        .map(str::to_owned)
        .collect())
}
