//! One line copied from one machine to the other: two strangers with a state directory each, in a
//! network namespace each.
#![cfg(target_os = "linux")]

mod common;
#[path = "../../mesh/tests/namespace/mod.rs"]
mod namespace;

use std::process::{Child, Command, Stdio};

use common::{FAILED, UNREACHABLE, USAGE, World};

#[test]
fn one_copied_line_links_two_strangers_and_next_time_a_name_is_enough() {
    let name = "one_copied_line_links_two_strangers_and_next_time_a_name_is_enough";
    namespace::in_its_own(name, || {
        let world = World::new();
        let far = Far::new();
        let mut alice = world.up_at("10.42.42.1:42424", ["--state", "alice"]);
        let invite = alice.ready["invite"].as_str().unwrap().to_owned();
        assert!(
            invite.starts_with("link://10.42.42.1:42424/?inv="),
            "{invite}"
        );

        // Whoever knows where she is but has no invite, or a wrong one, hears nothing.
        let link = ["link", "--state", "bob", "--json"];
        let bob = |args: &[&str]| far.run(&world, link.iter().chain(args).copied());
        bob(&[alice.uri(), "--wait", "1"]).failed(UNREACHABLE, &["no answer", "mesh invite"]);
        let (before, after) = invite.split_once("inv=").unwrap();
        let wrong = format!("{before}inv={}{}", "a".repeat(26), &after[26..]);
        bob(&[&wrong, "--wait", "1"]).failed(UNREACHABLE, &["an invite is good once"]);

        let linked = bob(&[&invite, "--alias", "alice", "--wait", "20"])
            .ok()
            .json();
        assert_eq!(linked[0]["state"], "up", "{linked:?}");
        assert_eq!(linked[0]["hashname"], alice.hashname());
        let invited = alice.wait_for("invited")["hashname"].clone();

        let again = bob(&["alice", "--wait", "20"]).ok().json();
        assert_eq!(again[0]["alias"], "alice");
        let known = world
            .run(["links", "--state", "alice", "--json"])
            .ok()
            .json();
        assert_eq!(known.len(), 1);
        assert_eq!(
            (&known[0]["hashname"], &known[0]["trust"]),
            (&invited, &"trusted".into())
        );

        // The line is spent: a third one hears nothing, and is not remembered.
        let mallory = ["link", "--state", "mallory", "--wait", "1", &invite];
        far.run(&world, mallory).failed(UNREACHABLE, &["no answer"]);
        assert_eq!(
            world
                .run(["links", "--state", "alice", "--json"])
                .ok()
                .json()
                .len(),
            1
        );
    });
}

#[test]
fn a_running_endpoint_issues_lists_and_revokes_invites() {
    let world = World::new();
    world
        .run(["invite", "--state", "s"])
        .failed(FAILED, &["no endpoint runs", "mesh up"]);
    let up = world.up(["--state", "s"]);
    let invite = [
        "invite",
        "--state",
        "s",
        "--alias",
        "bob",
        "--expires",
        "15m",
        "--json",
    ];
    let invite = world.run(invite).ok().json().remove(0);
    let uri = invite["uri"].as_str().unwrap();
    let handle = invite["handle"].as_str().unwrap();
    assert_eq!(uri.split_once("inv=").unwrap().1.get(..8), Some(handle));

    let list = || {
        world
            .run(["uri", "list", "--state", "s", "--json"])
            .ok()
            .json()
    };
    let listed = list();
    assert_eq!(listed.len(), 2, "that of `mesh up`, and this one");
    assert_eq!(
        (&listed[1]["handle"], &listed[1]["alias"]),
        (&invite["handle"], &"bob".into())
    );
    assert!(listed.iter().all(|invite| invite.get("uri").is_none()));

    world.run(["uri", "revoke", "--state", "s", uri]).ok();
    assert_eq!(list().len(), 1);
    world
        .run(["uri", "revoke", "--state", "s", handle])
        .failed(FAILED, &["no such invite"]);
    world
        .run(["uri", "revoke", "--state", "s", "x"])
        .failed(USAGE, &["names no invite"]);

    // They are in the state directory, and can be taken back there.
    up.terminate();
    assert_eq!(list().len(), 1);
    world.run(["uri", "revoke", "--state", "s", "--all"]).ok();
    assert!(list().is_empty());
}

#[test]
fn an_invite_can_be_drawn_and_an_endpoint_that_accepts_nobody_has_none() {
    let world = World::new();
    let up = world.up(["--id", "a.json", "--qr"]);
    let drawn = up.ready["qr"].as_str().unwrap();
    assert!(drawn.lines().count() > 20 && drawn.contains('█'), "{drawn}");
    let shown = world.run(["uri", "show", "--qr", up.uri()]).ok().stdout;
    assert!(shown.contains('█'), "{shown}");
    let closed = world.up(["--id", "b.json", "--accept", "none"]);
    assert!(closed.ready.get("invite").is_none());
}

/// Another host of the local network, in a namespace of its own, as long as this lives.
struct Far {
    holder: Child,
}

impl Far {
    fn new() -> Self {
        // It holds the namespace until its input ends.
        let holder = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut far = Self { holder };
        let mut ready = [0];
        let stdout = far.holder.stdout.as_mut().unwrap();
        std::io::Read::read_exact(stdout, &mut ready).unwrap();
        let pid = far.holder.id().to_string();
        sh(&["ip", "link", "set", "lan1", "netns", &pid]);
        for set_up in [
            "ip link set lo up",
            "ip address add 10.42.42.2/24 dev lan1",
            "ip link set lan1 up",
        ] {
            let command: Vec<_> = set_up.split(' ').collect();
            sh(&[&["nsenter", "-t", &pid, "-n"], &command[..]].concat());
        }
        far
    }

    /// What `mesh` with these arguments says there.
    fn run<'a>(&self, world: &World, args: impl IntoIterator<Item = &'a str>) -> common::Done {
        let mesh = world.mesh(args);
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.holder.id().to_string(), "-n"])
            .arg(mesh.get_program())
            .args(mesh.get_args())
            .current_dir(mesh.get_current_dir().unwrap())
            .env("HOME", mesh.get_current_dir().unwrap())
            .stdin(Stdio::null());
        common::Done::of(&command.output().unwrap())
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn sh(command: &[&str]) {
    let status = Command::new(command[0]).args(&command[1..]).status();
    assert!(status.unwrap().success(), "{command:?}");
}
