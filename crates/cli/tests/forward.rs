//! `mesh forward`, with real programs at its ends.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use common::{FAILED, REFUSED, USAGE, World, noise, with_input};
use serde_json::Value;

/// A running program, ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Redis, and its port.
fn redis(world: &World) -> (Running, u16) {
    let port = free_port();
    let args = [
        "--port",
        &port.to_string(),
        "--save",
        "",
        "--bind",
        "127.0.0.1",
    ];
    let mut command = Command::new("redis-server");
    let command = command.args(args).current_dir(world.path(""));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = |line: &String| line.contains("Ready to accept");
    assert!(lines.map_while(Result::ok).any(|line| ready(&line)));
    (Running(child), port)
}

/// A running `mesh forward --json`, and the port that it listens at.
fn forward(world: &World, args: &[&str]) -> (Running, u16) {
    let all = ["forward", "--id", "b.json", "--json"];
    let mut command = world.mesh(all.into_iter().chain(args.iter().copied()));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["event"], "forwarding", "{line}");
    let (_, port) = said["listening"]
        .as_str()
        .unwrap()
        .rsplit_once(':')
        .unwrap();
    (Running(child), port.parse().unwrap())
}

/// Sets a value of several megabytes, and gets the same back.
fn set_and_get(port: u16) {
    let value = noise(4 << 20);
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", value.len());
    tcp.write_all(head.as_bytes()).unwrap();
    tcp.write_all(&value).unwrap();
    tcp.write_all(b"\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        .unwrap();
    let head = format!("+OK\r\n${}\r\n", value.len());
    let mut answer = vec![0; head.len() + value.len() + 2];
    tcp.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[..head.len()], head.as_bytes());
    assert!(answer[head.len()..].starts_with(&value));
}

#[test]
fn redis_is_reached_through_a_local_port() {
    let world = World::new();
    let (_redis, port) = redis(&world);
    let rule = format!("127.0.0.1:{port}");
    let up = world.up([
        "--id",
        "a.json",
        "--accept",
        "all",
        "--allow-connect",
        &rule,
    ]);
    let (_forward, local) = forward(&world, &[up.uri(), "-L", &format!("0:127.0.0.1:{port}")]);
    set_and_get(local);
}

#[test]
fn redis_here_is_reached_through_a_port_of_the_peer() {
    let world = World::new();
    let (_redis, port) = redis(&world);
    let up = world.up(["--id", "a.json", "--accept", "all", "--allow-bind", "0"]);
    let (_forward, remote) = forward(&world, &[up.uri(), "-R", &format!("0:127.0.0.1:{port}")]);
    set_and_get(remote);
}

#[test]
fn curl_fetches_through_socks() {
    let world = World::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut tcp, _) = server.accept().unwrap();
        let mut head = [0; 4096];
        let _ = tcp.read(&mut head).unwrap();
        tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            .unwrap();
    });
    let rule = format!("localhost:{port}");
    let up = world.up([
        "--id",
        "a.json",
        "--accept",
        "all",
        "--allow-connect",
        &rule,
    ]);
    let (_forward, socks) = forward(&world, &[up.uri(), "-D", "0"]);
    let proxy = format!("127.0.0.1:{socks}");
    let url = format!("http://localhost:{port}/");
    let curl = Command::new("curl")
        .args(["-sS", "--noproxy", "", "--socks5-hostname", &proxy, &url])
        .output()
        .unwrap();
    assert_eq!(curl.stdout, b"hello", "{curl:?}");
    serving.join().unwrap();
    let denied = Command::new("curl")
        .args([
            "-sS",
            "--noproxy",
            "",
            "--socks5-hostname",
            &proxy,
            "http://127.0.0.1:1/",
        ])
        .output()
        .unwrap();
    // "Connection not allowed by ruleset".
    assert!(
        String::from_utf8_lossy(&denied.stderr).contains("(2)"),
        "{denied:?}"
    );
}

#[test]
fn standard_input_and_output_reach_a_destination_and_a_denied_one_is_told_on_both_sides() {
    let world = World::new();
    let (_redis, port) = redis(&world);
    let allowed = format!("127.0.0.1:{port}");
    let mut up = world.up([
        "--id",
        "a.json",
        "--accept",
        "all",
        "--allow-connect",
        &allowed,
    ]);
    let mut through = world.mesh(["forward", "--id", "b.json", up.uri(), "-W", &allowed]);
    let (code, answer, stderr) = with_input(&mut through, b"PING\r\nQUIT\r\n".to_vec());
    assert_eq!(
        (code, answer.as_slice()),
        (Some(0), &b"+PONG\r\n+OK\r\n"[..]),
        "{stderr}"
    );
    let denied = ["forward", "--id", "b.json", up.uri(), "-W", "127.0.0.1:1"];
    let words = [
        "does not allow us to connect to 127.0.0.1:1",
        "--allow-connect",
    ];
    world.run(denied).failed(REFUSED, &words);
    let told = up.wait_for("tunnel-denied");
    assert_eq!(told["destination"], "127.0.0.1:1", "{told}");
}

#[test]
fn a_port_in_use_is_said() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let rule = format!("127.0.0.1:{}:h:1", taken.local_addr().unwrap().port());
    let up = world.up(["--id", "a.json", "--accept", "all"]);
    let forward = ["forward", "--id", "b.json", up.uri(), "-L", &rule];
    world
        .run(forward)
        .failed(FAILED, &["cannot listen at TCP", "another port"]);
}

#[test]
fn each_flag_says_what_is_wrong_with_it() {
    let world = World::new();
    for (flag, value, word) in [
        ("-L", "80", "HOST"),
        ("-R", "1:h:0", "port 0"),
        ("-D", "x", "no port"),
        ("-U", "1:fe80::1:2", "brackets"),
        ("-W", "h", "HOST:PORT"),
    ] {
        let forward = world.run(["forward", "bob", flag, value]);
        forward.failed(USAGE, &[flag, word]);
    }
    world.run(["forward", "bob"]).failed(USAGE, &["-W"]);
}
