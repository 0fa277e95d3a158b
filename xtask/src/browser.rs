//! A real browser, Debian's Chromium, in front of the `mesh` program: it uses sites of the mesh as people do, and pages of
//! foreign origins attack one of them. What it does is in `interop/browser`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::endtoend::mesh;
use crate::process::{self, Finished, JsonChild};
use crate::report::{Outcome, Report};
use crate::shell::{self, root, run as sh};

/// The browser, as Debian installs it.
const BROWSER: &str = "/usr/bin/chromium";

/// What each of our programs may take to say that it is ready.
const READY: Duration = Duration::from_secs(30);

/// All that the browser does; it bounds each step itself.
const LIMIT: Duration = Duration::from_secs(420);

/// Bytes of the file that it uploads.
const UPLOADED: u64 = 100_000;

/// Runs it and prints where the screenshots are.
pub(crate) fn run() -> Result<()> {
    let mut report = Report::new("browser");
    let pictures = shell::target_dir()?.join("browser");
    report.step("set-up", prepare);
    match visit(&pictures) {
        Ok(finished) => add_steps(&mut report, &finished),
        Err(error) => report.add(
            "the visit".into(),
            Outcome::Failed(format!("{error:#}")),
            Duration::ZERO,
        ),
    }
    println!("    screenshots: {}", pictures.display());
    report.finish()
}

fn prepare() -> Result<()> {
    for program in [BROWSER, "node", "npm"] {
        ensure!(shell::starts(program), "{program} is not installed");
    }
    let arguments = [
        "ci",
        "--ignore-scripts",
        "--no-fund",
        "--no-audit",
        "--loglevel=error",
    ];
    sh(Command::new("npm").args(arguments).current_dir(scripts()))
}

/// Starts a web site, two endpoints that serve it and a folder, and the proxy of a third, and has a browser visit them.
fn visit(pictures: &Path) -> Result<Finished> {
    let program = shell::mesh_program()?;
    let folder = tempfile::tempdir()?;
    let (site, direct) = start_site()?;
    let visitor = Visitor::new(&program, folder.path())?;
    let served = Served::start(&visitor, "site", &direct)?;
    let files = Served::start(
        &visitor,
        "folder",
        &scripts().join("folder").to_string_lossy(),
    )?;
    let (proxy, port) = visitor.proxy()?;
    let file = folder.path().join("upload.bin");
    mesh::write_pattern(&file, UPLOADED)?;
    // What an earlier run left shows nothing about this one.
    if pictures.exists() {
        fs::remove_dir_all(pictures)?;
    }
    fs::create_dir_all(pictures)?;
    let origin = |name: &str| format!("http://{name}.localhost:{port}");
    let finished = process::finish(
        Command::new("node")
            .arg(scripts().join("visit.js"))
            .args(["--browser", BROWSER, "--direct", &direct])
            .args(["--site", &origin(&served.hashname)])
            .args(["--alias", &origin("site")])
            .args(["--folder", &origin(&files.hashname)])
            .arg("--file")
            .arg(&file)
            .arg("--pictures")
            .arg(pictures),
        LIMIT,
    )?;
    for child in [proxy, served.child, files.child] {
        let status = child.terminate(READY)?;
        ensure!(status.success(), "a program of ours ended with {status}");
    }
    drop(site);
    Ok(finished)
}

/// The web site that one endpoint serves, and its origin.
fn start_site() -> Result<(JsonChild, String)> {
    let mut command = Command::new("node");
    let child = JsonChild::start("the site", command.arg(scripts().join("site.js")))?;
    let line = child.expect("its port", READY, |line| line["event"] == "site")?;
    Ok((child, format!("http://127.0.0.1:{}", line["port"])))
}

/// Who looks at sites, through a proxy, and alone may do so.
struct Visitor<'a> {
    program: &'a Path,
    folder: &'a Path,
    state: PathBuf,
    hashname: String,
}

impl<'a> Visitor<'a> {
    fn new(program: &'a Path, folder: &'a Path) -> Result<Self> {
        let state = folder.join("state");
        let mut command = Command::new(program);
        command.args(["id", "new", "--json", "--state"]).arg(&state);
        let done = process::finish(&mut command, READY)?;
        let identity = done.json_lines().into_iter().next();
        let hashname = identity
            .as_ref()
            .and_then(|identity| identity["hashname"].as_str())
            .with_context(|| format!("`mesh id new` failed: {}", done.last_error_line()))?;
        Ok(Self {
            program,
            folder,
            hashname: hashname.to_owned(),
            state,
        })
    }

    /// Makes this link JSON known as `alias`.
    fn know(&self, link: &Value, alias: &str) -> Result<()> {
        let mut command = Command::new(self.program);
        command
            .args([
                "links",
                "add",
                &link.to_string(),
                "--alias",
                alias,
                "--state",
            ])
            .arg(&self.state);
        let done = process::finish(&mut command, READY)?;
        ensure!(
            done.code == Some(0),
            "`mesh links add` failed: {}",
            done.last_error_line()
        );
        Ok(())
    }

    /// Starts the proxy, and says at which port it is.
    fn proxy(&self) -> Result<(JsonChild, u16)> {
        let mut command = Command::new(self.program);
        command
            .args(["proxy", "--listen", "127.0.0.1:0", "--json", "--state"])
            .arg(&self.state);
        let child = JsonChild::start("mesh proxy", &mut command)?;
        let line = child.expect("its address", READY, |line| line["event"] == "proxying")?;
        let address: SocketAddr = line["address"]
            .as_str()
            .context("a proxy without an address")?
            .parse()?;
        Ok((child, address.port()))
    }
}

/// A running `mesh serve`.
struct Served {
    child: JsonChild,
    hashname: String,
}

impl Served {
    /// Serves `what` to the visitor, who comes to know it as `name`.
    fn start(visitor: &Visitor<'_>, name: &str, what: &str) -> Result<Self> {
        let identity = mesh::identity(visitor.program, visitor.folder, name)?;
        let mut command = Command::new(visitor.program);
        command
            .args(["serve", what, "--udp", "127.0.0.1:0", "--json"])
            .args(["--accept", "none", "--allow", &visitor.hashname, "--id"])
            .arg(&identity);
        let child = JsonChild::start(format!("mesh serve ({name})"), &mut command)?;
        let ready = child.expect("that it is ready", READY, |line| line["event"] == "ready")?;
        child.expect("that it serves", READY, |line| line["event"] == "serving")?;
        visitor.know(&ready["link"], name)?;
        let hashname = ready["hashname"].as_str().context("it has no hashname")?;
        Ok(Self {
            child,
            hashname: hashname.to_owned(),
        })
    }
}

/// Adds what the browser's program reported. That it failed, or reported nothing, is a failed step, too.
fn add_steps(report: &mut Report, finished: &Finished) {
    let lines = finished.json_lines();
    let steps: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "step")
        .collect();
    for step in &steps {
        let name = step["step"].as_str().unwrap_or("a step without a name");
        let outcome = match step["ok"].as_bool() {
            Some(true) => Outcome::Passed(step["info"].as_str().unwrap_or_default().to_owned()),
            _ => Outcome::Failed(step["error"].to_string()),
        };
        let took = Duration::from_secs_f64(step["seconds"].as_f64().unwrap_or_default().max(0.0));
        report.add(name.to_owned(), outcome, took);
    }
    let is_reported = steps.iter().any(|step| step["ok"] != true);
    if steps.is_empty() || (finished.code != Some(0) && !is_reported) {
        let fatal = lines.iter().find(|line| line["event"] == "fatal");
        let error = fatal.map_or_else(
            || finished.last_error_line().to_owned(),
            |line| line["error"].to_string(),
        );
        report.add("the browser".into(), Outcome::Failed(error), finished.took);
    }
}

/// The folder of what runs in the browser and beside it.
fn scripts() -> PathBuf {
    root().join("interop/browser")
}
