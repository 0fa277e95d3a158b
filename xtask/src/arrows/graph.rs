//! Packages and what they depend on.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Who depends on whom, by package name. Dependencies for tests only do not count.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    members: BTreeSet<String>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// The graph in the output of `cargo metadata`.
    pub(crate) fn from_metadata(json: &str) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_str(json).context("cargo metadata is not what it was")?;
        let names: BTreeMap<&str, &str> = metadata
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let name = |id: &str| {
            names
                .get(id)
                .copied()
                .map(str::to_owned)
                .context("a package without a name")
        };
        let mut graph = Self::default();
        for id in &metadata.workspace_members {
            graph.members.insert(name(id)?);
        }
        for node in &metadata.resolve.nodes {
            let from = name(&node.id)?;
            for dependency in node
                .deps
                .iter()
                .filter(|dependency| dependency.is_built_in())
            {
                graph.add(&from, &name(&dependency.pkg)?);
            }
        }
        Ok(graph)
    }

    /// A graph of workspace members that depend on each other and on others as listed.
    #[cfg(test)]
    pub(crate) fn of(members: &[(&str, &[&str])]) -> Self {
        let mut graph = Self::default();
        for (member, dependencies) in members {
            graph.members.insert((*member).to_owned());
            for dependency in *dependencies {
                graph.add(member, dependency);
            }
        }
        graph
    }

    /// Adds one dependency, between any two packages.
    pub(crate) fn add(&mut self, from: &str, to: &str) {
        self.dependencies
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }

    /// The packages of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    /// Whether `package` belongs to the workspace.
    pub(crate) fn is_member(&self, package: &str) -> bool {
        self.members.contains(package)
    }

    /// What `package` itself depends on.
    pub(crate) fn direct(&self, package: &str) -> impl Iterator<Item = &str> {
        self.dependencies
            .get(package)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

impl Dependency {
    /// Whether it is more than a dependency of tests.
    fn is_built_in(&self) -> bool {
        self.dep_kinds
            .iter()
            .any(|kind| kind.kind.as_deref() != Some("dev"))
    }
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}
