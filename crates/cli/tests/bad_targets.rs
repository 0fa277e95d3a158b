//! Targets that are none, or nobody.

mod common;

use std::net::UdpSocket;

use common::{FAILED, UNREACHABLE, USAGE, World};
use serde_json::{Value, json};

/// A hashname that nobody has.
const NOBODY: &str = "ekkubb4bmjrqikl4mp6flzbzw6mvauwgvppkl3e2tfa2jdtnavya";

/// What `mesh link` to this target comes to.
fn link(world: &World, target: &str) -> common::Done {
    world.run(["link", "--id", "me.json", "--wait", "0.3", target])
}

fn identity(world: &World, name: &str) -> Value {
    world
        .run(["id", "new", "--out", name, "--json"])
        .ok()
        .json()
        .remove(0)
}

#[test]
fn a_target_that_is_malformed_says_what_it_was_taken_for() {
    let world = World::new();
    identity(&world, "me.json");
    world.write("broken.json", r#"{"hashname":"#);
    for (target, words) in [
        ("@broken.json", &["broken.json"][..]),
        ("@missing.json", &["missing.json"]),
        (r#"{"hashname":"#, &["link JSON"]),
        (r#"{"hashname":"abc"}"#, &["52"]),
        ("link://127.0.0.1:99999/?cs3a=abc", &["port"]),
        ("link://127.0.0.1:42424/", &["no keys"]),
        ("notahashnameatall", &["notahashnameatall"]),
    ] {
        link(&world, target).failed(USAGE, words);
    }
}

#[test]
fn our_own_hashname_is_no_target() {
    let world = World::new();
    let own = identity(&world, "me.json");
    let mut target = own["link"].clone();
    target["paths"] = json!([{ "type": "udp4", "ip": "127.0.0.1", "port": 9 }]);
    link(&world, &target.to_string()).failed(USAGE, &["own hashname"]);
    link(&world, own["hashname"].as_str().unwrap()).failed(USAGE, &["own hashname"]);
}

#[test]
fn a_name_alone_is_not_enough_to_reach_somebody() {
    let world = World::new();
    identity(&world, "me.json");
    link(&world, NOBODY).failed(UNREACHABLE, &["keys", "link JSON"]);
    let stranger = identity(&world, "stranger.json");
    link(&world, &stranger["link"].to_string()).failed(UNREACHABLE, &["no path"]);
}

#[test]
fn a_peer_of_another_cipher_set_cannot_be_linked_to() {
    let world = World::new();
    identity(&world, "me.json");
    // 21 bytes, as long as a key of CS1a is.
    let key = "a".repeat(34);
    let path = json!({ "type": "udp4", "ip": "127.0.0.1", "port": 9 });
    let target = json!({ "keys": { "1a": key }, "paths": [path] });
    link(&world, &target.to_string()).failed(FAILED, &["cipher set"]);
}

#[test]
fn a_peer_that_does_not_answer_is_unreachable_for_every_command() {
    let world = World::new();
    identity(&world, "me.json");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut target = identity(&world, "silent.json")["link"].clone();
    let port = silent.local_addr().unwrap().port();
    target["paths"] = json!([{ "type": "udp4", "ip": "127.0.0.1", "port": port }]);
    let target = target.to_string();
    for command in ["link", "ping", "pipe", "bench"] {
        let args = [command, "--id", "me.json", "--wait", "0.3", &target];
        world
            .run(args)
            .failed(UNREACHABLE, &["no answer", "--allow"]);
    }
}

#[test]
fn a_peer_that_does_not_know_us_is_silent_and_the_hint_says_so() {
    let world = World::new();
    let up = world.up(["--id", "them.json"]);
    let own = identity(&world, "me.json");
    let hint = format!("mesh links trust {}", own["hashname"].as_str().unwrap());
    link(&world, &up.link()).failed(UNREACHABLE, &["no answer", &hint]);
}

#[test]
fn a_port_in_use_is_named() {
    let world = World::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world
        .run(["up", "--udp", &address])
        .failed(FAILED, &[&address, "in use"]);
}
