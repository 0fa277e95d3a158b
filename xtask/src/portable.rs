//! Each crate builds without its default features and with the oldest compiler that it promises, and the core builds
//! without `std`.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::report::{Outcome, Report};
use crate::shell::{cargo, exists, forget_package, output, root, run as sh};

/// The crates without I/O, which are `no_std` with `alloc`.
const CORE: [&str; 8] = [
    "telehash-hashname",
    "telehash-lob",
    "telehash-uri",
    "telehash-e3x",
    "telehash-link",
    "telehash-channel-path",
    "telehash-channel-peer",
    "telehash-channel-connect",
];

/// The other libraries; the facade and its program come with every layer and have no smaller form.
const OTHERS: [&str; 15] = [
    "telehash-transport",
    "telehash-transport-tcp",
    "telehash-transport-udp",
    "telehash-netsim",
    "telehash-resolve",
    "telehash-runtime",
    "telehash-channel-chat",
    "telehash-channel-files",
    "telehash-channel-block",
    "telehash-channel-box",
    "telehash-channel-sock",
    "telehash-channel-stream",
    "telehash-channel-thtp",
    "telehash-channel-ws",
    "telehash-mesh",
];

/// What the core is built with beside `alloc`: the parts that do not need `std` either.
const FEATURES: &str = "telehash-lob/cbor,telehash-e3x/cs1a,telehash-e3x/cs1c,telehash-e3x/cs3a";

/// A browser, and a microcontroller without an operating system, with the flags that the latter takes: the library
/// behind CS3a links `getrandom`, which is never called but has to know the target.
const TARGETS: [(&str, &str); 2] = [
    ("wasm32-unknown-unknown", ""),
    ("thumbv7em-none-eabi", "--cfg getrandom_backend=\"custom\""),
];

/// What runs nowhere need not be optimised.
const UNOPTIMISED: [&str; 4] = [
    "--config",
    "profile.dev.opt-level=0",
    "--config",
    "profile.dev.package.\"*\".opt-level=0",
];

/// Runs all steps as a report of their own.
pub(crate) fn run() -> Result<()> {
    let mut report = Report::new("portable");
    steps(&mut report);
    report.finish()
}

/// Adds the steps to `report`.
pub(crate) fn steps(report: &mut Report) {
    report.step("no default features", || {
        CORE.iter()
            .chain(&OTHERS)
            .try_for_each(|package| alone(package))
    });
    report.step("oldest compiler", oldest_compiler);
    for (target, flags) in TARGETS {
        report.step(format!("core for {target}"), || core_for(target, flags));
    }
}

/// What `rust-version` in Cargo.toml promises.
fn oldest_compiler() -> Outcome {
    let version = match rust_version() {
        Ok(version) => version,
        Err(error) => return Outcome::Failed(format!("{error:#}")),
    };
    let install = ["toolchain", "install", &version, "--profile", "minimal"];
    if let Err(error) = rustup(&install) {
        return Outcome::Skipped(format!("Rust {version} could not be installed: {error:#}"));
    }
    let check = ["run", &version, "cargo", "check", "--workspace"];
    rustup(&check).map(|()| format!("Rust {version}")).into()
}

/// The `rust-version` of the workspace.
fn rust_version() -> Result<String> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let version = metadata["packages"][0]["rust_version"].as_str();
    Ok(version
        .context("the workspace names no rust-version")?
        .to_owned())
}

/// Alone, so that no other crate turns a feature on for it.
fn alone(package: &str) -> Result<()> {
    sh(cargo().args(["check", "--no-default-features", "-p", package]))
}

/// A target without `std` finds a use of it that the host would let pass. Only one that cannot be had is skipped.
fn core_for(target: &str, flags: &str) -> Outcome {
    if let Err(error) = install(target) {
        return Outcome::Skipped(format!("the target could not be installed: {error:#}"));
    }
    let mut build = cargo();
    build
        .args(UNOPTIMISED)
        .args([
            "build",
            "--no-default-features",
            "--features",
            FEATURES,
            "--target",
            target,
        ])
        .env(
            format!(
                "CARGO_TARGET_{}_RUSTFLAGS",
                target.to_uppercase().replace('-', "_")
            ),
            flags,
        );
    for package in CORE {
        build.args(["-p", package]);
    }
    sh(&mut build).into()
}

fn install(target: &str) -> Result<()> {
    rustup(&["target", "add", target])
}

/// Runs rustup, which has no toolchain of its own to inherit here.
fn rustup(arguments: &[&str]) -> Result<()> {
    ensure!(exists("rustup"), "there is no rustup");
    let mut command = Command::new("rustup");
    command
        .args(arguments)
        .current_dir(root())
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN");
    forget_package(&mut command);
    sh(&mut command)
}
