//! The examples run, and print what they say.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A running `echo_server`, and its URI.
struct EchoServer {
    child: Child,
    uri: String,
}

impl EchoServer {
    fn start() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_echo_server"));
        let mut child = server
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut uri = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut uri)
            .unwrap();
        Self {
            child,
            uri: uri.trim().to_owned(),
        }
    }

    /// Closes its standard input and waits for its end.
    fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
    }
}

/// Runs a program; what it prints.
fn printed(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_echo_client_gets_its_line_back_from_the_echo_server() {
    let server = EchoServer::start();
    let client = env!("CARGO_BIN_EXE_echo_client");
    assert_eq!(
        printed(client, &[&server.uri, "over and over"]),
        "over and over\n"
    );
    server.stop();
}

#[test]
fn the_custom_channel_adds_up() {
    assert_eq!(
        printed(env!("CARGO_BIN_EXE_custom_channel"), &[]),
        "6\n10\n"
    );
}

#[test]
fn a_channel_type_that_nobody_knows_is_refused() {
    let server = EchoServer::start();
    let link = mesh::LinkUri::parse(&server.uri)
        .unwrap()
        .uri
        .link_json()
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), link.to_string()).unwrap();
    let printed = printed(
        env!("CARGO_BIN_EXE_open_unknown"),
        &[file.path().to_str().unwrap()],
    );
    assert_eq!(printed, "refused: unknown type\n");
    server.stop();
}

/// A program that serves, and the file with its link JSON.
struct Served {
    program: &'static str,
    child: Child,
    file: tempfile::NamedTempFile,
}

impl Served {
    fn start(program: &'static str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut child = Command::new(program)
            .arg("serve")
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        Self {
            program,
            child,
            file,
        }
    }

    /// What the same program prints that does this with it.
    fn asked(&self, command: &str, args: &[&str]) -> String {
        let file = self.file.path().to_str().unwrap();
        printed(self.program, &[&[command, file], args].concat())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It ends with its standard input, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn tunnels_lead_to_an_echo_and_back_from_a_port() {
    let served = Served::start(env!("CARGO_BIN_EXE_tunnels"));
    let echo = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = echo.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (from, _) = echo.accept().unwrap();
        std::io::copy(&mut &from, &mut &from).unwrap();
    });
    assert_eq!(
        served.asked("connect", &[&port.to_string()]),
        "40000 bytes\n"
    );
    assert_eq!(served.asked("bind", &[]), "bound\n");
    assert_eq!(served.asked("accept", &[]), "40000 bytes\n");
}

#[test]
fn requests_are_answered_over_a_link() {
    let served = Served::start(env!("CARGO_BIN_EXE_requests"));
    assert_eq!(served.asked("get", &["/numbers/3"]), "0\n1\n2\n");
    assert_eq!(served.asked("post", &["/echo", "again"]), "again");
}

#[test]
fn a_chat_of_two_is_led_by_either_and_what_is_corrected_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link.json");
    let link = link.to_str().unwrap();
    let chats = env!("CARGO_BIN_EXE_chats");
    let mut child = Command::new(chats)
        .args(["serve", link])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.next().unwrap().unwrap();
    let id = ready.split('"').nth(7).unwrap();
    assert_eq!(printed(chats, &["join", link, id]), "echo:hello\n");
    assert_eq!(printed(chats, &["lead", link]), "echo:hello\n");
    let told: Vec<String> = lines.by_ref().take(4).map(Result::unwrap).collect();
    let count = |event| told.iter().filter(|line| line.contains(event)).count();
    assert_eq!([count("answered"), count("left")], [2, 2]);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
