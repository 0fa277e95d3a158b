//! `mesh up` and `mesh pipe`.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::thread;

use common::{FAILED, REFUSED, World, noise, text, with_input};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[test]
fn a_file_comes_back_identical_from_an_echo() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all", "--echo"]);
    let link = world.write("link.json", up.link());
    let file = noise(2 << 20);
    let mut pipe = world.mesh(["pipe", "--id", "b.json", &format!("@{}", text(&link))]);
    let (code, copy, stderr) = with_input(&mut pipe, file.clone());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        copy == file,
        "{} of {} bytes, or others",
        copy.len(),
        file.len()
    );
    assert!(
        stderr.contains("2097152 bytes sent, 2097152 received"),
        "{stderr}"
    );
}

#[test]
fn an_empty_file_is_a_file() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all", "--echo"]);
    let mut pipe = world.mesh(["pipe", "--id", "b.json", "--json", up.uri()]);
    let (code, copy, stderr) = with_input(&mut pipe, Vec::new());
    assert_eq!((code, copy.len()), (Some(0), 0), "{stderr}");
    let piped: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&piped["event"], &piped["sent"]),
        (&"piped".into(), &0.into()),
        "{stderr}"
    );
}

#[test]
fn the_output_of_up_is_a_target_as_it_is() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all", "--echo"]);
    world.write("ready.json", up.ready.to_string());
    let mut pipe = world.mesh(["pipe", "--id", "b.json", "@ready.json"]);
    assert_eq!(with_input(&mut pipe, b"hello".to_vec()).1, b"hello");
}

#[test]
fn two_pipes_meet_with_data_in_both_directions() {
    let world = World::new();
    let args = [
        "pipe",
        "--listen",
        "--id",
        "a.json",
        "--udp",
        "127.0.0.1:0",
        "--accept",
        "all",
        "--json",
    ];
    let mut listener = world.mesh(args);
    let input = noise(300_000);
    let file = std::fs::File::open(world.write("there", &input)).unwrap();
    let listener = listener
        .stdin(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut listener = listener.spawn().unwrap();
    let mut lines = BufReader::new(listener.stderr.take().unwrap());
    let mut ready = String::new();
    lines.read_line(&mut ready).unwrap();
    world.write("ready.json", ready);

    let mut received = listener.stdout.take().unwrap();
    let received = thread::spawn(move || {
        let mut all = Vec::new();
        received.read_to_end(&mut all).unwrap();
        all
    });
    let mut dialer = world.mesh(["pipe", "--id", "b.json", "@ready.json"]);
    let (code, back, stderr) = with_input(&mut dialer, noise(200_000));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(back == input);
    assert!(received.join().unwrap() == noise(200_000));
    assert_eq!(listener.wait().unwrap().code(), Some(0));
}

#[test]
fn a_peer_that_takes_no_stream_refuses_it() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all"]);
    let mut pipe = world.mesh(["pipe", "--id", "b.json", up.uri()]);
    let (code, _, stderr) = with_input(&mut pipe, b"hello".to_vec());
    assert_eq!(code, Some(REFUSED), "{stderr}");
    assert!(stderr.contains("mesh pipe --listen"), "{stderr}");
}

#[test]
fn a_full_disk_is_said_and_harms_nothing_else() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all", "--echo"]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut pipe = world.mesh(["pipe", "--id", "b.json", up.uri()]);
    let input = std::fs::File::open(world.write("file", noise(1 << 20))).unwrap();
    let pipe = pipe
        .stdin(input)
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8(pipe.stderr).unwrap();
    assert_eq!(pipe.status.code(), Some(FAILED), "{stderr}");
    assert!(
        stderr.contains("No space left") && stderr.contains("make room"),
        "{stderr}"
    );

    let mut another = world.mesh(["pipe", "--id", "c.json", up.uri()]);
    assert_eq!(with_input(&mut another, b"hello".to_vec()).1, b"hello");
}

#[test]
fn the_same_identity_comes_back_at_once_from_another_port() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all", "--echo"]);
    for _ in 0..3 {
        let mut pipe = world.mesh(["pipe", "--id", "b.json", up.uri()]);
        let (code, echo, stderr) = with_input(&mut pipe, b"hello".to_vec());
        assert_eq!(
            (code, echo.as_slice()),
            (Some(0), &b"hello"[..]),
            "{stderr}"
        );
    }
}

#[test]
fn an_interrupted_pipe_is_no_end_of_file_to_the_other_side() {
    let world = World::new();
    let mut up = world.up(["--id", "a.json", "--accept", "all", "--echo"]);
    let mut pipe = world.mesh(["pipe", "--id", "b.json", up.uri()]);
    let mut pipe = pipe
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Waiting for a child closes its input, which is an end of file.
    let _input = pipe.stdin.take();
    up.wait_for("channel");
    kill_process(Pid::from_child(&pipe), Signal::INT).unwrap();
    assert_eq!(pipe.wait().unwrap().code(), Some(130));
    let warning = up.wait_for("warning");
    assert!(
        warning["message"].as_str().unwrap().contains("stream"),
        "{warning}"
    );
}

#[test]
fn the_same_identity_runs_once() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--accept", "all"]);
    let args = ["up", "--id", "a.json", "--udp", "127.0.0.1:0"];
    world.run(args).failed(FAILED, &["a.json", "in use"]);
    assert_eq!(up.terminate().0, Some(0));
    let up = world.up(["--id", "a.json"]);
    assert_eq!(up.terminate().0, Some(0));
}
