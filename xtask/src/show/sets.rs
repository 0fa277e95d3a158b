//! The cipher sets: byte for byte with others, negotiated, and what each is good for.

use super::tests::{self, Proof};
use crate::report::Report;
use crate::{interop, outside};

/// What shows each line.
const TESTS: [Proof; 14] = [
    ("vectors", "telehash-e3x", "vector"),
    ("cipher set 1a", "telehash-e3x", "cs1"),
    ("cipher set 2a", "telehash-e3x", "cs2a"),
    ("cipher set 42", "telehash-e3x", "cs42"),
    (
        "rounds with fresh ephemerals",
        "telehash-link",
        "tests::fresh::rules",
    ),
    (
        "handshake model, fresh ephemerals",
        "telehash-link",
        "tests::fresh::model",
    ),
    (
        "handshake model, kept ephemerals",
        "telehash-link",
        "tests::model",
    ),
    ("renewal under a stream", "telehash-link", "outlives"),
    ("renewal and outages", "telehash-link", "outage"),
    (
        "every set: link and stream",
        "telehash-link",
        "comes_up_and_streams_both_ways",
    ),
    (
        "every set: restart",
        "telehash-link",
        "who_restarts_is_linked",
    ),
    (
        "every set: replay",
        "telehash-link",
        "replays_of_everything",
    ),
    (
        "every set: truncated and flipped at every byte",
        "telehash-link",
        "a_damaged_packet",
    ),
    (
        "all pairs of selections",
        "telehash-link",
        "any_two_selections",
    ),
];

/// Adds every proof.
pub(super) fn steps(report: &mut Report) {
    tests::steps(report, &TESTS);
    report.step("interop", || interop::run(&[]));
    report.step("outside: one set, one set's libraries", outside::run);
}
