//! The roads between hosts: whatever happens to them, a link finds another or waits for its own.

use super::tests::{self, Proof};
use crate::report::Report;
use crate::{fuzz, interop, peers, roads};

/// What shows each line.
const TESTS: [Proof; 5] = [
    ("every transport, both families", "telehash-mesh", "::"),
    (
        "failover in simulation",
        "telehash-channel-path",
        "stream_goes_on",
    ),
    (
        "packet sizes in simulation",
        "telehash-channel-path",
        "packets_become",
    ),
    ("discovery", "telehash-mesh", "discover"),
    (
        "strangers on connections",
        "telehash-transport-tcp",
        "stranger",
    ),
];

/// What is fuzzed here, and how long.
const TARGETS: [&str; 4] = [
    "tcp_inbound",
    "tcp_endpoint",
    "quic_payloads",
    "announcement",
];
const FUZZ_SECONDS: u64 = 20;

/// What TCP and QUIC are measured beside, and the share of its MB/s that we reach at least.
const PAIRS: [&str; 2] = ["tcp:libp2p=0.8", "quic:quinn=0.4"];

/// Adds every proof.
pub(super) fn steps(report: &mut Report) {
    tests::steps(report, &TESTS);
    report.step("interop", || interop::run(&[]));
    roads::ROADS.steps(report);
    report.step("beside other libraries", || peers::beside(&PAIRS));
    report.step("fuzz", || {
        fuzz::run(&TARGETS.map(str::to_owned), FUZZ_SECONDS)
    });
}
