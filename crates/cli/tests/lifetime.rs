//! How the program ends.

mod common;

use std::process::Stdio;

use common::World;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn an_endpoint_that_is_told_to_end_ends_in_order() {
    let world = World::new();
    for signal in [Signal::TERM, Signal::INT] {
        let up = world.up(["--id", "a.json"]);
        up.signal(signal);
        assert_eq!(up.terminate().0, Some(0), "{signal:?}");
    }
}

#[test]
fn a_command_that_is_interrupted_says_so_with_its_code() {
    let world = World::new();
    let mut up = world.up(["--id", "a.json", "--accept", "all"]);
    let args = [
        "ping",
        "--id",
        "b.json",
        up.uri(),
        "-c",
        "1000",
        "-i",
        "1000",
    ];
    let mut ping = world.mesh(args);
    let mut ping = ping
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    up.wait_for("link");
    kill_process(Pid::from_child(&ping), Signal::INT).unwrap();
    assert_eq!(ping.wait().unwrap().code(), Some(130));
}

#[test]
fn the_demo_shows_every_step_and_its_figures() {
    let world = World::new();
    let demo = world.run(["demo", "--bytes", "1M", "--json"]).ok().json();
    let steps: Vec<_> = demo
        .iter()
        .map(|line| line["step"].as_str().unwrap())
        .collect();
    let expected = [
        "identities",
        "endpoints",
        "link",
        "direct",
        "ping",
        "stream",
        "chat",
        "file",
        "unknown-channel",
        "stranger",
        "box",
        "close",
    ];
    assert_eq!(steps, expected);
    assert!(demo.iter().all(|line| line["ok"] == true), "{demo:?}");
    let ways = demo[3]["ways"].as_array().unwrap();
    let starts: Vec<_> = [ways.first(), ways.last()]
        .into_iter()
        .map(|way| way.unwrap().as_str().unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(starts, ["router", "udp4"]);
    assert_eq!(demo[5]["bytes"], 1 << 20);
    assert_eq!(demo[6]["messages"], 100);
    assert!(demo[7]["bytes"].as_u64().unwrap() > 1 << 20);
    assert_eq!(demo[8]["answer"], "unknown type");
    assert_eq!(demo[9]["answers"], 0);
    assert_eq!(demo[10]["kept_by_router"], demo[10]["letters"]);
}
