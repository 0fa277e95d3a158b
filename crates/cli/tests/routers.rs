//! Links through a router, on the command line.

mod common;

use common::{UNREACHABLE, World};
use serde_json::Value;

/// The line of `mesh link --json`.
fn link(line: &[Value]) -> &Value {
    assert_eq!(line.len(), 1, "{line:?}");
    &line[0]
}

#[test]
fn a_hashname_is_linked_through_a_router() {
    let world = World::new();
    let router = world.up(["--id", "r.json", "--accept", "all", "--router"]);
    world.write("router.json", router.link());
    let via = ["--via", "@router.json"];
    let bob = ["--id", "b.json", "--accept", "all"].into_iter().chain(via);
    let mut bob = world.up(bob);
    bob.wait_for("link");
    let name = bob.hashname().to_owned();
    let ann = ["link", "--id", "a.json", "--json", &name];
    let done = world.run(ann.into_iter().chain(via)).ok().json();
    let line = link(&done);
    assert_eq!(line["state"], "up");
    // Where this machine has an address of its own, the link may have moved there by now.
    let name_of_way = format!("router {}", router.hashname());
    let mut paths = line["paths"].as_array().unwrap().iter();
    let routed = paths.find(|path| path["path"] == name_of_way).unwrap();
    assert_eq!(line["way"] == "relayed", routed["active"] == true, "{line}");

    // Nothing is known of a name without a router, and a router that does not know it stays silent.
    let alone = ["link", "--id", "c.json", &name];
    world.run(alone).failed(UNREACHABLE, &["not known"]);
}

#[test]
fn a_known_router_is_used_by_whoever_is_up() {
    let world = World::new();
    let router = world.up(["--id", "r.json", "--accept", "all", "--router"]);
    world.write("router.json", router.link());
    let add = ["links", "add", "@router.json", "--alias", "home"];
    world.run(add).ok();
    let marked = world.run(["links", "router", "home", "--json"]).ok().json();
    assert_eq!(marked[0]["router"], true);
    let _up = world.up(["--accept", "all"]);
    let linked = world.run(["link", "home", "--json"]).ok().json();
    assert_eq!(link(&linked)["hashname"], router.hashname());
    let status = world.run(["status", "--json"]).ok().json();
    assert_eq!(status[1]["way"], "direct");
    let paths = status[0]["link"]["paths"].as_array().unwrap();
    let named = paths.iter().any(|path| path["hn"] == router.hashname());
    assert!(named, "others are told of it: {paths:?}");
    let unmarked = world.run(["links", "router", "home", "--off", "--json"]);
    assert_eq!(unmarked.ok().json()[0]["router"], false);
}
