//! `mesh netcheck`, which says what it found, and what it takes to find out more.

mod common;

use common::{Up, World};

#[test]
fn without_routers_the_nat_is_unknown_and_it_says_what_to_try() {
    let world = World::new();
    let text = world.run(["netcheck", "--id", "me.json"]).ok().stdout;
    for words in [
        "NAT           unknown",
        "--via ROUTER",
        "--gateway asks",
        "UDP buffers",
        "(GSO)",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let lines = world
        .run(["netcheck", "--id", "me.json", "--json"])
        .ok()
        .json();
    let [found] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&found["event"], &found["nat"]),
        (&"netcheck".into(), &"unknown".into())
    );
    assert!(found["socket"]["receive"].as_u64().unwrap() > 0);
    // Nobody asked for the gateway to be asked.
    assert!(found.get("gateway").is_none(), "{found}");
}

#[test]
fn two_routers_that_see_us_where_we_are_tell_that_there_is_no_nat() {
    let world = World::new();
    let routers: Vec<Up> = ["r.json", "s.json"]
        .into_iter()
        .map(|id| {
            let router = world.up(["--id", id, "--accept", "all", "--router"]);
            world.write(&format!("link-{id}"), router.link());
            router
        })
        .collect();
    let via = ["--via", "@link-r.json", "--via", "@link-s.json"];
    let _mine = world.up(["--state", "state"].into_iter().chain(via));
    let netcheck = ["netcheck", "--state", "state", "--wait", "20", "--json"];
    let lines = world.run(netcheck).ok().json();
    let found = &lines[0];
    assert_eq!(found["nat"], "none", "{found}");
    assert_eq!(found["keeps_port"], true, "{found}");
    assert_eq!(found["routers"], routers.len());
    assert_eq!(found["seen"].as_array().unwrap().len(), routers.len());
    assert!(found["packet_size"].as_u64().unwrap() >= 1200, "{found}");
}
