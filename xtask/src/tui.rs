//! `mesh chat` on terminals, as people see it: two in tmux, on a private socket, type, scroll, resize, are killed and come
//! back. What their terminals show is kept in `target/tui`.

mod tmux;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use self::tmux::{Pane, Tmux};
use crate::process;
use crate::report::Report;
use crate::shell;

/// What a program may take that ends by itself.
const LIMIT: Duration = Duration::from_secs(60);

/// Lines that one says for the other one to scroll through.
const LINES: usize = 60;

/// What somebody sends who means harm: a title, a cleared screen, another direction.
const HOSTILE: &str = "\u{1b}]2;TAKEN\u{7}\u{1b}[2Jevil\u{9b}31m\u{202e}txet\n";

/// Runs it and prints where the pictures are.
pub(crate) fn run() -> Result<()> {
    ensure!(
        Command::new("tmux").arg("-V").output().is_ok(),
        "tmux is not installed"
    );
    let program = shell::mesh_program()?;
    let pictures = shell::target_dir()?.join("tui");
    // What an earlier run left shows nothing about this one.
    if pictures.exists() {
        fs::remove_dir_all(&pictures)?;
    }
    fs::create_dir_all(&pictures)?;
    let folder = tempfile::tempdir()?;
    let stage = Stage {
        tmux: Tmux::new(folder.path(), &pictures),
        program,
        folder: folder.path().to_owned(),
    };
    let mut report = Report::new("tui");
    report.step("two meet", || stage.meet());
    report.step("they talk", || stage.talk());
    report.step("one changes what was said", || stage.change());
    report.step("one scrolls", || stage.scroll());
    report.step("one resizes", || stage.resize());
    report.step("one is killed and comes back", || stage.restart());
    report.step("one means harm", || stage.harm());
    report.step("both leave", || stage.leave());
    println!("    pictures: {}", pictures.display());
    report.finish()
}

/// Where it takes place. Each step goes on where the one before it ended.
struct Stage {
    tmux: Tmux,
    program: PathBuf,
    folder: PathBuf,
}

impl Stage {
    fn ann(&self) -> Pane<'_> {
        self.tmux.pane("ann")
    }

    fn bob(&self) -> Pane<'_> {
        self.tmux.pane("bob")
    }

    /// Starts the program on a terminal of its own.
    fn start<'a>(&'a self, name: &'a str, nick: &str, arguments: &[&str]) -> Result<Pane<'a>> {
        let state = self.folder.join(name);
        let state = state.to_str().context("a folder without a name")?;
        let base = [
            "chat",
            "--udp",
            "127.0.0.1:0",
            "--name",
            nick,
            "--state",
            state,
        ];
        let arguments: Vec<&str> = base.iter().chain(arguments).copied().collect();
        self.tmux.start(name, &self.program, &arguments)
    }

    fn meet(&self) -> Result<()> {
        let ann = self.start("ann", "Ann", &["--lead", "team"])?;
        let invite = invite(&ann)?;
        fs::write(self.folder.join("invite"), &invite)?;
        ann.key("Enter")?;
        ann.wait("her chat", |screen| screen.contains("team · you are Ann"))?;
        let bob = self.start("bob", "Bob", &[&invite])?;
        ann.wait("Bob", |screen| screen.contains("Bob is here"))?;
        bob.wait("Ann", |screen| screen.contains("Ann is here"))?;
        ann.wait("Bob in the list", |screen| screen.contains("● Bob"))?;
        self.tmux.keep("meet")
    }

    fn talk(&self) -> Result<()> {
        let (ann, bob) = (self.ann(), self.bob());
        bob.write("grüße, Ann")?;
        ann.wait("that he types", |screen| screen.contains("Bob is typing"))?;
        self.tmux.keep("typing")?;
        bob.key("Enter")?;
        ann.wait("what he said", |screen| screen.contains(" Bob: grüße, Ann"))?;
        ann.wait("that he types no more", |screen| !screen.contains("typing"))?;
        ann.say("你好, Bob")?;
        bob.wait("what she said", |screen| screen.contains(" Ann: 你好, Bob"))?;
        ann.say("/me waves")?;
        bob.wait("what she did", |screen| screen.contains("* Ann waves"))?;
        bob.say("/who")?;
        bob.wait("who is there", |screen| {
            screen.contains("is online, and leads")
        })?;
        bob.say("/admit Eve")?;
        bob.wait("that he cannot", |screen| {
            screen.contains("nobody who is called Eve")
        })?;
        self.tmux.keep("talk")
    }

    fn change(&self) -> Result<()> {
        let (ann, bob) = (self.ann(), self.bob());
        bob.say("see you at elevn")?;
        ann.wait("what he said", |screen| screen.contains("elevn"))?;
        bob.key("Up")?;
        bob.wait("the line", |screen| {
            screen.contains("edit> see you at elevn")
        })?;
        bob.key("BSpace")?;
        bob.write("en")?;
        bob.key("Enter")?;
        let changed = "Bob: see you at eleven (edited)";
        ann.wait("the change", |screen| {
            screen.contains(changed) && !screen.contains("elevn")
        })?;
        bob.wait("the change", |screen| screen.contains(changed))?;
        self.tmux.keep("change")
    }

    fn scroll(&self) -> Result<()> {
        let (ann, bob) = (self.ann(), self.bob());
        for number in 0..LINES {
            bob.say(&format!("number {number}."))?;
        }
        let (first, last) = ("number 0.".to_owned(), format!("number {}.", LINES - 1));
        ann.wait("the last line", |screen| {
            screen.contains(&last) && !screen.contains(&first)
        })?;
        for _ in 0..4 {
            ann.key("PageUp")?;
        }
        ann.wait("the first line", |screen| {
            screen.contains("scrolled back") && screen.contains(&first) && !screen.contains(&last)
        })?;
        bob.say("one more")?;
        ann.wait("that there is more", |screen| {
            screen.contains("1 new below")
        })?;
        let screen = ann.screen()?;
        ensure!(
            screen.contains(&first),
            "the screen moved while she read:\n{screen}"
        );
        self.tmux.keep("scroll")
    }

    fn resize(&self) -> Result<()> {
        let ann = self.ann();
        ann.resize(50, 12)?;
        ann.wait("a narrow screen", |screen| {
            screen.contains("scrolled back") && !screen.contains("● Bob")
        })?;
        self.tmux.keep("narrow")?;
        for (width, height) in [(1, 1), (3, 2), (7, 3), (200, 4)] {
            ann.resize(width, height)?;
        }
        ann.resize(100, 30)?;
        ann.wait("a wide screen", |screen| screen.contains("● Bob"))?;
        for _ in 0..6 {
            ann.key("PageDown")?;
        }
        ann.wait("the end", |screen| {
            screen.contains("one more") && !screen.contains("scrolled back")
        })?;
        self.tmux.keep("wide")
    }

    fn restart(&self) -> Result<()> {
        let ann = self.ann();
        self.bob().kill_program("KILL")?;
        ann.say("while you were away")?;
        ann.wait("what she said", |screen| {
            screen.contains("Ann: while you were away")
        })?;
        self.bob().close()?;
        let invite = fs::read_to_string(self.folder.join("invite"))?;
        let bob = self.start("bob", "Bob", &[&invite])?;
        bob.wait("what he missed", |screen| {
            screen.contains("Ann: while you were away") && screen.contains("Bob: one more")
        })?;
        bob.say("I am back")?;
        ann.wait("him", |screen| screen.contains("Bob: I am back"))?;
        bob.key("PageUp")?;
        bob.wait("what was before", |screen| screen.contains("number 30."))?;
        bob.key("PageDown")?;
        self.tmux.keep("restart")
    }

    fn harm(&self) -> Result<()> {
        let ann = self.ann();
        ann.say("/invite")?;
        let invite = invite(&ann)?;
        ann.key("Enter")?;
        let mut command = Command::new(&self.program);
        command
            .args([
                "chat",
                &invite,
                "--udp",
                "127.0.0.1:0",
                "--name",
                "E\u{1b}[31mve\u{202e}",
            ])
            .arg("--state")
            .arg(self.folder.join("eve"));
        let panes = [ann, self.bob()];
        let raw = panes.map(|pane| pane.record(&self.folder));
        let input = self.folder.join("hostile");
        fs::write(&input, HOSTILE)?;
        command.stdin(Stdio::from(fs::File::open(&input)?));
        let done = process::run_to_end(command.stdout(Stdio::piped()), LIMIT)?;
        ensure!(done.code == Some(0), "Eve: {}", done.last_error_line());
        for (pane, raw) in panes.iter().zip(raw) {
            pane.wait("what she said", |screen| {
                screen.contains("evil") && screen.contains("I am back")
            })?;
            harmless(&raw?.end()?)?;
            ensure!(pane.ask("#{pane_title}")? != "TAKEN", "the title was taken");
        }
        self.tmux.keep("harm")
    }

    fn leave(&self) -> Result<()> {
        let (ann, bob) = (self.ann(), self.bob());
        bob.say("goodbye")?;
        bob.say("/quit")?;
        given_back(&bob, 0)?;
        ann.wait("his last word", |screen| {
            screen.contains("Bob: goodbye") && screen.contains("Bob is gone")
        })?;
        ann.kill_program("TERM")?;
        given_back(&ann, 130)?;
        self.tmux.keep("leave")
    }
}

/// What was written to a terminal has none of what Eve sent: the terminal itself would swallow it, and show nothing.
fn harmless(raw: &[u8]) -> Result<()> {
    ensure!(!raw.is_empty(), "nothing was written to the terminal");
    let text = String::from_utf8_lossy(raw);
    for harm in [
        "\u{1b}]",
        "\u{7}",
        "\u{9b}",
        "\u{202e}",
        "\u{1b}[2Je",
        "\u{1b}[31mv",
    ] {
        ensure!(!text.contains(harm), "{harm:?} went to the terminal");
    }
    Ok(())
}

/// The invite on the page that a terminal shows.
fn invite(pane: &Pane<'_>) -> Result<String> {
    let page = pane.wait_joined("an invite", |screen| {
        screen.contains("(Enter: on to the chat)")
    })?;
    let line = page
        .lines()
        .rev()
        .find(|line| line.starts_with("mesh chat '"));
    let uri = line.and_then(|line| line.split('\'').nth(1));
    Ok(uri.context("the page has no invite")?.to_owned())
}

/// The program ended with this code, and left the terminal as it was.
fn given_back(pane: &Pane<'_>, code: i32) -> Result<()> {
    let ended = format!("ended {code}");
    let screen = pane.wait("its end", |screen| {
        screen.contains(&ended) && screen.contains("rprnt")
    })?;
    for raw in ["-icanon", "-echo ", "-isig", "-opost"] {
        ensure!(!screen.contains(raw), "the terminal is left raw:\n{screen}");
    }
    ensure!(
        pane.ask("#{alternate_on}")? == "0",
        "the screen was not given back"
    );
    ensure!(pane.ask("#{cursor_flag}")? == "1", "the cursor is hidden");
    Ok(())
}
