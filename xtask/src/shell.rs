//! Running other programs, and the repository that they run in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// Set once programs are to be those that the plain tests built.
static TESTED_BUILD: OnceLock<()> = OnceLock::new();

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
}

/// The cargo that runs this program, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    forget_package(&mut command);
    command
}

/// Takes out of the environment of `command` what `cargo run` told this program of its package. Build scripts that
/// look at it would run again, and all that depends on them would be built again, each time.
pub(crate) fn forget_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// The path of this program. Builds may replace it while it runs, so it is to be asked for once before.
pub(crate) fn this_program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program);
    }
    let program = std::env::current_exe()?;
    Ok(PROGRAM.get_or_init(|| program))
}

/// Runs `command` with this program's output and without input; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("    $ {}", line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs `command` without input and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("`{}` failed: {}\n{text}", line(command), output.status);
    }
    Ok(text)
}

/// Whether `program` can be started at all, and knows its version.
pub(crate) fn exists(program: &str) -> bool {
    version(program).is_ok_and(|status| status.success())
}

/// Whether `program` can be started, whatever it makes of `--version`.
pub(crate) fn starts(program: &str) -> bool {
    version(program).is_ok()
}

fn version(program: &str) -> std::io::Result<std::process::ExitStatus> {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> Result<PathBuf> {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    if let Some(dir) = DIR.get() {
        return Ok(dir.clone());
    }
    let metadata: serde_json::Value = serde_json::from_str(&output(cargo().args([
        "metadata",
        "--no-deps",
        "--format-version=1",
    ]))?)?;
    let dir = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target_directory")?;
    Ok(DIR.get_or_init(|| dir.into()).clone())
}

/// From now on programs are those that `cargo test --workspace` builds, which costs nothing after it. Otherwise they
/// are built by README's own command, as they are used and measured.
pub(crate) fn use_tested_build() {
    let _ = TESTED_BUILD.set(());
}

/// Builds the `mesh` program once and returns its path.
pub(crate) fn mesh_program() -> Result<PathBuf> {
    build_program("telehash-cli", "mesh")
}

/// Builds the program `name` of `package` as the `mesh` program is built, and returns its path.
pub(crate) fn build_program(package: &str, name: &str) -> Result<PathBuf> {
    let folder = match TESTED_BUILD.get() {
        Some(()) => {
            run(cargo().args(["test", "--workspace", "--no-run", "--quiet"]))?;
            "debug"
        }
        None => {
            run(cargo().args(["build", "--release", "-p", package, "--bin", name]))?;
            "release"
        }
    };
    Ok(target_dir()?.join(folder).join(name))
}

/// `command` as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
