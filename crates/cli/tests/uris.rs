//! `mesh uri show`.

mod common;

use common::{USAGE, World};

const URI: &str = "link://192.0.2.1:5/?shoe=size&cs1a=1#fragment";

#[test]
fn a_uri_is_explained_with_what_had_to_be_skipped() {
    let shown = World::new().run(["uri", "show", URI]).ok().stdout;
    for line in [
        "host      192.0.2.1, port 5",
        "query     shoe",
        "fragment  yes",
        "skipped   \"cs1a\"",
    ] {
        assert!(shown.contains(line), "no `{line}` in {shown}");
    }
}

#[test]
fn strictly_read_the_same_uri_is_refused() {
    World::new()
        .run(["uri", "show", "--strict", URI])
        .failed(USAGE, &["cs1a"]);
    World::new()
        .run(["uri", "show", "no uri"])
        .failed(USAGE, &["blank"]);
}

#[test]
fn a_uri_that_leads_through_a_router_links_a_stranger_once_and_is_listed_and_revoked() {
    let world = World::new();
    let router = ["--state", "router", "--accept", "all", "--router"];
    let router = world.up(router);
    world.write("router.json", router.link());
    let mut bob = world.up(["--state", "bob", "--via", "@router.json"]);
    bob.wait_for("router-uri");
    let uri = |args: &[&str]| {
        let all = ["uri", "new", "--state", "bob", "--json"].into_iter();
        let made = world.run(all.chain(args.iter().copied())).ok().json();
        made[0].clone()
    };
    let made = uri(&["--once", "--alias", "ann", "--via", router.hashname()]);
    assert_eq!(made["through"], router.hashname());
    let text = made["uri"].as_str().unwrap();
    assert!(text.contains("sid=") && text.contains('#'), "{text}");
    assert!(!text.contains(bob.hashname()), "{text}");
    // Beside them there is the invite of `mesh up`.
    let shared = || {
        let list = ["uri", "list", "--state", "bob", "--json"];
        let mut open = world.run(list).ok().json();
        open.retain(|one| one["through"] == router.hashname());
        open
    };
    let open = shared();
    assert_eq!((open.len(), &open[0]["handle"]), (1, &made["handle"]));
    let add = ["links", "add", "--state", "eve", text, "--alias", "bob"];
    let refused = world.run(add);
    refused.failed(USAGE, &["leads through a router", "mesh link"]);
    let linked = world.run(["link", "--state", "ann", "--json", text]);
    let linked = linked.ok().json();
    assert_eq!(linked[0]["hashname"], bob.hashname());
    bob.wait_for("invited");
    assert!(shared().is_empty(), "spent");

    let made = uri(&[]);
    let text = made["uri"].as_str().unwrap();
    world.run(["uri", "revoke", "--state", "bob", text]).ok();
    assert!(shared().is_empty(), "revoked");

    let sessions = ["uri", "list", "--state", "router", "--json"];
    let listed = world.run(sessions).ok().json();
    let of_bob = listed.iter().find(|one| one["hashname"] == bob.hashname());
    let handle = of_bob.unwrap()["handle"].as_str().unwrap();
    let revoke = ["uri", "revoke", "--state", "router", handle];
    world.run(revoke).ok();
    world.run(revoke).failed(common::FAILED, &["no such"]);
    let alone = ["uri", "new", "--state", "nobody"];
    world
        .run(alone)
        .failed(common::FAILED, &["no endpoint runs"]);
}
