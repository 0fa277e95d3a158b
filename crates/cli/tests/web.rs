//! `mesh serve`, `mesh proxy` and `mesh get`.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use common::{FAILED, REFUSED, USAGE, Up, World};

/// Somebody who serves a folder, and the proxy of somebody who may see it.
struct Site {
    world: World,
    server: Up,
    proxy: Up,
}

impl Site {
    fn new() -> Self {
        let world = World::new();
        std::fs::create_dir(world.path("site")).unwrap();
        world.write("site/index.html", "<p>hello");
        world.write("site/large", common::noise(3 << 20));
        let server = world.serve(["site", "--id", "a.json", "--accept", "all"]);
        let known = server.link();
        let add = ["links", "add", &known, "--alias", "bob", "--state", "s"];
        world.run(add).ok();
        let proxy = world.proxy(["--state", "s"]);
        Self {
            world,
            server,
            proxy,
        }
    }

    fn port(&self) -> u16 {
        let address = self.proxy.ready["address"].as_str().unwrap();
        address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// What the proxy says to this, without the lines that every response has.
    fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Whoever is refused may find the connection reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn status(&self, head: &str) -> u16 {
        let answer = self.raw(&head.replace("PORT", &self.port().to_string()));
        let status = answer
            .split(' ')
            .nth(1)
            .unwrap_or_else(|| panic!("to {head:?}: {answer:?}"));
        status.parse().unwrap()
    }
}

#[test]
fn curl_and_python_read_a_served_folder_through_the_proxy() {
    let site = Site::new();
    let url = format!("http://bob.localhost:{}", site.port());
    let local = format!("bob.localhost:{}:127.0.0.1", site.port());
    let curl = |args: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "--resolve", &local])
            .args(args)
            .output();
        let output = output.expect("curl is installed");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    assert_eq!(curl(&[&url]), b"<p>hello");
    assert!(curl(&[&format!("{url}/large")]) == common::noise(3 << 20));
    let range = curl(&["-r", "5-9", &format!("{url}/large")]);
    assert_eq!(range, &common::noise(3 << 20)[5..10]);
    let code = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(
        curl(&[&code[..], &[&format!("{url}/none")]].concat()),
        b"404"
    );
    let proxy = format!("http://127.0.0.1:{}", site.port());
    let bare = format!("http://{}/", site.server.hashname());
    assert_eq!(curl(&["-x", &proxy, &bare]), b"<p>hello");
    let python = format!(
        "import http.client as h; c=h.HTTPConnection('127.0.0.1',{port}); \
         r=lambda m,p:(c.request(m,p,headers={{'Host':'bob.localhost:{port}'}}),c.getresponse())[1]; \
         a=r('HEAD','/large'); a.read(); b=r('GET','/'); print(a.getheader('content-length'),b.read().decode())",
        port = site.port()
    );
    let output = Command::new("python3")
        .args(["-c", &python])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "3145728 <p>hello\n",
        "{output:?}"
    );
}

#[test]
fn what_is_ambiguous_foreign_or_too_large_is_refused() {
    let site = Site::new();
    let long = "x".repeat(40_000);
    for (status, head) in [
        (
            200,
            "GET / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nConnection: close\r\n\r\n",
        ),
        (200, "GET / HTTP/1.0\r\nHost: bob.localhost:PORT\r\n\r\n"),
        (200, "GET / HTTP/1.0\r\nHost: 127.0.0.1:PORT\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        (
            400,
            "GET / HTTP/1.0\r\nHost: bob.localhost\r\nHost: bob.localhost\r\n\r\n",
        ),
        (
            400,
            "POST / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        ),
        (400, "GET / HTTP/1.1\r\nHost : bob.localhost:PORT\r\n\r\n"),
        (
            400,
            "GET / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nX: a\r\n b\r\n\r\n",
        ),
        (
            400,
            "POST / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nTransfer-Encoding: gzip\r\n\r\n",
        ),
        (404, "GET / HTTP/1.0\r\nHost: nobody.localhost:PORT\r\n\r\n"),
        (421, "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n"),
        (421, "GET / HTTP/1.0\r\nHost: bob.localhost:1\r\n\r\n"),
        (
            403,
            "GET / HTTP/1.0\r\nHost: bob.localhost:PORT\r\nOrigin: http://evil.example\r\n\r\n",
        ),
        (
            403,
            "POST / HTTP/1.0\r\nHost: bob.localhost:PORT\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        ),
        (
            405,
            "CONNECT bob.localhost:443 HTTP/1.1\r\nHost: bob.localhost:443\r\nConnection: close\r\n\r\n",
        ),
        (
            501,
            "GET / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
        ),
        (
            431,
            &format!("GET / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nX: {long}\r\n\r\n"),
        ),
    ] {
        assert_eq!(
            site.status(head),
            status,
            "{}",
            head.get(..200).unwrap_or(head)
        );
    }
}

#[test]
fn a_length_beside_chunks_is_ignored_and_the_connection_closed() {
    let site = Site::new();
    let smuggled = "POST / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nContent-Length: 5\r\n\
                    Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /large HTTP/1.1\r\n\
                    Host: bob.localhost:PORT\r\n\r\n";
    let answer = site.raw(&smuggled.replace("PORT", &site.port().to_string()));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
}

#[test]
fn get_fetches_as_curl_does() {
    let site = Site::new();
    site.proxy.terminate();
    let get = |args: &[&str]| site.world.run([&["get", "--state", "s"], args].concat());
    assert_eq!(get(&["bob/"]).ok().stdout, "<p>hello");
    get(&["bob/large", "-o", "copy"]).ok();
    assert!(std::fs::read(site.world.path("copy")).unwrap() == common::noise(3 << 20));
    assert!(
        get(&["-I", "bob/"])
            .ok()
            .stdout
            .contains("content-length: 8")
    );
    get(&["--fail", "bob/none"]).failed(FAILED, &["404"]);
    get(&["/none"]).failed(USAGE, &["names nobody"]);
}

#[test]
fn an_endpoint_that_serves_nothing_refuses() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all"]);
    world
        .run(["links", "add", &up.link(), "--alias", "bob", "--state", "s"])
        .ok();
    world
        .run(["get", "--state", "s", "bob/"])
        .failed(REFUSED, &["mesh serve"]);
}
