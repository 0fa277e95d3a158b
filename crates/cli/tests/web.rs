//! `mesh serve`, `mesh proxy` and `mesh get`.

mod common;

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use common::site::{Site, port, raw};
use common::{FAILED, REFUSED, USAGE, World};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::http::{HeaderValue, StatusCode};
use tungstenite::{Message, WebSocket};

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
        (200, "GET / HTTP/1.0\nHost: bob.localhost:PORT\n\n"),
        (
            400,
            "GET / HTTP/1.0\r\nHost: bob.localhost:PORT\r\nX: a\rHost: b\r\n\r\n",
        ),
        (
            400,
            "GET / HTTP/1.0\r\nHost: bob.localhost:PORT\r\nX: a\0\r\n\r\n",
        ),
        (
            400,
            "POST / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nContent-Length: +1\r\n\r\na",
        ),
        (
            400,
            "POST / HTTP/1.0\r\nHost: bob.localhost:PORT\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
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
            400,
            "GET / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
        ),
        (
            431,
            &format!("GET / HTTP/1.1\r\nHost: bob.localhost:PORT\r\nX: {long}\r\n\r\n"),
        ),
        (
            431,
            &format!(
                "GET / HTTP/1.0\r\nHost: bob.localhost:PORT\r\nX: {}\r\n\r\n",
                &long[..20_000]
            ),
        ),
        (
            431,
            &format!(
                "GET / HTTP/1.0\r\nHost: bob.localhost:PORT\r\n{}\r\n",
                "X: a\r\n".repeat(100)
            ),
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
    let answer = site.raw(smuggled);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
}

#[test]
fn a_peer_that_is_away_and_a_name_of_nobody_are_explained() {
    let Site {
        world,
        server,
        proxy,
    } = Site::new();
    proxy.terminate();
    server.terminate();
    let proxy = world.proxy(["--state", "s", "--wait", "1"]);
    let page = |name: &str| {
        let asks = "GET / HTTP/1.0\r\nAccept: text/html\r\nHost:";
        raw(port(&proxy), &format!("{asks} {name}.localhost\r\n\r\n"))
    };
    let away = page("bob");
    assert!(away.starts_with("HTTP/1.0 502 "), "{away}");
    assert!(away.contains("<h1>502 Bad Gateway</h1>\n<p>"), "{away}");
    assert!(away.contains("within 1 s"), "{away}");
    let unknown = page("nobody");
    assert!(unknown.starts_with("HTTP/1.0 404 "), "{unknown}");
    assert!(unknown.contains("nobody"), "{unknown}");
}

#[test]
fn a_folder_has_an_index_lists_types_and_ranges_and_nothing_else_is_served() {
    let site = Site::new();
    let world = &site.world;
    for folder in ["site/sub", "site/dark"] {
        std::fs::create_dir(world.path(folder)).unwrap();
    }
    world.write("site/sub/a b.txt", "0123456789");
    world.write("site/.hidden", "secret");
    for (to, from) in [
        ("../a.json", "site/link"),
        ("..", "site/out"),
        ("../../a.json", "site/dark/index.html"),
    ] {
        std::os::unix::fs::symlink(to, world.path(from)).unwrap();
    }
    let ask = |method: &str, path: &str, header: &str| {
        let host = "Host: bob.localhost:PORT";
        site.raw(&format!(
            "{method} {path} HTTP/1.0\r\n{host}\r\n{header}\r\n"
        ))
    };
    let get = |path: &str| ask("GET", path, "");
    for (path, parts) in [
        ("/", &["200 OK", "content-type: text/html", "<p>hello"][..]),
        ("/sub", &["307 Temporary Redirect", "location: /sub/"]),
        (
            "/sub/",
            &["200 OK", "text/html", "<a href=\"./a%20b.txt\">a b.txt</a>"],
        ),
        (
            "/sub/a%20b.txt",
            &[
                "200 OK",
                "content-type: text/plain",
                "nosniff",
                "0123456789",
            ],
        ),
        ("/dark/", &["200 OK", "<ul>"]),
    ] {
        let answer = get(path);
        for part in parts {
            assert!(answer.contains(part), "no {part:?} for {path}: {answer}");
        }
    }
    let part = ask("GET", "/sub/a%20b.txt", "Range: bytes=2-4\r\n");
    assert!(
        part.contains("206 Partial") && part.ends_with("\r\n\r\n234"),
        "{part}"
    );
    let beyond = ask("GET", "/sub/a%20b.txt", "Range: bytes=20-\r\n");
    assert!(beyond.contains("416 Range"), "{beyond}");
    let head = ask("HEAD", "/sub/a%20b.txt", "");
    assert!(
        head.contains("content-length: 10") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert!(ask("PUT", "/sub/x", "").contains(" 405 "));
    for path in [
        "/../a.json",
        "/%2e%2e/a.json",
        "/..%2fa.json",
        "/%2e%2e%2fa.json",
        "/..%5ca.json",
        "/sub/../../a.json",
        "/sub/%2e%2e/%2e%2e/a.json",
        "/link",
        "/out/a.json",
        "/dark/index.html",
        "/.hidden",
        "/%2ehidden",
        "/sub/..%00",
    ] {
        let answer = get(path);
        assert!(answer.contains(" 404 "), "{path}: {answer}");
        assert!(!answer.contains("secret"), "{path}: {answer}");
    }
}

#[test]
fn get_fetches_as_curl_does() {
    let site = Site::new();
    let get = |args: &[&str]| site.world.run([&["get", "--state", "s"], args].concat());
    get(&["bob/"]).failed(FAILED, &["in use", "stop that one"]);
    site.proxy.terminate();
    let up = site.world.up(["--state", "s"]);
    get(&["bob/"]).failed(USAGE, &["runs already", "mesh proxy"]);
    up.terminate();
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

/// A server that sends every message back; only with the hashname of whoever asks.
fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let check = |request: &Request, response: Response| {
        let peer = request.headers().get("x-mesh-peer");
        assert!(peer.is_some_and(|peer| peer.len() == 52), "{request:?}");
        Ok(response)
    };
    thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut ws = tungstenite::accept_hdr(tcp, check).unwrap();
                while let Ok(message) = ws.read() {
                    if (message.is_text() || message.is_binary()) && ws.send(message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// A WebSocket through the proxy, of a page of this origin.
fn web_socket(site: &Site, origin: &str) -> Result<WebSocket<TcpStream>, StatusCode> {
    let url = format!("ws://bob.localhost:{}/echo", site.port());
    let mut request = url.into_client_request().unwrap();
    let origin = HeaderValue::from_str(origin).unwrap();
    request.headers_mut().insert("origin", origin);
    let tcp = TcpStream::connect(("127.0.0.1", site.port())).unwrap();
    match tungstenite::client(request, tcp) {
        Ok((ws, _)) => Ok(ws),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(refusal))) => {
            Err(refusal.status())
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn web_sockets_reach_the_local_server_of_an_endpoint_from_its_own_pages_alone() {
    let site = Site::serving(World::new(), &echo_server());
    let own = format!("http://bob.localhost:{}", site.port());
    let mut ws = web_socket(&site, &own).unwrap();
    for message in [
        Message::text("hello"),
        Message::binary(common::noise(300_000)),
    ] {
        ws.send(message.clone()).unwrap();
        assert!(ws.read().unwrap() == message);
    }
    ws.close(None).unwrap();
    assert!(matches!(ws.read(), Ok(Message::Close(_))));
    for foreign in ["http://evil.example", "null", "http://ann.localhost"] {
        let refused = web_socket(&site, foreign).unwrap_err();
        assert_eq!(refused, StatusCode::FORBIDDEN, "{foreign}");
    }
}

#[test]
fn a_folder_takes_no_web_sockets() {
    let site = Site::new();
    let own = format!("http://bob.localhost:{}", site.port());
    let refused = web_socket(&site, &own).unwrap_err();
    assert_eq!(refused, StatusCode::BAD_GATEWAY);
}
