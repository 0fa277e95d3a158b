//! Targets that name a domain: whose it is comes from a name server on the loopback interface.

mod common;
mod name_server;

use common::{UNREACHABLE, USAGE, Up, World};
use hickory_server::proto::rr::rdata::{A, SRV, TXT};
use hickory_server::proto::rr::{Name, RData};
use mesh::resolve::dns;
use mesh::{LinkJson, Path};
use name_server::{NameServer, name};
use serde_json::Value;

/// What this endpoint publishes.
fn records(up: &Up) -> Vec<(Name, RData)> {
    let link = LinkJson::parse(&up.link()).unwrap();
    let host = name(&format!("{}.example.org", link.hashname));
    let at = link.paths.iter().find_map(Path::socket_addr).unwrap();
    let service = SRV::new(0, 0, at.port(), host.clone());
    let mut records = vec![
        (name("_link._udp.example.org"), RData::SRV(service)),
        (host.clone(), RData::A(A([127, 0, 0, 1].into()))),
    ];
    for text in dns::texts(&link.keys).unwrap() {
        records.push((host.clone(), RData::TXT(TXT::new(vec![text]))));
    }
    records
}

fn only(lines: &[Value]) -> &Value {
    assert_eq!(lines.len(), 1, "{lines:?}");
    &lines[0]
}

#[test]
fn a_domain_leads_to_the_endpoint_that_its_name_server_names() {
    let world = World::new();
    let up = world.up(["--id", "them.json", "--accept", "all"]);
    let names = NameServer::of(records(&up));
    let server = names.address.to_string();
    let asking = ["--name-server", server.as_str(), "--json"];
    for target in ["link://example.org/", "ann@example.org"] {
        let args = ["link", "--id", "me.json", target]
            .into_iter()
            .chain(asking);
        let linked = world.run(args).ok().json();
        let line = only(&linked);
        assert_eq!(
            (&line["state"], &line["hashname"]),
            (&"up".into(), &up.hashname().into())
        );
    }
    // It is remembered with its keys, so that the next time nobody has to be asked.
    let args = ["link", "link://example.org/", "--alias", "them"]
        .into_iter()
        .chain(asking);
    world.run(args).ok();
    drop(names);
    let linked = world.run(["link", "them", "--json"]).ok().json();
    assert_eq!(only(&linked)["hashname"], up.hashname());
}

#[test]
fn a_domain_of_nobody_says_who_was_asked_and_what_to_try() {
    let world = World::new();
    let names = NameServer::of(Vec::new());
    let server = names.address.to_string();
    let args = [
        "link",
        "--id",
        "me.json",
        "ann@example.org",
        "--name-server",
        &server,
    ];
    let words = [
        "ann@example.org",
        "WebFinger: https://example.org/",
        "DNS: there is no service record",
        "OpenID",
        "ask whoever it is for a URI with keys",
    ];
    world.run(args).failed(UNREACHABLE, &words);
}

#[test]
fn an_endpoint_comes_up_though_a_domain_to_link_to_is_not_found() {
    let world = World::new();
    let names = NameServer::of(Vec::new());
    let server = names.address.to_string();
    let args = ["--link", "ann@example.org", "--name-server", &server];
    let mut up = world.up(args);
    let warning = up.wait_for("warning");
    let message = warning["message"].as_str().unwrap();
    assert!(
        message.contains("not linked to ann@example.org"),
        "{message}"
    );
    world.run(["status"]).ok();
}

#[test]
fn a_domain_is_remembered_by_linking_to_it() {
    let world = World::new();
    let add = ["links", "add", "ann@example.org"];
    world
        .run(add)
        .failed(USAGE, &["looked up", "mesh link", "--alias"]);
}

#[test]
fn a_running_endpoint_keeps_its_name_servers() {
    let world = World::new();
    let _up = world.up([]);
    let args = ["link", "ann@example.org", "--name-server", "127.0.0.1:9"];
    world.run(args).failed(USAGE, &["runs already", "mesh up"]);
}
