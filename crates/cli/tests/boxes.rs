//! `mesh box` and `mesh up --box`: sender and recipient are never there at the same time.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Instant;

use common::{
    FAILED, PATIENCE, REFUSED, Running, UNREACHABLE, USAGE, Up, World, noise, with_input,
};
use rustix::process::Signal;
use serde_json::Value;

/// Ann and bob, each with a state directory, who know each other's keys and no more.
struct People {
    world: World,
}

impl People {
    fn new() -> Self {
        let people = Self {
            world: World::new(),
        };
        for who in ["ann", "bob"] {
            people.world.run(["id", "new", "--state", who]).ok();
            let keys = ["id", "show", "--state", who, "--format", "json"];
            let keys = people.world.run(keys).ok().stdout;
            people.world.write(&format!("{who}.json"), keys);
        }
        for (who, other) in [("ann", "bob"), ("bob", "ann")] {
            let keys = format!("@{other}.json");
            let add = [
                "links", "add", &keys, "--alias", other, "--trust", "--state", who,
            ];
            people.world.run(add).ok();
        }
        people
    }

    /// A running cache, that anybody may use, at a file `@NAME`.
    fn cache<'a>(&self, name: &'a str, args: impl IntoIterator<Item = &'a str>) -> Up {
        self.cache_at("127.0.0.1:0", name, args)
    }

    fn cache_at<'a>(
        &self,
        address: &'a str,
        name: &'a str,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Up {
        let base = ["--box", "--accept", "all", "--state", name];
        let up = self.world.up_at(address, base.into_iter().chain(args));
        self.world.write(&format!("at-{name}"), up.link());
        up
    }

    /// What `mesh box put` of ann says, to bob.
    fn put(&self, letter: impl Into<Vec<u8>>, args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
        self.put_to("bob", letter, args)
    }

    fn put_to(
        &self,
        to: &str,
        letter: impl Into<Vec<u8>>,
        args: &[&str],
    ) -> (Option<i32>, Vec<Value>, String) {
        let base = ["box", "put", to, "--state", "ann", "--json", "--wait", "10"];
        let args = base.into_iter().chain(args.iter().copied());
        let (code, stdout, stderr) = with_input(&mut self.world.mesh(args), letter.into());
        let lines = String::from_utf8(stdout).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        (code, lines.collect(), stderr)
    }

    /// Ann leaves a letter for bob at so many of these caches.
    #[track_caller]
    fn left(&self, letter: impl Into<Vec<u8>>, via: &[&str], count: usize) -> Value {
        let mut args = Vec::new();
        for cache in via {
            args.extend(["--via", cache]);
        }
        let (code, lines, stderr) = self.put(letter, &args);
        assert_eq!(code, Some(0), "{stderr}");
        let sent = lines.last().unwrap().clone();
        assert_eq!(sent["event"], "letter-sent");
        assert_eq!(sent["direct"], false);
        assert_eq!(sent["caches"].as_array().unwrap().len(), count, "{sent}");
        sent
    }

    /// What `mesh box get` of bob says.
    #[track_caller]
    fn get(&self, args: &[&str]) -> Vec<Value> {
        let base = ["box", "get", "--state", "bob", "--json"];
        let done = self.world.run(base.into_iter().chain(args.iter().copied()));
        done.ok().json()
    }

    /// The texts of the letters that bob gets.
    #[track_caller]
    fn texts(&self, args: &[&str]) -> Vec<String> {
        let said = self.get(args);
        let texts: Vec<String> = said
            .iter()
            .filter(|line| line["event"] == "letter")
            .map(|line| line["text"].as_str().unwrap().to_owned())
            .collect();
        let last = said.last().unwrap();
        assert_eq!(last["event"], "letters");
        assert_eq!(last["count"], texts.len());
        texts
    }
}

/// What a cache says that it keeps.
fn kept(people: &People, name: &str) -> u64 {
    let status = people.world.run(["status", "--state", name, "--json"]);
    let status = status.ok().json();
    let keeping = status.iter().find(|line| line["event"] == "keeping");
    keeping.unwrap()["letters"].as_u64().unwrap()
}

#[test]
fn through_one_cache_without_ever_being_there_together() {
    let people = People::new();
    let cache = people.cache("home", []);
    let sent = people.left("see you at noon", &["@at-home"], 1);
    assert_eq!(sent["caches"][0], cache.hashname());
    people.left("or at one", &["@at-home"], 1);
    let said = people.get(&["--via", "@at-home"]);
    let letter = &said[0];
    assert_eq!(letter["event"], "letter");
    assert_eq!(
        (&letter["text"], &letter["alias"]),
        (&"see you at noon".into(), &"ann".into())
    );
    assert_eq!(letter["id"], sent["id"]);
    assert_eq!(
        (&letter["bytes"], &said[1]["text"]),
        (&15.into(), &"or at one".into())
    );
    assert_eq!(said[2]["count"], 2);
    assert_eq!(kept(&people, "home"), 0);
    assert_eq!(people.texts(&["--via", "@at-home"]), [""; 0]);
}

#[test]
fn through_two_caches_each_letter_comes_once() {
    let people = People::new();
    let _caches = [people.cache("home", []), people.cache("work", [])];
    people.left("a", &["@at-home", "@at-work"], 2);
    people.left("b", &["@at-home", "@at-work"], 2);
    let both = ["--via", "@at-home", "--via", "@at-work"];
    let mut texts = people.texts(&both);
    texts.sort_unstable();
    assert_eq!(texts, ["a", "b"]);
    people.left("c", &["@at-home", "@at-work"], 2);
    // One after the other, by programs that know of each other by what is on disk only.
    assert_eq!(people.texts(&["--via", "@at-home"]), ["c"]);
    assert_eq!(people.texts(&["--via", "@at-work"]), [""; 0]);
    assert_eq!((kept(&people, "home"), kept(&people, "work")), (0, 0));
}

#[test]
fn a_cache_that_is_killed_has_nothing_and_the_other_one_or_the_sender_again_delivers() {
    let people = People::new();
    let home = people.cache("home", []);
    let _work = people.cache("work", []);
    people.left("a", &["@at-home", "@at-work"], 2);
    people.left("b", &["@at-home"], 1);
    let port = home.ready["link"]["paths"][0]["port"].to_string();
    home.signal(Signal::KILL);
    assert_eq!(home.ends(), None);
    // Who is not there is told of, and the other one is enough.
    let sent = people.put("c", &["--via", "@at-home", "--via", "@at-work"]);
    assert_eq!((sent.0, sent.1.len()), (Some(0), 2), "{sent:?}");
    assert_eq!(sent.1[0]["event"], "warning");
    let _home = people.cache_at(&format!("127.0.0.1:{port}"), "home", []);
    assert_eq!(kept(&people, "home"), 0);
    assert_eq!(
        people.texts(&["--via", "@at-home", "--via", "@at-work"]),
        ["a", "c"]
    );
    // `b` was at the killed one alone: it comes when it is sent again.
    people.left("b", &["@at-home"], 1);
    assert_eq!(people.texts(&["--via", "@at-home"]), ["b"]);
}

#[test]
fn nobody_learns_whether_a_cache_is_full_or_knows_the_recipient() {
    let people = People::new();
    let full = people.cache("full", ["--box-quota", "1"]);
    let _roomy = people.cache("roomy", []);
    let unknown = World::new();
    unknown.run(["id", "new", "--state", "eve"]).ok();
    let keys = unknown
        .run(["id", "show", "--state", "eve", "--format", "json"])
        .ok()
        .stdout;
    people.world.write("eve.json", keys);
    let say = |to: &str, via: &str| {
        let (code, mut lines, stderr) = people.put_to(to, "hello", &["--via", via]);
        let sent = lines.pop().unwrap();
        let mut sent = sent.as_object().unwrap().clone();
        // All that tells one letter from another.
        for field in ["hashname", "id", "caches", "seconds"] {
            assert!(sent.remove(field).is_some(), "{field}");
        }
        (code, lines, sent, stderr)
    };
    let known = say("bob", "@at-roomy");
    assert_eq!(known.0, Some(0));
    assert_eq!(say("@eve.json", "@at-roomy"), known);
    assert_eq!(say("bob", "@at-full"), known);
    assert_eq!(say("@eve.json", "@at-full"), known);
    assert_eq!((kept(&people, "full"), kept(&people, "roomy")), (0, 2));
    drop(full);
}

#[test]
fn quotas_are_those_of_the_command_line() {
    let people = People::new();
    // Each letter costs a bit under 5 KB.
    let limited = [
        ("sender", "--box-per-sender"),
        ("recipient", "--box-per-recipient"),
        ("all", "--box-quota"),
    ];
    let _limited = limited.map(|(name, option)| people.cache(name, [option, "12K"]));
    let _forgetful = people.cache("forgetful", ["--box-expires", "1s"]);
    let _roomy = people.cache("roomy", []);
    let all = [
        "@at-sender",
        "@at-recipient",
        "@at-all",
        "@at-forgetful",
        "@at-roomy",
    ];
    for letter in ["a", "b", "c"] {
        people.left(letter.repeat(3000), &all, all.len());
    }
    for (name, _) in limited {
        assert_eq!(kept(&people, name), 2, "{name}");
    }
    assert_eq!(kept(&people, "roomy"), 3);
    let start = Instant::now();
    while kept(&people, "forgetful") > 0 {
        assert!(start.elapsed() < PATIENCE, "nothing expires");
    }
    // The oldest one made room.
    let texts = ["b", "c"].map(|letter| letter.repeat(3000));
    assert_eq!(people.texts(&["--via", "@at-sender"]), texts);
    people
        .world
        .run(["up", "--box-quota", "1M", "--state", "x"])
        .failed(USAGE, &["--box"]);
    people
        .world
        .run(["up", "--box", "--box-quota", "0", "--state", "x"])
        .failed(USAGE, &["1 byte"]);
}

#[test]
fn whoever_is_there_gets_the_letter_directly() {
    let people = People::new();
    let _home = people.cache("home", []);
    let follow = [
        "box",
        "get",
        "--state",
        "bob",
        "--json",
        "--follow",
        "--udp",
        "127.0.0.1:0",
        "--via",
        "@at-home",
    ];
    let mut bob = Up::start(&mut people.world.mesh(follow));
    people.world.write("at-bob", bob.link());
    let (code, lines, stderr) = people.put_to("@at-bob", "hello", &["--via", "@at-home"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(lines[0]["direct"], true);
    assert_eq!(bob.wait_for("letter")["text"], "hello");
    // And what is left at a cache comes at once, too.
    people.left("by the way", &["@at-home"], 1);
    assert_eq!(bob.wait_for("letter")["text"], "by the way");
    assert_eq!(bob.terminate().0, Some(0));
    assert_eq!(kept(&people, "home"), 0);
}

#[test]
fn a_cache_that_is_down_when_the_recipient_begins_brings_its_letters_once_it_is_there() {
    let people = People::new();
    let home = people.cache("home", []);
    let port = home.ready["link"]["paths"][0]["port"].to_string();
    assert_eq!(home.terminate().0, Some(0));
    let follow = [
        "box",
        "get",
        "--state",
        "bob",
        "--json",
        "--follow",
        "--udp",
        "127.0.0.1:0",
        "--via",
        "@at-home",
        "--wait",
        "0.2",
    ];
    let mut bob = Up::start(&mut people.world.mesh(follow));
    let warning = bob.wait_for("warning");
    let message = warning["message"].as_str().unwrap();
    assert!(message.contains("is waited for"), "{message}");
    let _home = people.cache_at(&format!("127.0.0.1:{port}"), "home", []);
    people.left("at last", &["@at-home"], 1);
    assert_eq!(bob.wait_for("letter")["text"], "at last");
    assert_eq!(bob.terminate().0, Some(0));
}

#[test]
fn letters_are_as_they_were_whatever_is_in_them() {
    let people = People::new();
    let _home = people.cache("home", []);
    fs::create_dir(people.world.path("in")).unwrap();
    let bodies = [
        noise(100_000),
        Vec::new(),
        b"\x1b[2Jhello\r\n\0".to_vec(),
        vec![b'"'; 260_000],
    ];
    for body in &bodies {
        people.left(body.clone(), &["@at-home"], 1);
    }
    let said = people.get(&["--via", "@at-home", "--dir", "in"]);
    for (line, body) in said.iter().zip(&bodies) {
        let file = line["file"].as_str().unwrap_or_else(|| panic!("{line}"));
        assert!(fs::read(file).unwrap() == *body, "{line}");
    }
    assert_eq!(
        fs::read_dir(people.world.path("in")).unwrap().count(),
        bodies.len()
    );
    people.left(bodies[2].clone(), &["@at-home"], 1);
    let get = ["box", "get", "--state", "bob", "--via", "@at-home"];
    let text = people.world.run(get).ok().stdout;
    assert!(
        text.contains("from ann (") && text.contains("as base64:\n    G1sySmhlbGxvDQoA"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn a_letter_that_is_too_large_or_for_nobody_is_not_left_and_the_error_says_what_to_try() {
    let people = People::new();
    let (code, _, stderr) = people.put(vec![0; 263_000], &[]);
    assert_eq!(code, Some(USAGE), "{stderr}");
    assert!(stderr.contains("mesh send"), "{stderr}");
    let (code, _, stderr) = people.put("hello", &[]);
    assert_eq!(code, Some(UNREACHABLE), "{stderr}");
    assert!(
        stderr.contains("--via") && stderr.contains("mesh up --box"),
        "{stderr}"
    );
    // Only its name is known.
    let hashname = World::new();
    hashname.run(["id", "new", "--state", "eve"]).ok();
    let eve = hashname
        .run(["id", "show", "--state", "eve", "--json"])
        .ok()
        .json();
    let eve = eve[0]["hashname"].as_str().unwrap();
    let _home = people.cache("home", []);
    let (code, _, stderr) = people.put_to(eve, "hello", &["--via", "@at-home"]);
    assert_eq!(code, Some(UNREACHABLE), "{stderr}");
    assert!(
        stderr.contains("keys") && stderr.contains("links add"),
        "{stderr}"
    );
    // Who keeps no letters refuses them.
    let other = people.world.up(["--accept", "all", "--state", "other"]);
    people.world.write("at-other", other.link());
    let (code, _, stderr) = people.put("hello", &["--via", "@at-other"]);
    assert_eq!(code, Some(REFUSED), "{stderr}");
    assert!(stderr.contains("mesh up --box"), "{stderr}");
    let get = |via: &[&str]| {
        let base = ["box", "get", "--state", "bob", "--wait", "1"];
        people
            .world
            .run(base.into_iter().chain(via.iter().copied()))
    };
    get(&["--via", "@at-other"]).failed(REFUSED, &["mesh up --box"]);
    get(&[]).failed(UNREACHABLE, &["--via"]);
    get(&["--dir", "none"]).failed(FAILED, &["none"]);
}

#[test]
fn a_letter_that_could_not_be_written_out_is_there_still() {
    let people = People::new();
    let _home = people.cache("home", []);
    people.left("a".repeat(100_000), &["@at-home"], 1);
    let get = ["box", "get", "--via", "@at-home", "--state", "bob"];
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = people.world.mesh(get).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(FAILED), "{output:?}");
    assert_eq!(kept(&people, "home"), 1);
    // The same through an endpoint that runs: it waits for what the client says.
    let bob = people.world.up(["--state", "bob"]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = people.world.mesh(get).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(FAILED), "{output:?}");
    assert_eq!(kept(&people, "home"), 1);
    assert_eq!(people.texts(&["--via", "@at-home"]), ["a".repeat(100_000)]);
    assert_eq!(kept(&people, "home"), 0);
    drop(bob);
}

#[test]
fn a_reader_that_is_killed_loses_no_letter_and_gets_none_twice_that_it_took() {
    let people = People::new();
    let _home = people.cache("home", []);
    for number in 0..8 {
        // None fits into what a pipe holds.
        people.left(format!("{number:02}").repeat(50_000), &["@at-home"], 1);
    }
    let get = [
        "box", "get", "--via", "@at-home", "--state", "bob", "--json",
    ];
    let mut seen = Vec::new();
    let number = |line: &Value| line["text"].as_str().map(|text| text[..2].to_owned());
    for _ in 0..2 {
        let child = people
            .world
            .mesh(get)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running(child);
        let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
        for _ in 0..2 {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            seen.extend(number(&line));
        }
        // It writes another one, which nobody reads to its end.
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    }
    let rest = people.get(&["--via", "@at-home"]);
    seen.extend(rest.iter().filter_map(number));
    seen.dedup();
    let all: Vec<_> = (0..8).map(|number| format!("{number:02}")).collect();
    // One that was printed right before the kill may come again, and nothing else.
    assert_eq!(seen, all);
    assert_eq!(kept(&people, "home"), 0);
}

#[test]
fn a_running_endpoint_puts_and_gets_and_keeps_for_itself() {
    let people = People::new();
    // Bob's own endpoint is a cache, and ann's is linked with it.
    let bob = people.cache("bob", []);
    let ann = people.world.up(["--state", "ann", "--link", "@at-bob"]);
    let (code, lines, stderr) = people.put("hello", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(lines[0]["direct"], true);
    assert_eq!(kept(&people, "bob"), 1);
    assert_eq!(people.texts(&[]), ["hello"]);
    assert_eq!(kept(&people, "bob"), 0);
    // Two at once would take from each other.
    let follow = ["box", "get", "--state", "bob", "--json", "--follow"];
    let mut following = Up::start(&mut people.world.mesh(follow));
    people
        .world
        .run(["box", "get", "--state", "bob"])
        .failed(FAILED, &["takes the letters of this endpoint already"]);
    people.put("again", &[]);
    assert_eq!(following.wait_for("letter")["text"], "again");
    assert_eq!(following.terminate().0, Some(0));
    assert_eq!((ann.terminate().0, bob.terminate().0), (Some(0), Some(0)));
}

#[test]
fn a_letter_can_be_answered_with_what_it_holds() {
    let people = People::new();
    let _home = people.cache("home", []);
    people.left("and you?", &["@at-home"], 1);
    let letter = people.get(&["--via", "@at-home"])[0].to_string();
    people.world.write("letter", letter);
    // Somebody who knows nothing of ann but this.
    let args = [
        "box", "put", "@letter", "--via", "@at-home", "--id", "eve.json", "--json", "--wait", "1",
    ];
    let (code, _, stderr) = with_input(&mut people.world.mesh(args), b"fine".to_vec());
    assert_eq!(code, Some(0), "{stderr}");
    let get = [
        "box", "get", "--state", "ann", "--json", "--via", "@at-home",
    ];
    let got = people.world.run(get).ok().json();
    assert_eq!(got[0]["text"], "fine");
}

#[test]
fn what_was_taken_is_remembered_on_disk() {
    let people = People::new();
    let _home = people.cache("home", []);
    people.left("once", &["@at-home"], 1);
    assert_eq!(people.texts(&["--via", "@at-home"]), ["once"]);
    let noted = people.world.path("bob/letters");
    let text = fs::read_to_string(&noted).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    // A damaged file is told of, and letters stay.
    fs::write(&noted, "hello\n").unwrap();
    people.left("twice", &["@at-home"], 1);
    people
        .world
        .run(["box", "get", "--state", "bob", "--via", "@at-home"])
        .failed(FAILED, &["bob/letters", "damaged"]);
    assert_eq!(kept(&people, "home"), 1);
    let mut text = String::new();
    fs::File::open(&noted)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "hello\n");
}
