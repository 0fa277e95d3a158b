//! Commands on the endpoint that `mesh up` runs with the same state directory.

mod common;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use common::{FAILED, UNREACHABLE, USAGE, Up, World, noise, with_input};
use serde_json::Value;

/// An endpoint with a state directory, and another one that echoes and lets everybody in.
fn pair(world: &World) -> (Up, Up) {
    let mine = world.up(["--state", "state"]);
    (
        mine,
        world.up(["--id", "them.json", "--accept", "all", "--echo"]),
    )
}

#[test]
fn status_link_and_ping_work_through_the_running_endpoint() {
    let world = World::new();
    let (mut mine, them) = pair(&world);
    world.write("them-link.json", them.link());
    let state = ["--state", "state"];

    let link = world
        .run(
            ["link", "@them-link.json", "--json"]
                .into_iter()
                .chain(state),
        )
        .ok()
        .json();
    assert_eq!(
        (&link[0]["hashname"], &link[0]["state"]),
        (&them.ready["hashname"], &"up".into())
    );
    assert_eq!(link[0]["csid"], "42");
    assert_eq!(mine.wait_for("link")["hashname"], them.ready["hashname"]);

    let ping = ["ping", them.hashname(), "-c", "3", "-i", "0.01"];
    let ping = world.run(ping.into_iter().chain(state)).ok().stdout;
    assert_eq!(
        ping.lines().filter(|line| line.starts_with("seq=")).count(),
        3,
        "{ping}"
    );
    assert!(
        ping.lines()
            .last()
            .unwrap()
            .starts_with("rtt min/avg/max/mdev = "),
        "{ping}"
    );
    assert!(
        ping.contains("3 packets transmitted, 3 received, 0% packet loss"),
        "{ping}"
    );

    let status = world
        .run(["status", "--json"].into_iter().chain(state))
        .ok()
        .json();
    assert_eq!(status[0]["hashname"], mine.ready["hashname"]);
    assert_eq!(status[0]["links"], 1);
    assert_eq!(status[1]["hashname"], them.ready["hashname"]);
    assert_eq!(status[1]["paths"][0]["active"], true, "{status:?}");
    assert!(
        status[1]["moves"].is_u64() && status[1]["doubts"].is_u64(),
        "{status:?}"
    );
}

#[test]
fn a_pipe_through_the_running_endpoint_has_both_ends_of_file() {
    let world = World::new();
    let (_mine, them) = pair(&world);
    let file = noise(1_000_000);
    let mut pipe = world.mesh(["pipe", "--state", "state", them.uri()]);
    let (code, copy, stderr) = with_input(&mut pipe, file.clone());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(copy == file, "{} bytes", copy.len());
    assert!(
        stderr.contains("1000000 bytes sent, 1000000 received"),
        "{stderr}"
    );
}

#[test]
fn the_running_endpoint_hands_a_stream_to_a_pipe_that_listens() {
    let world = World::new();
    let mine = world.up(["--state", "state", "--accept", "all"]);
    let mut listener = world.mesh(["pipe", "--listen", "--state", "state"]);
    let listener = listener
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Until it listens streams are refused, and there is nothing to wait for but that.
    let taken = (0..100).any(|number| {
        let id = format!("{number}.json");
        let mut dialer = world.mesh(["pipe", "--id", &id, mine.uri()]);
        let (code, _, stderr) = with_input(&mut dialer, b"hello".to_vec());
        assert!(code == Some(0) || code == Some(common::REFUSED), "{stderr}");
        code == Some(0)
    });
    assert!(taken);
    let output = listener.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(0), b"hello".to_vec())
    );
}

#[test]
fn failures_cross_the_control_socket_with_their_codes() {
    let world = World::new();
    let (mine, _them) = pair(&world);
    let run = |args: &[&str]| world.run(args.iter().copied().chain(["--state", "state"]));
    run(&["link", "nobody"]).failed(USAGE, &["nobody"]);
    run(&["link", &mine.link()]).failed(USAGE, &["own hashname"]);
    let nobody = world
        .run(["id", "new", "--out", "nobody.json", "--json"])
        .ok()
        .json();
    run(&["ping", &nobody[0]["link"].to_string()]).failed(UNREACHABLE, &["no path"]);
    run(&["pipe", &nobody[0]["link"].to_string()]).failed(UNREACHABLE, &["no path"]);
    run(&["pipe", "--listen", "--accept", "all"]).failed(USAGE, &["runs already"]);
}

#[test]
fn a_second_endpoint_on_the_same_state_is_refused() {
    let world = World::new();
    let _mine = world.up(["--state", "state"]);
    let second = world.run(["up", "--state", "state", "--udp", "127.0.0.1:0"]);
    second.failed(FAILED, &["state", "in use"]);
}

#[test]
fn without_a_running_endpoint_there_is_no_status() {
    let world = World::new();
    world.run(["status"]).failed(FAILED, &["mesh up"]);
    world
        .run(["status", "--id", "a.json"])
        .failed(USAGE, &["--id"]);
}

#[test]
fn known_links_are_changed_with_and_without_a_running_endpoint() {
    let world = World::new();
    let them = world.up(["--id", "them.json", "--accept", "all"]);
    let run = |args: &[&str]| world.run(args.iter().copied().chain(["--state", "state", "--json"]));
    let added = run(&["links", "add", them.uri(), "--alias", "them", "--trust"])
        .ok()
        .json();
    assert_eq!(
        (&added[0]["alias"], &added[0]["trust"]),
        (&"them".into(), &"trusted".into())
    );

    let up = world.up(["--state", "state"]);
    run(&["ping", "them", "-c", "1"]).ok();
    assert_eq!(
        run(&["links", "rename", "them", "friend"]).ok().json()[0]["alias"],
        "friend"
    );
    assert_eq!(
        run(&["links", "block", "friend"]).ok().json()[0]["trust"],
        "blocked"
    );
    assert_eq!(
        run(&["status"]).ok().json()[0]["links"],
        0,
        "a blocked peer loses its link"
    );
    run(&["links", "add", &up.link()]).failed(USAGE, &["own hashname"]);
    assert_eq!(up.terminate().0, Some(0));

    let kept = run(&["links"]).ok().json();
    assert_eq!(
        (&kept[0]["alias"], &kept[0]["trust"]),
        (&"friend".into(), &"blocked".into())
    );
    assert_eq!(
        run(&["links", "rm", "friend"]).ok().json()[0]["event"],
        "forgotten"
    );
    assert!(run(&["links"]).ok().json().is_empty());
    run(&["links", "rm", "friend"]).failed(USAGE, &["friend"]);
}

#[test]
fn a_trusted_link_may_come_in_and_a_stranger_may_not() {
    let world = World::new();
    let me = world
        .run(["id", "new", "--out", "me.json", "--json"])
        .ok()
        .json()
        .remove(0);
    let up = world.up(["--state", "state"]);
    let link = |id: &str| world.run(["link", "--id", id, "--wait", "2", up.uri()]);
    let add = [
        "links",
        "add",
        &me["link"].to_string(),
        "--trust",
        "--state",
        "state",
    ];
    world.run(add).ok();
    link("me.json").ok();
    let stranger = world.run(["link", "--id", "other.json", "--wait", "0.5", up.uri()]);
    stranger.failed(UNREACHABLE, &["no answer"]);
}

#[test]
fn only_the_owner_can_open_the_control_socket_and_nonsense_harms_nobody() {
    let world = World::new();
    let up = world.up(["--state", "state"]);
    let socket = world.path("state/control.sock");
    assert_eq!(
        std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );

    for nonsense in [
        &b"hello\n"[..],
        b"{\"ping\":{}}\n",
        b"\n",
        &[b'x'; 300 * 1024],
    ] {
        let mut client = UnixStream::connect(&socket).unwrap();
        // It may hang up before it has read everything.
        let _ = client.write_all(nonsense);
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        if let Ok(answer) = serde_json::from_str::<Value>(&answer) {
            assert_eq!(answer["failed"]["code"], "usage", "{answer}");
        }
    }
    drop(UnixStream::connect(&socket).unwrap());
    world.run(["status", "--state", "state"]).ok();
    assert_eq!(up.terminate(), (Some(0), String::new()));
    assert!(!socket.exists(), "it is gone with its endpoint");
}

#[test]
fn one_client_too_many_is_told_so_and_makes_room_again() {
    let world = World::new();
    let _up = world.up(["--state", "state"]);
    let socket = world.path("state/control.sock");
    let mut clients: Vec<_> = (0..64)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    world
        .run(["status", "--state", "state"])
        .failed(FAILED, &["64 commands are attached"]);
    // A client that left is gone once another one of its kind gets an answer.
    clients.truncate(32);
    let again = (0..100).any(|_| world.run(["status", "--state", "state"]).code == Some(0));
    assert!(again);
}

#[test]
fn a_listening_pipe_that_is_gone_gets_no_stream() {
    let world = World::new();
    let mine = world.up(["--state", "state", "--accept", "all", "--echo"]);
    let mut listener = world.mesh(["pipe", "--listen", "--state", "state"]);
    let mut listener = listener
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    listener.kill().unwrap();
    listener.wait().unwrap();
    // It may have been waiting, and the endpoint may not have noticed yet.
    let echoed = |id: &str| {
        let mut dialer = world.mesh(["pipe", "--id", id, mine.uri()]);
        with_input(&mut dialer, b"hello".to_vec()).1 == b"hello"
    };
    let ids = ["b.json", "c.json", "d.json"];
    assert!(
        ids.into_iter().any(echoed),
        "every stream goes where nobody is"
    );
}

#[test]
fn a_socket_that_a_crashed_endpoint_left_behind_is_replaced() {
    let world = World::new();
    let up = world.up(["--state", "state"]);
    up.signal(rustix::process::Signal::KILL);
    drop(up);
    assert!(world.path("state/control.sock").exists());
    world
        .run(["status", "--state", "state"])
        .failed(FAILED, &["no endpoint runs"]);
    let _up = world.up(["--state", "state"]);
    world.run(["status", "--state", "state"]).ok();
}
