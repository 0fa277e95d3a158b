use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use super::rules::{self, is_core};

fn violations(graph: &Graph) -> Vec<String> {
    let cores = graph.members().filter(|member| is_core(member));
    let below: BTreeMap<_, _> = cores
        .map(|core| (core.to_owned(), below(graph, core)))
        .collect();
    rules::violations(graph, &below)
}

fn below(graph: &Graph, package: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![package];
    while let Some(next) = open.pop() {
        open.extend(
            graph
                .direct(next)
                .filter(|dependency| seen.insert((*dependency).to_owned())),
        );
    }
    seen
}

/// A small workspace that keeps every rule; `more` adds dependencies to it.
fn workspace(more: &[(&str, &str)]) -> Vec<String> {
    let mut graph = Graph::of(&[
        ("telehash-hashname", &["sha2"]),
        ("telehash-lob", &["serde_cbor"]),
        ("telehash-uri", &["telehash-hashname"]),
        ("telehash-e3x", &["telehash-lob", "telehash-hashname"]),
        ("telehash-link", &["telehash-e3x"]),
        ("telehash-netsim", &["telehash-link", "telehash-transport"]),
        ("telehash-transport", &["telehash-lob"]),
        (
            "telehash-transport-udp",
            &["telehash-transport", "quinn-udp"],
        ),
        ("telehash-transport-quic", &["telehash-transport", "quinn"]),
        ("telehash-channel-path", &["telehash-link"]),
        ("telehash-channel-peer", &["telehash-link"]),
        ("telehash-channel-connect", &["telehash-link"]),
        (
            "telehash-runtime",
            &[
                "telehash-channel-path",
                "telehash-transport",
                "telehash-uri",
                "tokio",
            ],
        ),
        ("telehash-channel-stream", &["telehash-runtime"]),
        (
            "telehash-mesh",
            &[
                "telehash-channel-stream",
                "telehash-transport-udp",
                "telehash-runtime",
            ],
        ),
        ("telehash-cli", &["telehash-mesh"]),
        ("telehash-examples", &["telehash-mesh", "telehash-runtime"]),
        ("xtask", &["telehash-lob"]),
    ]);
    for (from, to) in more {
        graph.add(from, to);
    }
    violations(&graph)
}

#[test]
fn a_workspace_that_keeps_the_rules_has_no_violation() {
    assert_eq!(workspace(&[]), Vec::<String>::new());
}

#[test]
fn an_arrow_that_points_up_is_found() {
    for (from, to) in [
        ("telehash-hashname", "telehash-lob"),
        ("telehash-lob", "telehash-hashname"),
        ("telehash-lob", "telehash-e3x"),
        ("telehash-e3x", "telehash-link"),
        ("telehash-uri", "telehash-link"),
        ("telehash-link", "telehash-channel-path"),
        ("telehash-link", "telehash-netsim"),
        ("telehash-channel-path", "telehash-runtime"),
        ("telehash-transport", "telehash-link"),
        ("telehash-transport", "telehash-transport-udp"),
        ("telehash-transport-udp", "telehash-transport-quic"),
        ("telehash-runtime", "telehash-channel-stream"),
        ("telehash-runtime", "telehash-transport-udp"),
        ("telehash-mesh", "telehash-cli"),
    ] {
        let found = workspace(&[(from, to)]);
        assert!(
            found
                .iter()
                .any(|violation| violation.contains(from) && violation.contains(to)),
            "{from} -> {to} gave {found:?}"
        );
    }
}

#[test]
fn only_the_program_examples_and_tests_use_the_facade() {
    for crate_below in [
        "telehash-channel-stream",
        "telehash-runtime",
        "telehash-netsim",
    ] {
        let found = workspace(&[(crate_below, "telehash-mesh")]);
        let wanted = format!("{crate_below} may not use telehash-mesh");
        assert!(
            found.iter().any(|violation| violation.starts_with(&wanted)),
            "{found:?}"
        );
    }
    assert!(workspace(&[("xtask", "telehash-mesh")]).is_empty());
}

#[test]
fn the_program_takes_nothing_but_the_facade() {
    assert_eq!(workspace(&[("telehash-cli", "telehash-link")]).len(), 1);
}

#[test]
fn no_runtime_hides_below_the_link_layer() {
    let found = workspace(&[("sha2", "innocent"), ("innocent", "tokio")]);
    for core in [
        "telehash-hashname",
        "telehash-e3x",
        "telehash-link",
        "telehash-channel-path",
        "telehash-netsim",
    ] {
        assert!(
            found.contains(&format!("{core} is sans-IO, but tokio is below it")),
            "{core} is missing in {found:?}"
        );
    }
}

#[test]
fn reserved_libraries_stay_in_their_crates() {
    for (from, to) in [
        ("telehash-transport-udp", "quinn"),
        ("telehash-transport", "quinn-udp"),
        ("telehash-runtime", "hyper"),
        ("telehash-runtime", "serde_cbor"),
    ] {
        let found = workspace(&[(from, to)]);
        let wanted = format!("{from} may not use {to}, only");
        assert!(
            found.iter().any(|violation| violation.starts_with(&wanted)),
            "{found:?}"
        );
    }
}

#[test]
fn a_new_crate_must_be_given_a_layer() {
    let found = violations(&Graph::of(&[("telehash-novelty", &[])]));
    assert_eq!(found.len(), 1);
    assert!(
        found
            .iter()
            .all(|violation| violation.contains("has no layer"))
    );
}

#[test]
fn metadata_is_read_without_dependencies_of_tests() {
    let metadata = r#"{
        "packages": [{"id": "a 1", "name": "telehash-lob"}, {"id": "b 1", "name": "telehash-e3x"}, {"id": "c 1", "name": "tokio"}],
        "workspace_members": ["a 1", "b 1"],
        "resolve": {"nodes": [
            {"id": "a 1", "deps": [
                {"pkg": "b 1", "dep_kinds": [{"kind": null, "target": null}]},
                {"pkg": "c 1", "dep_kinds": [{"kind": "dev", "target": null}]}
            ]},
            {"id": "b 1", "deps": []},
            {"id": "c 1", "deps": []}
        ]}
    }"#;
    let graph = Graph::from_metadata(metadata).expect("well-formed");
    assert_eq!(
        violations(&graph),
        ["telehash-lob may not use telehash-e3x: that arrow does not point down"]
    );
}
