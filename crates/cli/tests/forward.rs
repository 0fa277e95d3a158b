//! `mesh forward`, with real programs at its ends.

mod common;
mod name_server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use common::{PATIENCE, Running, Up, World, listening, noise, with_input};
use hickory_server::proto::op::{Message, Query};
use hickory_server::proto::rr::rdata::A;
use hickory_server::proto::rr::{RData, RecordType};
use name_server::{NameServer, name};

/// What the tests of Redis set and get, in bytes.
const VALUE: usize = 10_000_000;

/// Answers of the name server that may be lost before one comes.
const QUERIES: usize = 40;

/// Redis on a free port. Another program may take that first: then Redis ends, and it tries the next.
fn redis(world: &World) -> (Running, u16) {
    loop {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new("redis-server");
        command
            .args(["--save", "", "--bind", "127.0.0.1", "--port"])
            .arg(port.to_string())
            .current_dir(world.path(""))
            .stdout(Stdio::piped());
        let mut redis = Running(command.spawn().unwrap());
        let lines = BufReader::new(redis.0.stdout.take().unwrap()).lines();
        let ready = |line: String| line.contains("Ready to accept");
        if lines.map_while(Result::ok).any(ready) {
            return (redis, port);
        }
    }
}

/// A peer that allows connections by this rule.
fn allowing(world: &World, rule: &str) -> Up {
    let id = ["--id", "a.json", "--accept", "all"];
    world.up(id.into_iter().chain(["--allow-connect", rule]))
}

/// Sets a value and gets the same back.
fn set_and_get(port: u16, key: char, both: &Barrier) {
    let value = noise(VALUE + key as usize);
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    both.wait();
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n${}\r\n", value.len());
    tcp.write_all(set.as_bytes()).unwrap();
    tcp.write_all(&value).unwrap();
    let get = format!("\r\n*2\r\n$3\r\nGET\r\n$1\r\n{key}\r\n");
    tcp.write_all(get.as_bytes()).unwrap();
    let head = format!("+OK\r\n${}\r\n", value.len());
    let mut answer = vec![0; head.len() + value.len() + 2];
    tcp.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(head.as_bytes()));
    assert!(answer[head.len()..].starts_with(&value), "it was altered");
}

/// Two clients at once.
fn use_redis(port: u16) {
    let both = &Barrier::new(2);
    thread::scope(|scope| {
        for key in ['a', 'b'] {
            scope.spawn(move || set_and_get(port, key, both));
        }
    });
    let cli = Command::new("redis-cli")
        .args(["-p", &port.to_string(), "EXISTS", "a", "b"])
        .output()
        .unwrap();
    assert_eq!(cli.stdout, b"2\n", "{cli:?}");
}

#[test]
fn redis_is_reached_through_a_local_port_by_two_clients_at_once() {
    let world = World::new();
    let (_redis, port) = redis(&world);
    let to = format!("127.0.0.1:{port}");
    let up = allowing(&world, &to);
    let rule = format!("0:{to}");
    let forward = world.forward(["--id", "b.json", up.uri(), "-L", &rule]);
    assert_eq!(forward.ready["kind"], "local");
    assert_eq!(forward.ready["to"], to);
    use_redis(listening(&forward.ready));
}

#[test]
fn redis_here_is_reached_through_a_port_of_the_peer() {
    let world = World::new();
    let (_redis, port) = redis(&world);
    let up = world.up(["--id", "a.json", "--accept", "all", "--allow-bind", "0"]);
    let rule = format!("0:127.0.0.1:{port}");
    let forward = world.forward(["--id", "b.json", up.uri(), "-R", &rule]);
    assert_eq!(forward.ready["kind"], "remote");
    use_redis(listening(&forward.ready));
}

/// A web server, for this many requests.
fn web_server(requests: usize) -> (u16, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        for tcp in listener.incoming().take(requests) {
            let mut tcp = tcp.unwrap();
            let mut head = BufReader::new(tcp.try_clone().unwrap()).lines();
            assert!(head.any(|line| line.unwrap().is_empty()));
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                .unwrap();
        }
    });
    (port, serving)
}

/// Fetches through a SOCKS proxy.
fn curl(flag: &str, proxy: u16, url: &str) -> Output {
    Command::new("curl")
        .args(["-sS", "--noproxy", "", flag])
        .args([&format!("127.0.0.1:{proxy}"), url])
        .output()
        .unwrap()
}

#[test]
fn curl_fetches_through_socks_by_name_and_by_address() {
    let world = World::new();
    let (port, serving) = web_server(2);
    let id = ["--id", "a.json", "--accept", "all"];
    let (by_name, by_address) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let rules = ["--allow-connect", &by_name, "--allow-connect", &by_address];
    let mut up = world.up(id.into_iter().chain(rules));
    let mut forward = world.forward(["--id", "b.json", up.uri(), "-D", "0"]);
    assert_eq!(forward.ready["kind"], "socks");
    let socks = listening(&forward.ready);

    // curl asks for the name itself, and then for the address that it looked up.
    let fetched = curl("--socks5-hostname", socks, &format!("http://{by_name}/"));
    assert_eq!(fetched.stdout, b"hello", "{fetched:?}");
    let fetched = curl("--socks5", socks, &format!("http://{by_address}/"));
    assert_eq!(fetched.stdout, b"hello", "{fetched:?}");
    serving.join().unwrap();

    let denied = curl("--socks5-hostname", socks, "http://127.0.0.1:1/");
    let said = String::from_utf8(denied.stderr).unwrap();
    // SOCKS calls that "connection not allowed by ruleset".
    assert!(!denied.status.success() && said.contains("(2)"), "{said}");
    assert_eq!(forward.wait_for("not-forwarded")["denied"], true);
    assert_eq!(up.wait_for("tunnel-denied")["destination"], "127.0.0.1:1");

    // It is allowed, but nobody listens there any more.
    let refused = curl("--socks5", socks, &format!("http://{by_address}/"));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("(5)"), "{said}");
    assert_eq!(forward.wait_for("not-forwarded")["denied"], false);
}

/// What the name server says of this host, asked through a port here.
fn address_of(host: &str, port: u16) -> Vec<Ipv4Addr> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let mut query = Message::query();
    query.add_query(Query::query(name(host), RecordType::A));
    let mut answer = [0; 1500];
    for _ in 0..QUERIES {
        socket.send(&query.to_vec().unwrap()).unwrap();
        let Ok(count) = socket.recv(&mut answer) else {
            continue;
        };
        let answer = Message::from_vec(&answer[..count]).unwrap();
        assert_eq!(answer.metadata.id, query.metadata.id);
        let addresses = answer.answers.iter().map(|record| match &record.data {
            RData::A(address) => address.0,
            other => panic!("{other}"),
        });
        return addresses.collect();
    }
    panic!("no answer about {host}");
}

#[test]
fn a_name_server_is_asked_through_a_udp_port_by_two_programs_at_once() {
    let world = World::new();
    let hosts = [
        ("one.example.org", [192, 0, 2, 1]),
        ("two.example.org", [192, 0, 2, 2]),
    ];
    let records = hosts.map(|(host, address)| (name(host), RData::A(A(address.into()))));
    let server = NameServer::of(records.into());
    let to = server.address.to_string();
    let up = allowing(&world, &to);
    let rule = format!("0:{to}");
    let forward = world.forward(["--id", "b.json", up.uri(), "-U", &rule]);
    assert_eq!(forward.ready["kind"], "udp");
    let port = listening(&forward.ready);
    thread::scope(|scope| {
        for (host, address) in hosts {
            scope.spawn(move || assert_eq!(address_of(host, port), [Ipv4Addr::from(address)]));
        }
    });
}

/// A server of one connection, which answers only once everything has come: with the same.
fn at_the_end() -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        tcp.read_to_end(&mut all).unwrap();
        tcp.write_all(&all).unwrap();
    });
    (at, serving)
}

#[test]
fn the_end_of_one_direction_is_not_the_end_of_the_other() {
    let world = World::new();
    let data = noise(1 << 20);

    let (to, serving) = at_the_end();
    let up = allowing(&world, "127.0.0.0/8");
    let mut through = world.mesh(["forward", "--id", "b.json", up.uri(), "-W", &to]);
    let (code, answer, said) = with_input(&mut through, data.clone());
    assert_eq!(code, Some(0), "{said}");
    assert!(answer == data, "{} bytes", answer.len());
    serving.join().unwrap();

    let (to, serving) = at_the_end();
    let rule = format!("0:{to}");
    let forward = world.forward(["--id", "b.json", up.uri(), "-L", &rule]);
    let mut tcp = TcpStream::connect(("127.0.0.1", listening(&forward.ready))).unwrap();
    tcp.write_all(&data).unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    assert!(answer == data, "{} bytes", answer.len());
    serving.join().unwrap();
}

/// Makes a key pair, and returns its public half.
fn ssh_key(world: &World, file: &str) -> String {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(world.path(file))
        .status();
    assert!(made.unwrap().success());
    std::fs::read_to_string(world.path(&format!("{file}.pub"))).unwrap()
}

/// OpenSSH's server for one connection to the port that it returns.
fn ssh_server(world: &World) -> (u16, thread::JoinHandle<Running>) {
    // Root's server takes this for granted. For others there is no need for it.
    let _ = std::fs::create_dir_all("/run/sshd");
    let path = |name: &str| world.path(name).display().to_string();
    let settings = [
        format!("HostKey {}", path("host")),
        format!("AuthorizedKeysFile {}", path("user.pub")),
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n".to_owned(),
    ];
    let config = world.write("sshd_config", settings.join("\n"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut server = Command::new("/usr/sbin/sshd");
        server.args(["-i", "-e", "-f"]).arg(config);
        server.stdin(std::os::fd::OwnedFd::from(tcp.try_clone().unwrap()));
        server.stdout(std::os::fd::OwnedFd::from(tcp));
        Running(server.spawn().unwrap())
    });
    (port, serving)
}

#[test]
fn ssh_runs_a_command_through_standard_input_and_output() {
    let world = World::new();
    let host_key = ssh_key(&world, "host");
    ssh_key(&world, "user");
    world.write("known_hosts", format!("there {host_key}"));
    let (port, serving) = ssh_server(&world);
    let up = allowing(&world, &format!("127.0.0.1:{port}"));
    world.write("up.json", up.link());
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let mesh = env!("CARGO_BIN_EXE_mesh");
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-p", &port.to_string(), "-i", "user"])
        .args(["-l", String::from_utf8(user).unwrap().trim()])
        .args(["-o", "BatchMode=yes", "-o", "HostKeyAlias=there"])
        .args(["-o", "UserKnownHostsFile=known_hosts"])
        .arg("-o")
        .arg(format!(
            "ProxyCommand='{mesh}' forward --id b.json @up.json -W %h:%p"
        ))
        .args(["127.0.0.1", "cat; exit 7"])
        .current_dir(world.path(""));
    let data = noise(1 << 20);
    let (code, answer, said) = with_input(&mut ssh, data.clone());
    assert_eq!(code, Some(7), "{said}");
    assert!(answer == data, "{} bytes", answer.len());
    drop(serving.join().unwrap());
}
