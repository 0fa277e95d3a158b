//! How `mesh forward` ends, and how it gets over an outage.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;

use common::{PATIENCE, Up, World, listening};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A server that sends back what comes, on a free port, for as long as the test runs.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || std::io::copy(&mut &tcp, &mut &tcp));
        }
    });
    port
}

/// A connection through this port that works.
fn connected(port: u16) -> TcpStream {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    tcp.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"ping");
    tcp
}

/// Whether it has ended: at the end of what it brings, or broken.
fn has_ended(tcp: &mut TcpStream) -> bool {
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    match tcp.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// What lets everybody do what these tests do.
const RULES: [&str; 4] = ["--allow-connect", "127.0.0.0/8", "--allow-bind", "0"];

/// An endpoint with these rules.
fn up(world: &World) -> Up {
    let id = ["--id", "a.json", "--accept", "all"];
    world.up(id.into_iter().chain(RULES))
}

/// The same endpoint again, which links by itself to the other one, that is at `there`. That one would notice only after a
/// while.
fn up_again(world: &World, first: Up, mut other: Value, there: &Value) -> Up {
    let port = |text: &str| text.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let there = port(there.as_str().unwrap());
    other["paths"] = json!([{"type": "udp4", "ip": "127.0.0.1", "port": there}]);
    let here = format!("127.0.0.1:{}", first.ready["link"]["paths"][0]["port"]);
    assert_eq!(first.terminate().0, Some(0));
    let link = ["--id", "a.json", "--link", &other.to_string()].map(str::to_owned);
    let link: Vec<&str> = link.iter().map(String::as_str).collect();
    world.up_at(&here, link.into_iter().chain(RULES))
}

#[test]
fn an_interrupted_forward_ends_in_order_with_its_connections_and_ports() {
    let world = World::new();
    let up = up(&world);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let rule = format!("0:{}", server.local_addr().unwrap());
    for signal in [Signal::INT, Signal::TERM] {
        let forward = world.forward(["--id", "b.json", up.uri(), "-L", &rule]);
        let port = listening(&forward.ready);
        let mut here = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut there, _) = server.accept().unwrap();
        forward.signal(signal);
        assert!(has_ended(&mut here) && has_ended(&mut there));
        assert_eq!(forward.terminate().0, Some(0), "{signal:?}");
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    }
}

#[test]
fn an_interrupted_connection_of_standard_input_and_output_says_so_with_its_code() {
    let world = World::new();
    let up = up(&world);
    let to = format!("127.0.0.1:{}", echo());
    let mut through = world.mesh(["forward", "--id", "b.json", up.uri(), "-W", &to]);
    let child = through.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.stderr(Stdio::null()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut answer)
        .unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_peer_that_went_away_is_said_and_is_used_again_once_it_is_back() {
    let world = World::new();
    world.run(["id", "new", "--out", "b.json"]).ok();
    let own = ["id", "show", "--id", "b.json", "--format", "json"];
    let own = serde_json::from_str(&world.run(own).ok().stdout).unwrap();
    let mut first = up(&world);
    let to = format!("127.0.0.1:{}", echo());
    let rule = format!("0:{to}");
    let args = ["--id", "b.json", first.uri(), "--wait", "0.1", "-L", &rule];
    let mut forward = world.forward(args.into_iter().chain(["-R", &rule]));
    let second = forward.wait_for("forwarding");
    let (local, remote) = match second["kind"].as_str() {
        Some("remote") => (&forward.ready, &second),
        _ => (&second, &forward.ready),
    };
    let (local, remote) = (listening(local), listening(remote));
    let mut open = [connected(local), connected(remote)];

    let there = first.wait_for("way")["path"].clone();
    first.signal(Signal::TERM);
    assert!(open.iter_mut().all(has_ended));
    let mut tcp = TcpStream::connect(("127.0.0.1", local)).unwrap();
    assert!(has_ended(&mut tcp));
    let told = forward.wait_for("not-forwarded");
    assert_eq!((&told["denied"], &told["to"]), (&false.into(), &to.into()));

    let _back = up_again(&world, first, own, &there);
    let again = forward.wait_for("forwarding");
    assert_eq!(again["kind"], "remote");
    connected(listening(&again));
    connected(local);
}

#[test]
fn the_running_endpoint_forwards_until_whoever_asked_for_it_leaves() {
    let world = World::new();
    let up = up(&world);
    let _mine = world.up(["--state", "state"]);
    let to = format!("127.0.0.1:{}", echo());
    let rule = format!("0:{to}");
    let forward = world.forward(["--state", "state", up.uri(), "-L", &rule]);
    let port = listening(&forward.ready);
    connected(port);
    let through = ["forward", "--state", "state", up.uri(), "-W", &to];
    let (code, answer, said) = common::with_input(&mut world.mesh(through), b"ping".into());
    assert_eq!((code, answer), (Some(0), b"ping".into()), "{said}");
    assert_eq!(forward.terminate().0, Some(0));
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        thread::yield_now();
    }
}
