//! Routers and invites: anyone is reached by hashname, through others, then directly.

use super::tests::{self, Proof};
use crate::report::Report;
use crate::{fuzz, interop, roads};

/// What shows each line.
const TESTS: [Proof; 10] = [
    ("routing in virtual time", "telehash-channel-connect", "::"),
    ("tables of a router", "telehash-link", "router"),
    ("routers over real sockets", "telehash-runtime", "routers"),
    ("invites", "telehash-runtime", "invite"),
    ("router URIs", "telehash-runtime", "uris"),
    ("tokens", "telehash-runtime", "jwt"),
    (
        "domains: DNS, WebFinger, jwks_uri",
        "telehash-resolve",
        "::",
    ),
    ("port mapping", "telehash-portmap", "::"),
    ("text of URIs", "telehash-uri", "uri"),
    ("strangers and one line", "telehash-cli", "invite"),
];

/// What is fuzzed here, and how long.
const TARGETS: [&str; 4] = ["uri", "introduction", "resolve_txt", "resolve_webfinger"];
const FUZZ_SECONDS: u64 = 20;

/// Adds every proof.
pub(super) fn steps(report: &mut Report) {
    tests::steps(report, &TESTS);
    report.step("interop", || interop::run(&[]));
    roads::NAT.steps(report);
    report.step("fuzz", || {
        fuzz::run(&TARGETS.map(str::to_owned), FUZZ_SECONDS)
    });
}
