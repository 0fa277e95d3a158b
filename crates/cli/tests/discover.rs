//! `mesh discover` and `mesh up --discover`, in a network namespace.
#![cfg(target_os = "linux")]

mod common;
#[path = "../../mesh/tests/namespace/mod.rs"]
mod namespace;

use common::{USAGE, World};

#[test]
fn an_endpoint_that_announces_itself_is_found_and_linked() {
    let name = "an_endpoint_that_announces_itself_is_found_and_linked";
    namespace::in_its_own(name, || {
        let world = World::new();
        let bob = ["--id", "bob.json", "--discover", "--accept", "all"];
        let bob = world.up_at("0.0.0.0:0", bob);
        let lines = world
            .run(["discover", "--id", "me.json", "--json"])
            .ok()
            .json();
        let [found, summary] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(
            (&found["event"], &summary["event"]),
            (&"discover".into(), &"discovered".into())
        );
        assert_eq!(found["hashname"], bob.ready["hashname"]);
        assert_eq!(found["link"]["keys"], bob.ready["link"]["keys"]);
        assert_eq!(summary["found"], 1);

        world.write("found", format!("{found}\n{summary}\n"));
        world.run(["link", "--id", "me.json", "@found"]).ok();
    });
}

#[test]
fn a_running_endpoint_says_who_announces_itself_and_answers_at_once() {
    let name = "a_running_endpoint_says_who_announces_itself_and_answers_at_once";
    namespace::in_its_own(name, || {
        let world = World::new();
        let mut mine = world.up_at("0.0.0.0:0", ["--state", "state"]);
        let bob = world.up_at("0.0.0.0:0", ["--id", "bob.json", "--discover"]);
        assert_eq!(mine.wait_for("discover")["hashname"], bob.ready["hashname"]);

        let shown = world
            .run(["discover", "--state", "state", "--seconds", "0"])
            .ok()
            .stdout;
        assert!(shown.starts_with(bob.hashname()), "{shown}");
        assert!(shown.contains("10.42.42.1:"), "{shown}");
        assert!(shown.contains("1 endpoint within 0 s"), "{shown}");
    });
}

#[test]
fn who_looks_around_can_be_seen_meanwhile() {
    namespace::in_its_own("who_looks_around_can_be_seen_meanwhile", || {
        let world = World::new();
        let mut bob = world.up_at("0.0.0.0:0", ["--id", "bob.json"]);
        let discover = ["discover", "--id", "me.json", "--seconds", "0.5"];
        world.run(discover).ok();
        world.run(discover.into_iter().chain(["--announce"])).ok();
        let me = world.run(["id", "show", "--id", "me.json", "--format", "json"]);
        let seen = bob.wait_for("discover");
        assert_eq!(seen["hashname"], me.ok().json()[0]["hashname"]);
    });
}

#[test]
fn nobody_is_no_failure_and_comes_with_advice() {
    namespace::in_its_own("nobody_is_no_failure_and_comes_with_advice", || {
        let world = World::new();
        let discover = ["discover", "--id", "me.json", "--seconds", "0.2"];
        let shown = world.run(discover).ok().stdout;
        assert!(shown.contains("mesh up --discover"), "{shown}");
        let lines = world
            .run(discover.into_iter().chain(["--json"]))
            .ok()
            .json();
        assert_eq!((lines.len(), &lines[0]["found"]), (1, &0.into()));
    });
}

#[test]
fn a_loopback_address_cannot_be_announced() {
    let world = World::new();
    let up = [
        "up",
        "--id",
        "me.json",
        "--udp",
        "127.0.0.1:0",
        "--discover",
    ];
    world
        .run(up)
        .failed(USAGE, &["cannot announce itself", "--udp"]);
}
