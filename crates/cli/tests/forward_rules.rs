//! What a peer may reach, as `mesh up` was told, and what both sides see of a denial.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;

use common::{FAILED, REFUSED, UNREACHABLE, USAGE, Up, World, listening};

/// A server that greets, on a free port, for as long as the test runs.
fn greeter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut tcp in listener.incoming().map_while(Result::ok) {
            // Whoever is gone already needs no greeting.
            let _ = tcp.write_all(b"welcome");
        }
    });
    port
}

/// An endpoint that everybody may link to, with these flags.
fn up(world: &World, flags: &[&str]) -> Up {
    let id = ["--id", "a.json", "--accept", "all"];
    world.up(id.into_iter().chain(flags.iter().copied()))
}

#[test]
fn only_what_a_rule_allows_is_reached_and_both_sides_hear_of_the_rest() {
    let world = World::new();
    let port = greeter();
    for (rules, host, allowed) in [
        ("", "127.0.0.1", false),
        ("127.0.0.1:PORT", "127.0.0.1", true),
        ("127.0.0.0/8:PORT", "127.0.0.1", true),
        ("127.0.0.0/8", "127.0.0.1", true),
        ("127.0.0.0/8:1-1023", "127.0.0.1", false),
        ("10.0.0.0/8", "127.0.0.1", false),
        ("10.0.0.0/8 127.0.0.1:PORT", "127.0.0.1", true),
        // Loopback is allowed only by its own network, whatever name leads there.
        ("*:PORT", "127.0.0.1", false),
        ("0.0.0.0/0", "127.0.0.1", false),
        ("*:PORT", "localhost", false),
        ("127.0.0.1:PORT", "localhost", true),
        ("localhost:PORT", "localhost", true),
        ("localhost:PORT", "127.0.0.1", false),
    ] {
        let rules = rules.replace("PORT", &port.to_string());
        let rules = rules.split_whitespace();
        let flags: Vec<&str> = rules.flat_map(|rule| ["--allow-connect", rule]).collect();
        let mut up = up(&world, &flags);
        let to = format!("{host}:{port}");
        let done = world.run(["forward", "--id", "b.json", up.uri(), "-W", &to]);
        if allowed {
            assert_eq!(done.ok().stdout, "welcome", "{flags:?} {to}");
            continue;
        }
        let sentence = format!("does not allow us to connect to {to}; there, run");
        let hint = format!("`mesh up --allow-connect {to}`");
        done.failed(REFUSED, &[&sentence, &hint]);
        let denied = up.wait_for("tunnel-denied");
        assert_eq!(denied["destination"], to, "{flags:?}");
        assert_eq!(denied["bind"], false);
    }
}

#[test]
fn ports_are_bound_only_where_a_rule_allows_it() {
    let world = World::new();
    let rule = |bind: &str| format!("{bind}:127.0.0.1:1");
    for (flags, bind, destination) in [
        (&[][..], "0", "*:0"),
        (&["--allow-bind", "1-65535"], "0", "*:0"),
        (&["--allow-bind", "0"], "*:0", "0.0.0.0:0"),
        (&["--allow-connect", "0.0.0.0/0"], "0", "*:0"),
    ] {
        let mut up = up(&world, flags);
        let denied = world.run(["forward", "--id", "b.json", up.uri(), "-R", &rule(bind)]);
        let hint = format!(
            "mesh up --allow-bind {}",
            destination.trim_start_matches("*:")
        );
        denied.failed(REFUSED, &["does not allow us to listen at", &hint]);
        let denied = up.wait_for("tunnel-denied");
        assert_eq!(denied["destination"], destination, "{flags:?}");
        assert_eq!(denied["bind"], true);
    }
    let up = up(&world, &["--allow-bind", "0"]);
    let forward = world.forward(["--id", "b.json", up.uri(), "-R", &rule("0")]);
    let at = forward.ready["listening"].as_str().unwrap();
    assert!(at.starts_with("127.0.0.1:"), "{at}");
}

#[test]
fn listeners_go_on_after_a_denial_and_say_what_was_denied() {
    let world = World::new();
    let mut up = up(&world, &[]);
    let uri = up.uri().to_owned();
    let forward = ["--id", "b.json", &uri, "-L", "0:127.0.0.1:1"];
    let mut forward = world.forward(forward.into_iter().chain(["-U", "0:127.0.0.1:2"]));
    let second = forward.wait_for("forwarding");
    let (mut tcp, mut udp) = (listening(&forward.ready), listening(&second));
    if second["kind"] == "local" {
        (tcp, udp) = (udp, tcp);
    }
    for _ in 0..2 {
        let mut client = TcpStream::connect(("127.0.0.1", tcp)).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
        let told = forward.wait_for("not-forwarded");
        assert_eq!(told["denied"], true);
        let message = told["message"].as_str().unwrap();
        assert!(message.contains("--allow-connect 127.0.0.1:1"), "{message}");
        assert_eq!(up.wait_for("tunnel-denied")["destination"], "127.0.0.1:1");
    }
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"x", ("127.0.0.1", udp)).unwrap();
    assert_eq!(forward.wait_for("not-forwarded")["to"], "127.0.0.1:2");
    assert_eq!(up.wait_for("tunnel-denied")["destination"], "127.0.0.1:2");
}

#[test]
fn what_nobody_serves_is_told_from_what_is_denied() {
    let world = World::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let closed = closed.unwrap().to_string();
    let up = up(&world, &["--allow-connect", &closed]);
    let args = ["forward", "--id", "b.json", up.uri(), "-W", &closed];
    let words = [&format!("no connection to {closed}"), "refused"];
    world.run(args).failed(UNREACHABLE, &words);

    let site = world.path("site");
    std::fs::create_dir(&site).unwrap();
    let serve = world.serve(["--id", "c.json", "--accept", "all", "site"]);
    let uri = serve.ready["uri"].as_str().unwrap();
    let args = ["forward", "--id", "b.json", uri, "-W", &closed];
    world
        .run(args)
        .failed(REFUSED, &["makes no tunnels", "--allow-connect"]);
}

#[test]
fn a_port_in_use_is_said_here_and_there() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let rule = format!("127.0.0.1:{port}:h:1");
    let up = up(&world, &["--allow-bind", &port]);
    let forward = |flag| world.run(["forward", "--id", "b.json", up.uri(), flag, &rule]);
    let words = ["cannot listen at TCP", &port, "another port"];
    forward("-L").failed(FAILED, &words);
    forward("-D").failed(USAGE, &["-D"]);
    forward("-R").failed(FAILED, &["does not listen at", &port, "address in use"]);
}

#[test]
fn each_flag_names_the_value_that_is_wrong_and_says_why() {
    let world = World::new();
    for (flag, value, word) in [
        ("-L", "80", "PORT:HOST:HOSTPORT"),
        ("-R", "1:h:0", "port 0"),
        ("-D", "x", "no port"),
        ("-U", "1:fe80::1:2", "brackets"),
        ("-W", "h", "HOST:PORT"),
    ] {
        let forward = world.run(["forward", "bob", flag, value]);
        forward.failed(USAGE, &[flag, &format!("'{value}'"), word]);
    }
    world.run(["forward", "bob"]).failed(USAGE, &["-W"]);
    let both = ["forward", "bob", "-W", "h:1", "-D", "1"];
    world.run(both).failed(USAGE, &["-W", "-D"]);
    for (flag, rule) in [
        ("--allow-connect", "here"),
        ("--allow-connect", "10.0.0.0/33"),
        ("--allow-bind", "localhost:80"),
    ] {
        let up = world.run(["up", flag, rule]);
        up.failed(USAGE, &[flag, &format!("'{rule}'")]);
    }
}
