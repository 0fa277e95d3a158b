//! `mesh proxy` and `mesh serve URL` between programs of others: curl and Python's `http.client` ask, nginx answers.

mod common;

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::World;
use common::site::Site;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Bytes of the large file.
const LARGE: usize = 100_000_000;

/// How long a test waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(40);

/// Bytes of the small one.
const SMALL: usize = 1000;

/// nginx behind `mesh serve`, and the proxy of somebody who may see it.
struct Row {
    site: Site,
    nginx: Child,
    /// Where nginx asks for events.
    events: TcpListener,
}

impl Drop for Row {
    fn drop(&mut self) {
        // It has ended already if it failed.
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

impl Row {
    /// With a large file of so many bytes.
    fn new(large: usize) -> Self {
        let world = World::new();
        for folder in ["site", "site/put"] {
            std::fs::create_dir(world.path(folder)).unwrap();
        }
        world.write("site/small", common::noise(SMALL));
        world.write("site/large", common::noise(large));
        let events = TcpListener::bind("127.0.0.1:0").unwrap();
        let (nginx, port) = start_nginx(&world, events.local_addr().unwrap().port());
        let site = Site::serving(world, &format!("http://127.0.0.1:{port}"));
        Self {
            site,
            nginx,
            events,
        }
    }

    fn host(&self) -> String {
        format!("bob.localhost:{}", self.site.port())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// Where events can be written that nginx passes on: it has asked, and has got the head of a response.
    fn event_source(&self) -> TcpStream {
        let (mut source, _) = self.events.accept().unwrap();
        let mut asked = BufReader::new(&source).lines();
        while !asked.next().unwrap().unwrap().is_empty() {}
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        source.write_all(head).unwrap();
        source
    }

    fn path(&self, name: &str) -> PathBuf {
        self.site.world.path(name)
    }

    /// curl, which finds the proxy under every name.
    fn curl(&self, args: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--connect-to", "::127.0.0.1:"])
            .args(args)
            .current_dir(self.path(""))
            .stdin(Stdio::null());
        curl
    }

    /// What curl says.
    fn curled(&self, args: &[&str]) -> Vec<u8> {
        let output = self.curl(args).output().expect("curl is installed");
        assert!(output.status.success(), "{args:?}: {output:?}");
        output.stdout
    }

    fn text(&self, args: &[&str]) -> String {
        String::from_utf8(self.curled(args)).unwrap()
    }
}

/// Starts nginx at a free port, and waits until it answers.
fn start_nginx(world: &World, events: u16) -> (Child, u16) {
    loop {
        let port = free_port();
        let config = include_str!("real/nginx.conf")
            .replace("FOLDER", common::text(&world.path("")))
            .replace("EVENTS", &events.to_string())
            .replace("LARGE", &"x".repeat(3000))
            .replace("PORT", &port.to_string());
        let config = world.write("nginx.conf", config);
        let mut nginx = Command::new(nginx())
            .args(["-p", common::text(&world.path("")), "-c"])
            .arg(&config)
            .args(["-e", common::text(&world.path("error.log"))])
            .spawn()
            .expect("nginx is installed");
        loop {
            // Written once it listens.
            if world.path("nginx.pid").exists() {
                return (nginx, port);
            }
            if nginx.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(world.path("error.log")).unwrap_or_default();
                assert!(log.contains("Address already in use"), "{log}");
                break;
            }
            std::thread::yield_now();
        }
    }
}

/// Debian's is where users do not look.
fn nginx() -> &'static Path {
    let debian = Path::new("/usr/sbin/nginx");
    if debian.exists() {
        debian
    } else {
        Path::new("nginx")
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn digest(bytes: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest_of(path: &Path) -> String {
    digest(std::fs::read(path).unwrap())
}

#[test]
fn large_files_go_both_ways_with_the_same_digest() {
    let row = Row::new(LARGE);
    let original = digest_of(&row.path("site/large"));
    row.curled(&["-f", "-o", "copy", &row.url("/large")]);
    assert_eq!(digest_of(&row.path("copy")), original);
    let to = row.url("/post/curl");
    row.curled(&["-f", "--data-binary", "@site/large", &to]);
    assert_eq!(digest_of(&row.path("site/put/curl")), original);
}

#[test]
fn pythons_client_finds_everything_on_one_connection() {
    let row = Row::new(LARGE);
    let output = Command::new("python3")
        .args(["-c", include_str!("real/client.py")])
        .args([row.site.port().to_string(), row.host()])
        .arg(row.path("site/large"))
        .output()
        .expect("python3 is installed");
    assert!(output.status.success(), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let whole = std::fs::read(row.path("site/large")).unwrap();
    let expected = json!({
        "get": [200, SMALL],
        "head": [200, LARGE, 0],
        "large": [200, LARGE, digest(&whole)],
        "range": [206, 1000, digest(&whole[1000..2000]), format!("bytes 1000-1999/{LARGE}")],
        "404": 404,
        "500": 500,
        "chunked": [200, "chunked", digest(common::noise(SMALL))],
        "post": 201,
        "connections": 1,
    });
    assert_eq!(found, expected);
    assert_eq!(digest_of(&row.path("site/put/python")), digest(whole));
}

#[test]
fn curl_asks_in_every_way_it_knows() {
    let row = Row::new(SMALL);
    let small = row.url("/small");
    let code =
        |args: &[&str]| row.text(&[&["-o", "/dev/null", "-w", "%{http_code}"], args].concat());
    assert_eq!(code(&[&row.url("/none")]), "404");
    assert_eq!(code(&[&row.url("/fails")]), "500");
    assert_eq!(row.curled(&["-0", &small]), common::noise(SMALL));
    let old = row.text(&[
        "-0",
        "-D",
        "-",
        "-o",
        "/dev/null",
        &row.url("/chunked/small"),
    ]);
    assert!(old.contains("200 OK"), "{old}");
    assert!(!old.contains("chunked"), "HTTP/1.0 has no chunks: {old}");
    let head = row.text(&["-I", &small]);
    assert!(head.contains("content-length: 1000"), "{head}");
    assert!(head.contains("accept-ranges: bytes"), "{head}");
    assert_eq!(
        row.curled(&["-r", "-10", &small]),
        common::noise(SMALL)[990..]
    );
    assert_eq!(code(&["-r", "5000-", &small]), "416");
    // A request in chunks.
    let chunked = [
        "-H",
        "Transfer-Encoding: chunked",
        "--data-binary",
        "@site/small",
    ];
    let to = row.url("/post/chunks");
    assert_eq!(code(&[&chunked[..], &[&to]].concat()), "201");
    assert_eq!(
        digest_of(&row.path("site/put/chunks")),
        digest(common::noise(SMALL))
    );
    // One connection for all.
    let three = [&small[..], &small, &small];
    let connects = ["-o", "a", "-o", "b", "-o", "c", "-w", "%{num_connects}"];
    assert_eq!(row.text(&[&connects[..], &three].concat()), "100");
}

#[test]
fn a_thousand_requests_are_answered_64_at_a_time() {
    let row = Row::new(SMALL);
    std::fs::create_dir(row.path("out")).unwrap();
    let codes = row.text(&[
        "--parallel",
        "--parallel-max",
        "64",
        "-o",
        "out/#1",
        "-w",
        "%{http_code}\n",
        &row.url("/small?[1-1000]"),
    ]);
    assert_eq!(codes, "200\n".repeat(1000));
    for number in 1..=1000 {
        let got = std::fs::read(row.path(&format!("out/{number}"))).unwrap();
        assert!(got == common::noise(SMALL), "{number}: {} bytes", got.len());
    }
}

#[test]
fn events_arrive_one_by_one() {
    let row = Row::new(SMALL);
    let mut curl = row.curl(&["-N", &row.url("/events")]);
    let mut curl = curl.stdout(Stdio::piped()).spawn().unwrap();
    let mut source = row.event_source();
    let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines();
    for number in 0..10 {
        // The next one is sent when this one has been read.
        write!(source, "data: {number}\n\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("data: {number}"));
        assert_eq!(lines.next().unwrap().unwrap(), "");
    }
    drop(source);
    assert!(lines.next().is_none());
    assert!(curl.wait().unwrap().success());
}

#[test]
fn what_is_about_one_connection_stays_on_it() {
    let row = Row::new(SMALL);
    let answer = row.text(&[
        "-i",
        "-H",
        "Connection: X-Private",
        "-H",
        "Keep-Alive: timeout=9",
        "-H",
        "Proxy-Connection: keep-alive",
        "-H",
        "Proxy-Authorization: Basic eA==",
        "-H",
        "TE: trailers",
        "-H",
        "Upgrade: h2c",
        "-H",
        "X-Private: 1",
        "-H",
        "X-Kept: 1",
        "-H",
        "X-Forwarded-For: 192.0.2.1",
        &row.url("/heard"),
    ]);
    let (head, heard) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(heard, "|||||||1|\n");
    let head = head.to_lowercase();
    assert!(head.contains("x-kept: yes"), "{head}");
    for gone in ["keep-alive", "proxy-authenticate", "trailer"] {
        assert!(!head.contains(gone), "{gone}: {head}");
    }
}

#[test]
fn what_nginx_says_beyond_the_limits_is_a_bad_gateway() {
    let row = Row::new(SMALL);
    let code = [
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        &row.url("/large-head"),
    ];
    assert_eq!(row.text(&code), "502");
}

#[test]
fn chunks_that_are_none_reach_nobody() {
    let row = Row::new(SMALL);
    for body in ["ZZ\r\n", "5\r\nabcdeX", "-1\r\n", "ffffffffffffffffff\r\n"] {
        let head = "POST /post/broken HTTP/1.1\r\nHost: bob.localhost:PORT\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(row.site.status(&format!("{head}{body}")), 400, "{body:?}");
        assert!(!row.path("site/put/broken").exists());
    }
}

#[test]
fn a_foreign_page_neither_reads_nor_writes() {
    let row = Row::new(SMALL);
    let ask = |line: &str, headers: &str| {
        let host = "Host: bob.localhost:PORT\r\nContent-Length: 1";
        row.site
            .raw(&format!("{line} HTTP/1.0\r\n{host}\r\n{headers}\r\n\r\nx"))
    };
    let own = format!(
        "Origin: http://{}\r\nSec-Fetch-Site: same-origin",
        row.host()
    );
    for foreign in [
        "Origin: http://evil.example",
        "Origin: http://ann.localhost:PORT",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe",
    ] {
        for line in ["GET /small", "POST /post/forged", "OPTIONS /small"] {
            let answer = ask(line, foreign);
            assert!(answer.contains(" 403 "), "{line} {foreign}: {answer}");
            assert!(
                !answer.to_lowercase().contains("access-control"),
                "{answer}"
            );
        }
        assert!(!row.path("site/put/forged").exists(), "{foreign}");
    }
    let answer = ask("POST /post/own", &own);
    assert!(answer.contains(" 201 "), "{answer}");
    assert!(row.path("site/put/own").exists());
    // A link may be followed, but what it leads to is read by nobody else.
    let follow =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document";
    let answer = ask("GET /fails", follow);
    assert!(answer.contains(" 500 "), "{answer}");
    for sealed in [
        "cross-origin-resource-policy: same-origin",
        "cross-origin-opener-policy: same-origin",
        "frame-ancestors 'self'",
    ] {
        assert!(answer.contains(sealed), "{sealed}: {answer}");
    }
}

#[test]
fn whoever_leaves_in_the_middle_is_gone_for_the_server_too() {
    let row = Row::new(SMALL);
    let mut asks = TcpStream::connect(("127.0.0.1", row.site.port())).unwrap();
    let head = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", row.host());
    asks.write_all(head.as_bytes()).unwrap();
    let mut source = row.event_source();
    source.write_all(b"data: 1\n\n").unwrap();
    let mut first = [0; 1];
    asks.read_exact(&mut first).unwrap();
    drop(asks);
    // nginx closes its own connection once it hears of it.
    source.set_read_timeout(Some(PATIENCE)).unwrap();
    match source.read(&mut first) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}
