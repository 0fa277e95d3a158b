//! `mesh bench`. What it measures of a machine that is busy with other tests says nothing: that there is a figure does.

mod common;

use common::{UNREACHABLE, USAGE, World};
use serde_json::Value;

const FIGURES: [&str; 4] = [
    "megabytes_per_second",
    "ping_p50_us",
    "ping_p99_us",
    "set_ups_per_second",
];

fn assert_sane(row: &Value) {
    for figure in FIGURES {
        let value = row[figure].as_f64();
        assert!(
            value.is_some_and(|value| value.is_finite() && value > 0.0),
            "{figure} of {row}"
        );
    }
    let [p50, p99] = ["ping_p50_us", "ping_p99_us"].map(|name| row[name].as_f64().unwrap());
    assert!(p50 <= p99, "{row}");
}

#[test]
fn it_measures_every_transport_in_both_sets() {
    let args = ["bench", "--seconds", "0.1", "--bytes", "64K", "--json"];
    let lines = World::new().run(args).ok().json();
    let (memory, rows) = lines.split_last().unwrap();
    let cases: Vec<_> = rows
        .iter()
        .map(|row| ["transport", "cipher_set"].map(|name| row[name].as_str().unwrap()))
        .collect();
    let sets = ["42", "3a"];
    let transports = ["udp", "tcp", "tls", "quic"];
    let expected = transports.map(|transport| sets.map(|set| [transport, set]));
    assert_eq!(cases, expected.concat());
    for row in rows {
        assert_eq!(row["event"], "bench-row");
        assert_sane(row);
    }
    assert_eq!(memory["event"], "bench");
    assert_eq!(memory["unit"], "KiB");
    let kib = memory["value"].as_f64().unwrap();
    assert!(kib > 0.0 && kib < 1024.0, "{memory}");
}

#[test]
fn it_prints_a_table_of_what_was_asked_for() {
    let args = [
        "bench",
        "--transport",
        "tcp",
        "--cs",
        "1a",
        "--seconds",
        "0",
    ];
    let table = World::new().run(args).ok().stdout;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("transport  set      MB/s"), "{table}");
    let row: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!((row[0], row[1], row.len()), ("tcp", "1a", 7), "{table}");
    assert!(lines[2].starts_with("memory of an idle link"), "{table}");
}

#[test]
fn it_measures_with_another_endpoint() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all", "--echo"]);
    let bench = ["bench", "--id", "b.json", up.uri(), "--bytes", "1M"];
    let args = bench.into_iter().chain(["--seconds", "1", "--json"]);
    let figures = world.run(args).ok().json();
    let units: Vec<_> = figures.iter().map(|line| line["unit"].clone()).collect();
    assert_eq!(units, ["ms", "us", "us", "MB/s"], "{figures:?}");
    for figure in &figures {
        assert!(figure["value"].as_f64().unwrap() > 0.0, "{figures:?}");
    }
}

#[test]
fn it_says_that_a_target_does_not_answer() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "none"]);
    let args = ["bench", "--id", "b.json", up.uri(), "--wait", "0.3"];
    world.run(args).failed(UNREACHABLE, &["no answer"]);
}

#[test]
fn a_target_decides_about_its_transport_and_set_itself() {
    let world = World::new();
    for option in [["--transport", "tcp"], ["--cs", "3a"]] {
        let args = ["bench", "somebody"].into_iter().chain(option);
        world.run(args).failed(USAGE, &["cannot be used with"]);
    }
}
