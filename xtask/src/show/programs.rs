//! Channels for programs: tunnels, HTTP, WebSockets, and a browser that uses them.

use super::tests::{self, Proof};
use crate::report::Report;
use crate::shell::{cargo, output, run as sh};
use crate::{fuzz, hops, interop};

use anyhow::{Context, Result};

/// What shows each line. Each channel's suite runs over UDP, TCP and QUIC, and at 5 % loss.
const TESTS: [Proof; 5] = [
    ("sock", "telehash-channel-sock", ""),
    ("thtp", "telehash-channel-thtp", ""),
    ("ws", "telehash-channel-ws", ""),
    (
        "the program: forward, serve, proxy, get",
        "telehash-cli",
        "",
    ),
    ("examples", "telehash-examples", ""),
];

/// The parts of the matrix that are about these.
const MATRIX: [&str; 2] = ["sock", "thtp"];

/// What is fuzzed here, and how long.
const TARGETS: [&str; 3] = ["thtp_head", "sock_open", "ws_messages"];
const FUZZ_SECONDS: u64 = 20;

/// Adds every proof.
pub(super) fn steps(report: &mut Report) {
    tests::steps(report, &TESTS);
    report.step("interop", || interop::run(&MATRIX.map(str::to_owned)));
    report.step("browser", || sh(cargo().args(["xtask", "browser"])));
    report.step("bulk: tunnel beside stream", bulk);
    report.step("requests/s beside nginx", hops::run);
    report.step("fuzz", || {
        fuzz::run(&TARGETS.map(str::to_owned), FUZZ_SECONDS)
    });
}

/// The figures of the example, which fails below its share.
fn bulk() -> Result<String> {
    let run = ["run", "--release", "-p", "telehash-channel-sock"];
    let text = output(cargo().args(run).args(["--example", "bulk"]))?;
    let line = text.lines().last().context("it printed nothing")?;
    Ok(line.to_owned())
}
