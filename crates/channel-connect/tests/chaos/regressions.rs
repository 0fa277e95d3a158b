//! Plans that once failed, as small as they could be made.

use crate::{
    plan::{
        Operation::{self, Link, Move, Pass},
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
