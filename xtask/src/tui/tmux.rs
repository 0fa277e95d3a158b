//! tmux on a socket of our own: terminals that are typed on and looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long something may take to show.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a program, and then says how it ended and how the terminal is.
const SHELL: &str = r#""$0" "$@"; echo "ended $?"; stty -a; exec cat"#;

/// A tmux server, which ends with this.
pub(super) struct Tmux {
    folder: PathBuf,
    pictures: PathBuf,
}

/// A terminal of it.
#[derive(Clone, Copy)]
pub(super) struct Pane<'a> {
    tmux: &'a Tmux,
    name: &'a str,
}

impl Tmux {
    /// With its socket in `folder`; pictures are kept in `pictures`.
    pub(super) fn new(folder: &Path, pictures: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            pictures: pictures.to_owned(),
        }
    }

    /// Starts a program on a terminal of 100 columns and 30 lines.
    pub(super) fn start<'a>(
        &'a self,
        name: &'a str,
        program: &Path,
        arguments: &[&str],
    ) -> Result<Pane<'a>> {
        let mut command = self.command();
        command
            .args([
                "new-session",
                "-d",
                "-s",
                name,
                "-x",
                "100",
                "-y",
                "30",
                "--",
            ])
            .args(["sh", "-c", SHELL])
            .arg(program)
            .args(arguments);
        run(&mut command)?;
        Ok(self.pane(name))
    }

    /// The terminal of this name.
    pub(super) fn pane<'a>(&'a self, name: &'a str) -> Pane<'a> {
        Pane { tmux: self, name }
    }

    /// Keeps what all terminals show.
    pub(super) fn keep(&self, step: &str) -> Result<()> {
        let names = run(self
            .command()
            .args(["list-sessions", "-F", "#{session_name}"]))?;
        for name in names.lines() {
            let screen = self.pane(name).screen()?;
            fs::write(self.pictures.join(format!("{step}-{name}.txt")), screen)?;
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-L", "chat", "-f", "/dev/null"])
            .env("TMUX_TMPDIR", &self.folder)
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env_remove("TMUX");
        command
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.command().arg("kill-server").output();
    }
}

impl<'a> Pane<'a> {
    /// What it shows.
    pub(super) fn screen(&self) -> Result<String> {
        self.capture(&[])
    }

    /// Waits until it shows something, and says what.
    pub(super) fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.wait_for(what, &[], wanted)
    }

    /// The same with lines as long as they were written.
    pub(super) fn wait_joined(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.wait_for(what, &["-J"], wanted)
    }

    fn wait_for(
        &self,
        what: &str,
        options: &[&str],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let start = Instant::now();
        loop {
            let screen = self.capture(options)?;
            if wanted(&screen) {
                return Ok(screen);
            }
            if start.elapsed() > LIMIT {
                bail!(
                    "the terminal of {} does not show {what}:\n{screen}",
                    self.name
                );
            }
            thread::sleep(LOOK);
        }
    }

    fn capture(&self, options: &[&str]) -> Result<String> {
        let mut command = self.tmux.command();
        run(command
            .args(["capture-pane", "-p", "-t", self.name])
            .args(options))
    }

    /// Types this.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        run(self
            .tmux
            .command()
            .args(["send-keys", "-l", "-t", self.name, "--", text]))
        .map(drop)
    }

    /// Presses a key, by tmux's name of it.
    pub(super) fn key(&self, key: &str) -> Result<()> {
        run(self
            .tmux
            .command()
            .args(["send-keys", "-t", self.name, key]))
        .map(drop)
    }

    /// Types a line.
    pub(super) fn say(&self, line: &str) -> Result<()> {
        self.write(line)?;
        self.key("Enter")
    }

    /// Gives it another size.
    pub(super) fn resize(&self, width: u16, height: u16) -> Result<()> {
        let (width, height) = (width.to_string(), height.to_string());
        let mut command = self.tmux.command();
        run(command.args([
            "resize-window",
            "-t",
            self.name,
            "-x",
            &width,
            "-y",
            &height,
        ]))
        .map(drop)
    }

    /// What tmux knows of it.
    pub(super) fn ask(&self, format: &str) -> Result<String> {
        let mut command = self.tmux.command();
        let answer = run(command.args(["display-message", "-p", "-t", self.name, format]))?;
        Ok(answer.trim_end().to_owned())
    }

    /// Sends a signal to the program on it.
    pub(super) fn kill_program(&self, signal: &str) -> Result<()> {
        let shell = self.ask("#{pane_pid}")?;
        let children = run(Command::new("pgrep").args(["-P", &shell]))?;
        let program = children
            .lines()
            .next()
            .context("there is no program on it")?;
        run(Command::new("kill").args(["-s", signal, program])).map(drop)
    }

    /// Records what programs write to it from now on, in a file in `folder`.
    pub(super) fn record(self, folder: &Path) -> Result<Recording<'a>> {
        let file = folder.join(format!("{}.raw", self.name));
        let part = file.with_extension("part");
        // The file is there only once it is whole.
        let shell = format!(
            "cat > '{0}' && mv '{0}' '{1}'",
            part.display(),
            file.display()
        );
        run(self
            .tmux
            .command()
            .args(["pipe-pane", "-t", self.name, &shell]))?;
        Ok(Recording { pane: self, file })
    }

    /// Removes it.
    pub(super) fn close(&self) -> Result<()> {
        run(self.tmux.command().args(["kill-session", "-t", self.name])).map(drop)
    }
}

/// What is written to a terminal, byte by byte.
pub(super) struct Recording<'a> {
    pane: Pane<'a>,
    file: PathBuf,
}

impl Recording<'_> {
    /// Ends it, and says what was written.
    pub(super) fn end(self) -> Result<Vec<u8>> {
        run(self
            .pane
            .tmux
            .command()
            .args(["pipe-pane", "-t", self.pane.name]))?;
        let start = Instant::now();
        while !self.file.exists() {
            ensure!(
                start.elapsed() < LIMIT,
                "the record of the terminal of {} does not end",
                self.pane.name
            );
            thread::sleep(LOOK);
        }
        Ok(fs::read(&self.file)?)
    }
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().context("could not start it")?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
