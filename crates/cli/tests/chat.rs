//! `mesh chat`, in lines.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use common::{FAILED, PATIENCE, REFUSED, Running, UNREACHABLE, USAGE, World, with_input};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Lines that wait to be looked at.
const LINES: usize = 10_000;

/// Somebody who takes part, with a state directory of that name.
struct Talker {
    child: Running,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// What came before that was asked for.
    passed: Vec<Value>,
}

impl Talker {
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child: Child = child.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(LINES);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self {
            child: Running(child),
            stdin,
            lines,
            passed: Vec::new(),
        }
    }

    /// Who leads the chat `team`.
    fn leads(world: &World, name: &str, more: &[&str]) -> Self {
        let args = [
            "chat",
            "--lead",
            "team",
            "--udp",
            "127.0.0.1:0",
            "--json",
            "--state",
            name,
        ];
        Self::start(
            &mut world.mesh(
                args.iter()
                    .chain(["--name", name].iter())
                    .chain(more)
                    .copied(),
            ),
        )
    }

    /// Who takes part in it.
    fn joins(world: &World, name: &str, target: &str) -> Self {
        Self::joins_with(world, name, target, &[])
    }

    fn joins_with(world: &World, name: &str, target: &str, more: &[&str]) -> Self {
        let args = [
            "chat",
            target,
            "--json",
            "--udp",
            "127.0.0.1:0",
            "--state",
            name,
            "--name",
            name,
        ];
        Self::start(&mut world.mesh(args.iter().chain(more).copied()))
    }

    /// The first line from now on that is as wanted.
    #[track_caller]
    fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("{what} does not come; there was {:#?}", self.passed);
            };
            if wanted(&line) {
                return line;
            }
            self.passed.push(line);
        }
    }

    #[track_caller]
    fn event(&mut self, event: &str) -> Value {
        self.wait(event, |line| line["event"] == event)
    }

    #[track_caller]
    fn hears(&mut self, name: &str, text: &str) -> Value {
        self.wait(text, |line| {
            line["event"] == "message" && line["name"] == name && line["text"] == text
        })
    }

    #[track_caller]
    fn sees(&mut self, name: &str, state: &str) {
        self.wait(&format!("{name} {state}"), |line| {
            line["event"] == "participant" && line["name"] == name && line["state"] == state
        });
    }

    fn says(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{text}").unwrap();
    }

    /// One more invite.
    fn invites(&mut self) -> String {
        self.says("/invite");
        self.event("invite")["uri"].as_str().unwrap().to_owned()
    }

    fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    /// Says nothing more; how it ends, and what it says until then.
    fn ends(mut self) -> (Option<i32>, Vec<Value>) {
        self.stdin = None;
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        (self.child.0.wait().unwrap().code(), rest)
    }
}

/// Two who talk, and the invite with which the second came.
fn pair(world: &World) -> (Talker, Talker) {
    let mut ann = Talker::leads(world, "ann", &[]);
    let invite = ann.event("ready")["invite"].as_str().unwrap().to_owned();
    let mut bob = Talker::joins(world, "bob", &invite);
    bob.event("joined");
    ann.sees("bob", "online");
    bob.sees("ann", "online");
    (ann, bob)
}

#[test]
fn two_talk_after_an_invite_and_everything_has_arrived_at_the_end() {
    let world = World::new();
    let (mut ann, mut bob) = pair(&world);
    ann.says("hello, bob");
    let heard = bob.hears("ann", "hello, bob");
    assert_eq!(heard["mine"], false);
    bob.says("/me waves");
    let heard = ann.hears("bob", "/me waves");
    assert!(heard["at"].as_u64().unwrap() > 1_700_000_000);
    bob.says("/edit good morning");
    let edited = ann.event("edited");
    assert_eq!(
        (&edited["text"], &edited["id"]),
        (&"good morning".into(), &heard["id"])
    );
    bob.says("and goodbye");
    let (code, rest) = bob.ends();
    assert_eq!(code, Some(0), "{rest:#?}");
    assert!(
        rest.iter().any(|line| line["event"] == "delivered"),
        "{rest:#?}"
    );
    ann.hears("bob", "and goodbye");
    ann.sees("bob", "offline");
}

#[test]
fn who_was_killed_goes_on_where_they_were_and_hears_what_they_missed() {
    let world = World::new();
    let (mut ann, mut bob) = pair(&world);
    ann.says("before");
    bob.hears("ann", "before");
    bob.says("I am here");
    ann.hears("bob", "I am here");
    bob.kill();
    ann.says("meanwhile");
    ann.hears("ann", "meanwhile");
    let known = leader_of(&ann);
    let mut bob = Talker::joins(&world, "bob", &known);
    let chat = bob.event("chat");
    assert_eq!(
        (&chat["restored"], &chat["joined"], &chat["title"]),
        (&true.into(), &true.into(), &"team".into())
    );
    assert_eq!(bob.hears("ann", "before")["earlier"], true);
    assert_eq!(bob.hears("bob", "I am here")["mine"], true);
    assert_eq!(bob.hears("ann", "meanwhile")["earlier"], false);

    // And so does who leads it, at another address.
    ann.kill();
    bob.says("are you there?");
    bob.hears("bob", "are you there?");
    let mut ann = Talker::leads(&world, "ann", &[]);
    assert_eq!(ann.event("chat")["restored"], true);
    assert_eq!(ann.hears("bob", "I am here")["earlier"], true);
    // Ann does not know where bob is, and bob has to come again.
    let link = ann.passed[0]["link"].to_string();
    bob.kill();
    let mut bob = Talker::joins(&world, "bob", &link);
    ann.hears("bob", "are you there?");
    ann.says("yes");
    bob.hears("ann", "yes");
}

#[test]
fn who_is_killed_as_soon_as_an_invite_is_spent_comes_back() {
    let world = World::new();
    let mut ann = Talker::leads(&world, "ann", &[]);
    let ready = ann.event("ready");
    let mut bob = Talker::joins(&world, "bob", ready["invite"].as_str().unwrap());
    bob.event("chat");
    bob.kill();
    let mut bob = Talker::joins(&world, "bob", ready["hashname"].as_str().unwrap());
    assert_eq!(bob.event("chat")["restored"], true);
    bob.says("here again");
    ann.hears("bob", "here again");
}

#[test]
fn what_was_said_to_one_who_was_killed_and_seems_to_be_there_is_kept() {
    let world = World::new();
    let (mut ann, mut bob) = pair(&world);
    bob.kill();
    ann.says("are you there?");
    let (code, rest) = ann.ends();
    assert_eq!(code, Some(0), "{rest:#?}");
    let warned = |line: &Value| {
        line["event"] == "warning" && line["message"].as_str().unwrap().contains("kept")
    };
    assert!(rest.iter().any(warned), "{rest:#?}");
}

/// The hashname of who leads, as it was told.
fn leader_of(talker: &Talker) -> String {
    let chat = { talker.passed.iter() }.find(|line| line["event"] == "chat");
    chat.unwrap()["leader"].as_str().unwrap().to_owned()
}

#[test]
fn three_talk_with_each_other_though_two_know_only_who_leads() {
    let world = World::new();
    let (mut ann, mut bob) = pair(&world);
    let invite = ann.invites();
    let mut eve = Talker::joins(&world, "eve", &invite);
    bob.sees("eve", "online");
    eve.says("hello, all");
    ann.hears("eve", "hello, all");
    bob.hears("eve", "hello, all");
    bob.says("hello, eve");
    eve.hears("bob", "hello, eve");
    ann.hears("bob", "hello, eve");
    eve.says("/who");
    eve.wait("ann leads", |line| {
        line["event"] == "participant" && line["name"] == "ann" && line["leads"] == true
    });
    eve.says("that was it");
    let (code, rest) = eve.ends();
    assert_eq!(code, Some(0), "{rest:#?}");
    let delivered = rest
        .iter()
        .find(|line| line["event"] == "delivered")
        .unwrap();
    assert_eq!(delivered["count"], 2);
}

#[test]
fn a_stranger_gets_no_answer_and_who_is_linked_is_let_in_when_the_leader_says_so() {
    let world = World::new();
    let mut ann = Talker::leads(&world, "ann", &["--ask"]);
    let ready = ann.event("ready");
    let chat = ann.event("chat")["chat"].as_str().unwrap().to_owned();
    let link = ready["link"].to_string();
    let stranger = ["chat", &link, "--state", "eve", "--wait", "2", "--json"];
    world
        .run(stranger)
        .failed(UNREACHABLE, &["no answer", "mesh invite"]);

    // Bob may link, and is invited to nothing unless he names the chat.
    let invite = ready["invite"].as_str().unwrap();
    let uninvited = ["chat", invite, "--state", "bob", "--wait", "3", "--json"];
    world
        .run(uninvited)
        .failed(REFUSED, &["invites us to no chat", "--join"]);
    let leader = ready["hashname"].as_str().unwrap();
    let wrong = ["--join", "aaaaaaaaaaaaa", "--wait", "3"];
    let (code, _) = Talker::joins_with(&world, "bob", leader, &wrong).ends();
    assert_eq!(code, Some(REFUSED));
    let impossible = ["chat", "--join", "team", leader, "--state", "bob"];
    world
        .run(impossible)
        .failed(USAGE, &["no id of a chat", "13"]);

    let mut bob = Talker::joins_with(&world, "bob", leader, &["--join", &chat]);
    let knock = ann.event("knock");
    assert_eq!(knock["name"], "bob");
    ann.says("/admit nobody");
    ann.wait("a warning", |line| {
        line["event"] == "warning" && line["message"].as_str().unwrap().contains("nobody")
    });
    ann.says("/admit bob");
    bob.event("joined");
    bob.says("thanks");
    ann.hears("bob", "thanks");
}

#[test]
fn plain_lines_are_what_was_said_and_nothing_else_on_standard_output() {
    let world = World::new();
    let mut ann = Talker::leads(&world, "ann", &[]);
    let invite = ann.event("ready")["invite"].as_str().unwrap().to_owned();
    let args = [
        "chat",
        &invite,
        "--udp",
        "127.0.0.1:0",
        "--state",
        "bob",
        "--name",
        "bob",
    ];
    let (code, stdout, stderr) = with_input(
        &mut world.mesh(args),
        b"one\ntwo\n//three\n/nonsense\n\nfour".to_vec(),
    );
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(String::from_utf8(stdout).unwrap(), "");
    assert!(stderr.contains("there is no command /nonsense"), "{stderr}");
    for text in ["one", "two", "/three", "four"] {
        ann.hears("bob", text);
    }
    ann.says("first line");
    ann.hears("ann", "first line");
    let leader = leader_of(&ann);
    let args = ["chat", &leader, "--udp", "127.0.0.1:0", "--state", "bob"];
    let child = world
        .mesh(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut bob = Running(child.unwrap());
    // The end of its input would end it, too.
    let _stdin = bob.0.stdin.take();
    let mut lines = BufReader::new(bob.0.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    // What bob said before, and what he has missed.
    let said: Vec<String> = (0..5).map(|_| next()).collect();
    assert_eq!(
        said,
        [
            "bob: one",
            "bob: two",
            "bob: /three",
            "bob: four",
            "ann: first line"
        ]
    );
    ann.says("\u{1b}]52;c;eA==\u{7}\u{202e}evil\u{9b}2J");
    let line = next();
    assert!(
        line.starts_with("ann: ") && line.contains("evil"),
        "{line:?}"
    );
    assert!(
        !line.contains(|char: char| char.is_control() || char == '\u{202e}'),
        "{line:?}"
    );
    kill_process(Pid::from_child(&bob.0), Signal::TERM).unwrap();
    assert_eq!(bob.0.wait().unwrap().code(), Some(130));
}

#[test]
fn what_is_said_while_nobody_is_there_is_kept() {
    let world = World::new();
    let args = [
        "chat",
        "--lead",
        "team",
        "--udp",
        "127.0.0.1:0",
        "--state",
        "ann",
        "--name",
        "ann",
    ];
    let (code, _, stderr) = with_input(&mut world.mesh(args), b"to whom it may concern\n".to_vec());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("is kept"), "{stderr}");
    let mut ann = Talker::leads(&world, "ann", &[]);
    let invite = ann.event("ready")["invite"].as_str().unwrap().to_owned();
    let mut bob = Talker::joins(&world, "bob", &invite);
    bob.hears("ann", "to whom it may concern");

    // Without a state directory it would be lost.
    let args = [
        "chat",
        "--lead",
        "team",
        "--udp",
        "127.0.0.1:0",
        "--id",
        "eve.json",
    ];
    let (code, _, stderr) = with_input(&mut world.mesh(args), b"hello?\n".to_vec());
    assert_eq!(code, Some(UNREACHABLE), "{stderr}");
    assert!(stderr.contains("nothing was kept"), "{stderr}");
}

#[test]
fn a_chat_goes_through_the_endpoint_that_runs_already() {
    let world = World::new();
    let up = world.up(["--state", "ann"]);
    let lead = [
        "chat", "--lead", "team", "--json", "--state", "ann", "--name", "ann",
    ];
    let mut ann = Talker::start(&mut world.mesh(lead));
    let ready = ann.event("ready");
    assert_eq!(ready["hashname"], up.hashname());
    let invite = ready["invite"].as_str().unwrap().to_owned();
    let mut bob = Talker::joins(&world, "bob", &invite);
    bob.event("joined");
    bob.says("hello, ann");
    ann.hears("bob", "hello, ann");
    ann.says("hello, bob");
    bob.hears("ann", "hello, bob");
    world
        .run(lead)
        .failed(FAILED, &["takes part in the chat", "already"]);
    ann.kill();
    bob.sees("ann", "offline");
    let mut ann = Talker::start(&mut world.mesh(lead));
    assert_eq!(ann.hears("bob", "hello, ann")["earlier"], true);
    ann.sees("bob", "online");
    let other = [
        "chat",
        "--lead",
        "x",
        "--state",
        "ann",
        "--udp",
        "127.0.0.1:0",
    ];
    world
        .run(other)
        .failed(USAGE, &["an endpoint runs already"]);
}

#[test]
fn who_reads_nothing_keeps_nobody_from_talking_and_hears_it_all_later() {
    let world = World::new();
    let (mut ann, bob) = pair(&world);
    drop(bob);
    let leader = leader_of(&ann);
    let args = ["chat", &leader, "--udp", "127.0.0.1:0", "--state", "bob"];
    let child = world
        .mesh(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut bob = Running(child.unwrap());
    let mut stdin = bob.0.stdin.take().unwrap();
    writeln!(stdin, "here").unwrap();
    ann.hears("bob", "here");
    // More than fits in pipes and queues.
    const COUNT: usize = 3000;
    let long = "x".repeat(100);
    for number in 0..COUNT {
        ann.says(&format!("{number} {long}"));
    }
    ann.hears("ann", &format!("{} {long}", COUNT - 1));
    let mut lines = BufReader::new(bob.0.stdout.take().unwrap()).lines();
    for number in 0..COUNT {
        assert_eq!(
            lines.next().unwrap().unwrap(),
            format!("ann: {number} {long}")
        );
    }
    assert!(bob.0.try_wait().unwrap().is_none());
}

#[test]
fn impossible_command_lines_say_what_is_wrong() {
    let world = World::new();
    world.run(["chat"]).failed(USAGE, &["TARGET"]);
    world
        .run(["chat", "bob", "--lead", "team"])
        .failed(USAGE, &["--lead"]);
    world
        .run(["chat", "--join", "5rfiuj7viqwdy"])
        .failed(USAGE, &["TARGET"]);
    world
        .run(["chat", "--lead", " ", "--state", "s"])
        .failed(USAGE, &["--lead"]);
    world
        .run(["chat", "--lead", "x", "--accept", "ask"])
        .failed(USAGE, &["/admit"]);
    world
        .run(["chat", "nobody", "--state", "s"])
        .failed(USAGE, &["nobody"]);
    std::fs::write(world.path("s/chats.redb"), "something else").unwrap();
    world
        .run([
            "chat",
            "--lead",
            "x",
            "--state",
            "s",
            "--udp",
            "127.0.0.1:0",
        ])
        .failed(FAILED, &["chats.redb", "move it away"]);
}
