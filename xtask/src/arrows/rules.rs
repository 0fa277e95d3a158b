//! The rules, as data, and who breaks them.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;

/// The sans-IO crates: no runtime, socket or clock may appear anywhere below them.
const CORE: [&str; 9] = [
    "telehash-hashname",
    "telehash-lob",
    "telehash-uri",
    "telehash-e3x",
    "telehash-link",
    "telehash-channel-path",
    "telehash-channel-peer",
    "telehash-channel-connect",
    "telehash-netsim",
];

/// What may not appear below [`CORE`], at any depth.
const IO: [&str; 8] = [
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "quinn",
    "quinn-udp",
    "hyper",
];

/// Libraries that only the named crates of ours may use themselves. A trailing `*` stands for any ending.
const RESERVED: [(&str, &[&str]); 4] = [
    ("quinn", &["telehash-transport-quic"]),
    ("quinn-udp", &["telehash-transport-udp"]),
    (
        "hyper",
        &[
            "telehash-channel-thtp",
            "telehash-channel-ws",
            "telehash-resolve",
        ],
    ),
    ("serde_cbor", &["telehash-lob"]),
];

/// Packages that belong to no layer: they may use any crate, and no crate may use them.
const OUTSIDERS: [&str; 3] = ["xtask", "telehash-benches", "telehash-examples"];

const LINK_AND_BELOW: &[&str] = &[
    "telehash-link",
    "telehash-e3x",
    "telehash-lob",
    "telehash-hashname",
];
/// The simulated network has the in-memory transport's model of a bad one, which is without I/O.
const NETSIM: &[&str] = &[
    "telehash-link",
    "telehash-e3x",
    "telehash-lob",
    "telehash-hashname",
    "telehash-transport",
];
const RUNTIME_AND_BELOW: &[&str] = &[
    "telehash-runtime",
    "telehash-channel-path",
    "telehash-channel-peer",
    "telehash-channel-connect",
    "telehash-transport",
    "telehash-uri",
    "telehash-link",
    "telehash-e3x",
    "telehash-lob",
    "telehash-hashname",
];
/// A byte stream is the face of any reliable channel.
const STREAM_AND_BELOW: &[&str] = &[
    "telehash-channel-stream",
    "telehash-runtime",
    "telehash-channel-path",
    "telehash-channel-peer",
    "telehash-channel-connect",
    "telehash-transport",
    "telehash-uri",
    "telehash-link",
    "telehash-e3x",
    "telehash-lob",
    "telehash-hashname",
];

/// Which crates of ours each crate of ours may use; the first line that fits counts. (No crate can use itself,
/// so a list that names its own crate does no harm.)
const LAYERS: [(&str, &[&str]); 20] = [
    ("telehash-hashname", &[]),
    ("telehash-lob", &[]),
    ("telehash-portmap", &[]),
    ("telehash-uri", &["telehash-hashname"]),
    ("telehash-resolve", &["telehash-uri", "telehash-hashname"]),
    ("telehash-e3x", &["telehash-lob", "telehash-hashname"]),
    ("telehash-transport", &["telehash-lob", "telehash-hashname"]),
    (
        "telehash-transport-*",
        &["telehash-transport", "telehash-lob", "telehash-hashname"],
    ),
    ("telehash-link", LINK_AND_BELOW),
    ("telehash-netsim", NETSIM),
    ("telehash-channel-path", LINK_AND_BELOW),
    ("telehash-channel-peer", LINK_AND_BELOW),
    ("telehash-channel-connect", LINK_AND_BELOW),
    ("telehash-runtime", RUNTIME_AND_BELOW),
    ("telehash-channel-chat", STREAM_AND_BELOW),
    ("telehash-channel-files", STREAM_AND_BELOW),
    ("telehash-channel-sock", STREAM_AND_BELOW),
    ("telehash-channel-thtp", STREAM_AND_BELOW),
    ("telehash-channel-*", RUNTIME_AND_BELOW),
    ("telehash-cli", &["telehash-mesh"]),
];

/// The facade may use every crate but these.
const FACADE: &str = "telehash-mesh";
const ABOVE_FACADE: &[&str] = &["telehash-cli"];

/// Whether `package` may have no I/O below it, at any depth.
pub(super) fn is_core(package: &str) -> bool {
    CORE.contains(&package)
}

/// One sentence for each dependency that the rules forbid. `below` has everything below each core crate.
pub(super) fn violations(graph: &Graph, below: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for member in graph.members().filter(|member| !OUTSIDERS.contains(member)) {
        found.extend(upward(graph, member));
        found.extend(reserved(graph, member));
        found.extend(input_and_output(member, below.get(member)));
    }
    found
}

fn upward(graph: &Graph, member: &str) -> Vec<String> {
    let ours = graph
        .direct(member)
        .filter(|dependency| graph.is_member(dependency));
    if member == FACADE {
        return ours
            .filter(|dependency| {
                ABOVE_FACADE.contains(dependency) || OUTSIDERS.contains(dependency)
            })
            .map(|dependency| format!("{member} may not use {dependency}, which is above it"))
            .collect();
    }
    let Some((_, allowed)) = LAYERS.iter().find(|(pattern, _)| fits(pattern, member)) else {
        return vec![format!(
            "{member} has no layer: give it a line in xtask/src/arrows/rules.rs"
        )];
    };
    ours.filter(|dependency| !allowed.contains(dependency))
        .map(|dependency| {
            format!("{member} may not use {dependency}: that arrow does not point down")
        })
        .collect()
}

fn reserved(graph: &Graph, member: &str) -> Vec<String> {
    RESERVED
        .iter()
        .filter(|(library, users)| {
            !users.contains(&member)
                && graph
                    .direct(member)
                    .any(|dependency| dependency == *library)
        })
        .map(|(library, users)| {
            format!(
                "{member} may not use {library}, only {} may",
                users.join(", ")
            )
        })
        .collect()
}

fn input_and_output(member: &str, below: Option<&BTreeSet<String>>) -> Vec<String> {
    below
        .into_iter()
        .flatten()
        .filter(|dependency| IO.contains(&dependency.as_str()))
        .map(|dependency| format!("{member} is sans-IO, but {dependency} is below it"))
        .collect()
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}
