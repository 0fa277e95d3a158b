//! Plans that once failed, as small as they could be made.

use crate::{
    plan::{
        Operation::{self, Link, Move, Open, Pass, Restart},
        Plan, Sets, Shape,
    },
    shrink::check,
};

const SHAPE: Shape = Shape {
    nodes: 3,
    router: false,
    sets: Sets::Cs42,
    small: true,
    cloak: true,
    head_only: false,
    tells: true,
};

fn holds(shape: Shape, operations: &[Operation]) {
    check(&Plan {
        seed: 0,
        shape,
        operations: operations.to_vec(),
    });
}

/// Once the checks of a new address had failed three times, it was never tried again: what was sent to
/// the peer went to where it had been. Here there is no room for checks at first.
#[test]
fn a_peer_that_moved_is_found_although_the_first_checks_of_its_new_place_failed() {
    let (from, to, routed) = (2, 0, false);
    holds(
        SHAPE,
        &[
            Link { from, to, routed },
            Pass { millis: 2_000 },
            Move {
                node: 2,
                told: false,
            },
        ],
    );
}

/// Dialling an address that the peer had come from changed nothing: it was sent no more than three
/// times what had come from there, which a handshake exceeds.
#[test]
fn an_address_that_the_peer_came_from_gets_handshakes_once_it_is_dialled() {
    let shape = Shape {
        sets: Sets::Both,
        head_only: true,
        tells: false,
        ..SHAPE
    };
    let (from, to, routed) = (1, 0, false);
    holds(
        shape,
        &[
            Link { from, to, routed },
            Pass { millis: 483 },
            Move {
                node: 0,
                told: true,
            },
            Pass { millis: 252 },
            Move {
                node: 1,
                told: false,
            },
        ],
    );
}

/// A new address was checked on a channel of the session that had just begun, while it was still to be
/// told that a channel of the former session with the same id had failed: nobody told its owner.
#[test]
fn a_channel_of_a_session_that_is_over_fails_although_its_id_is_taken_again() {
    let shape = Shape {
        nodes: 2,
        router: true,
        sets: Sets::Both,
        head_only: true,
        tells: false,
        ..SHAPE
    };
    let link = |from, to| Link {
        from,
        to,
        routed: false,
    };
    let restart = Restart {
        node: 1,
        keeps: true,
    };
    holds(
        shape,
        &[
            link(1, 0),
            Pass { millis: 2_000 },
            link(0, 1),
            restart,
            link(1, 0),
            Pass { millis: 2_030 },
            restart,
            Move {
                node: 1,
                told: true,
            },
            Open {
                from: 0,
                to: 1,
                reliable: true,
            },
        ],
    );
}
