//! Everything that people get wrong: a clear sentence, the documented exit code, and nothing overwritten.

use std::fs::{self, File, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::mesh::{self, Up};
use crate::process::{self, Finished};
use crate::report::{Outcome, Report};

/// The slowest wait of these is the program's own for an unreachable peer.
const LIMIT: Duration = Duration::from_secs(60);

// Exit codes of the program.
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const UNREACHABLE: i32 = 3;

/// A hashname that nobody has.
const NOBODY: &str = "ekkubb4bmjrqikl4mp6flzbzw6mvauwgvppkl3e2tfa2jdtnavya";

/// Adds one step a mistake.
pub(crate) fn check(report: &mut Report, program: &Path) {
    let world = match World::new(program) {
        Ok(world) => world,
        Err(error) => return report.step("bad input", || Outcome::Failed(format!("{error:#}"))),
    };
    report.step("bad input: key files", || key_files(&world));
    report.step("bad input: targets", || targets(&world));
    report.step("bad input: own hashname", || own_hashname(&world));
    report.step("bad input: another cipher set", || {
        another_cipher_set(&world)
    });
    report.step("bad input: port in use", || port_in_use(&world));
    report.step("bad input: unreachable peer", || unreachable(&world));
    report.step("bad input: state locked", || state_locked(&world));
    report.step("bad input: full disk", || full_disk(&world));
    report.step("bad input: nothing overwritten", || {
        nothing_overwritten(&world)
    });
}

/// A folder with one good identity, and the program.
struct World<'a> {
    program: &'a Path,
    folder: tempfile::TempDir,
    identity: PathBuf,
}

impl<'a> World<'a> {
    fn new(program: &'a Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let identity = mesh::identity(program, folder.path(), "good")?;
        Ok(Self {
            program,
            folder,
            identity,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(path)
    }

    fn mesh(&self) -> Command {
        Command::new(self.program)
    }

    /// `mesh link --id good.json TARGET`.
    fn link(&self, target: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.mesh();
        command
            .args(["link", "--id"])
            .arg(&self.identity)
            .arg(target)
            .args(["--wait", "3"]);
        command
    }
}

/// One sentence on standard error, the code, and nothing on standard output.
fn refused(command: &mut Command, code: i32, words: &[&str]) -> Result<Finished> {
    let done = process::finish(command, LIMIT)?;
    said(&done, code, words)?;
    ensure!(
        done.stdout.is_empty(),
        "standard output is not empty: {}",
        done.stdout
    );
    Ok(done)
}

fn said(done: &Finished, code: i32, words: &[&str]) -> Result<()> {
    let message = done.stderr.trim();
    ensure!(
        done.code == Some(code),
        "exit {:?} instead of {code}: {message}",
        done.code
    );
    ensure!(!message.is_empty(), "nothing on standard error");
    ensure!(!message.contains("panicked"), "it panicked: {message}");
    let lower = message.to_lowercase();
    for word in words {
        ensure!(
            lower.contains(word),
            "the message does not say `{word}`: {message}"
        );
    }
    println!("    {code}: {message}");
    Ok(())
}

fn key_files(world: &World<'_>) -> Result<()> {
    let good: Value = serde_json::from_str(&fs::read_to_string(&world.identity)?)?;
    let mut future = good.clone();
    future["version"] = json!(999);
    let mut stolen = good.clone();
    stolen["hashname"] = json!(NOBODY);
    let up = |file: &Path| {
        let mut command = world.mesh();
        command
            .args(["up", "--udp", "127.0.0.1:0", "--id"])
            .arg(file);
        command
    };
    let garbage = world.write("garbage.json", "this is not a key file")?;
    refused(&mut up(&garbage), FAILED, &["garbage.json"])?;
    let wrong = world.write("wrong.json", &stolen.to_string())?;
    refused(&mut up(&wrong), FAILED, &["wrong.json", "hashname"])?;
    let future = world.write("future.json", &future.to_string())?;
    refused(&mut up(&future), FAILED, &["future.json", "version"])?;
    let open = world.write("open.json", &good.to_string())?;
    fs::set_permissions(&open, Permissions::from_mode(0o644))?;
    refused(&mut up(&open), FAILED, &["open.json", "600"])?;
    Ok(())
}

fn targets(world: &World<'_>) -> Result<()> {
    let broken = world.write("broken-link.json", r#"{"hashname":"#)?;
    refused(
        &mut world.link(mesh::at_file(&broken)),
        USAGE,
        &["broken-link.json"],
    )?;
    refused(
        &mut world.link(mesh::at_file(&world.path("missing-link.json"))),
        USAGE,
        &["missing-link.json"],
    )?;
    refused(
        &mut world.link("link://127.0.0.1:99999/?cs3a=abc"),
        USAGE,
        &[],
    )?;
    refused(
        &mut world.link("notahashnameatall"),
        USAGE,
        &["notahashnameatall"],
    )?;
    Ok(())
}

fn own_hashname(world: &World<'_>) -> Result<()> {
    let good: Value = serde_json::from_str(&fs::read_to_string(&world.identity)?)?;
    let link = json!({
        "hashname": good["hashname"],
        "keys": good["keys"],
        "paths": [{ "type": "udp4", "ip": "127.0.0.1", "port": 9 }],
    });
    let file = world.write("self-link.json", &link.to_string())?;
    refused(&mut world.link(mesh::at_file(&file)), USAGE, &["own"])?;
    Ok(())
}

fn another_cipher_set(world: &World<'_>) -> Result<()> {
    let vector = crate::shell::root().join("interop/vectors/js/identities.json");
    let vector: Value = serde_json::from_str(&fs::read_to_string(vector)?)?;
    let key = &vector["identities"]["A"]["keys_base32"]["1a"];
    ensure!(key.is_string(), "the vectors have no CS1a key");
    let link = json!({ "keys": { "1a": key }, "paths": [{ "type": "udp4", "ip": "127.0.0.1", "port": 9 }] });
    let file = world.write("foreign-link.json", &link.to_string())?;
    refused(
        &mut world.link(mesh::at_file(&file)),
        FAILED,
        &["cipher set"],
    )?;
    Ok(())
}

fn port_in_use(world: &World<'_>) -> Result<()> {
    let taken = UdpSocket::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let mut command = world.mesh();
    command
        .args(["up", "--udp", &address, "--id"])
        .arg(&world.identity);
    refused(&mut command, FAILED, &[&address, "in use"])?;
    Ok(())
}

fn unreachable(world: &World<'_>) -> Result<()> {
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    let stranger: Value = serde_json::from_str(&fs::read_to_string(mesh::identity(
        world.program,
        world.folder.path(),
        "stranger",
    )?)?)?;
    let port = silent.local_addr()?.port();
    let link = json!({
        "hashname": stranger["hashname"],
        "keys": stranger["keys"],
        "paths": [{ "type": "udp4", "ip": "127.0.0.1", "port": port }],
    });
    let file = world.write("silent-link.json", &link.to_string())?;
    refused(&mut world.link(mesh::at_file(&file)), UNREACHABLE, &[])?;
    Ok(())
}

fn state_locked(world: &World<'_>) -> Result<()> {
    let state = world.path("state");
    let mut first = world.mesh();
    first
        .args(["up", "--udp", "127.0.0.1:0", "--json", "--state"])
        .arg(&state);
    let running = process::JsonChild::start("mesh up", &mut first)?;
    running.expect("that it is ready", LIMIT, |line| line["event"] == "ready")?;
    let mut second = world.mesh();
    second
        .args(["up", "--udp", "127.0.0.1:0", "--state"])
        .arg(&state);
    refused(&mut second, FAILED, &["state"])?;
    running.terminate(LIMIT)?;
    Ok(())
}

/// Standard output on a file system of 1 MB that fills up.
fn full_disk(world: &World<'_>) -> Outcome {
    let mount = world.path("full");
    let mounted = fs::create_dir(&mount)
        .map_err(anyhow::Error::from)
        .and_then(|()| {
            let status = Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
                .arg(&mount)
                .stderr(Stdio::null())
                .status()?;
            ensure!(status.success(), "mount: {status}");
            Ok(())
        });
    if let Err(error) = mounted {
        return Outcome::Skipped(format!(
            "a small file system cannot be mounted here: {error:#}"
        ));
    }
    let result = fill(world, &mount);
    let _left_to_the_system = Command::new("umount").arg(&mount).status();
    result.into()
}

fn fill(world: &World<'_>, mount: &Path) -> Result<()> {
    let file = world.path("four-megabytes");
    mesh::write_pattern(&file, 4 << 20)?;
    let up = Up::start(world.program, world.folder.path(), "echo")?;
    let pipe = mesh::Pipe {
        program: world.program,
        identity: &world.identity,
        link: up.link_file(),
        listening: ["--udp", "127.0.0.1:0"],
    };
    let done = pipe.run(&file, &mount.join("copy"), LIMIT)?;
    said(&done, FAILED, &["space"])?;
    up.stop()
}

fn nothing_overwritten(world: &World<'_>) -> Result<()> {
    let before = fs::read(&world.identity)?;
    refused(
        world
            .mesh()
            .args(["id", "new", "--out"])
            .arg(&world.identity),
        FAILED,
        &["good.json", "exist"],
    )?;
    ensure!(
        fs::read(&world.identity)? == before,
        "the identity was overwritten"
    );
    let mode = File::open(&world.identity)?
        .metadata()?
        .permissions()
        .mode()
        & 0o777;
    ensure!(mode == 0o600, "the identity has mode {mode:o}");
    Ok(())
}
