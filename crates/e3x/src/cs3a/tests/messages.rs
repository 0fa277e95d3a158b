//! Messages that somebody tampered with.

use super::*;
use crate::cs3a::message::MESSAGE_OVERHEAD;
use crate::{MessageError, RemoteEphemeral};
use telehash_hashname::Csid;

/// Bytes of the AUTH at the end of a message, which only `verify` looks at.
const AUTH_LEN: usize = 16;

#[test]
fn a_message_of_any_length_comes_out_as_it_went_in() {
    let mut world = World::new(1);
    for len in [0, 1, 31, 32, 33, 63, 64, 65, 1_400, 100_000] {
        let inner = std::vec![7; len];
        let message = world.message(&inner);
        assert_eq!(message.len(), len + MESSAGE_OVERHEAD);
        let opened = world.b.open(&message).expect("a message to b");
        assert_eq!(opened.inner, inner);
        assert_eq!(world.b.verify(&message, &opened), Ok(()));
    }
}

#[test]
fn no_two_messages_are_the_same() {
    let mut world = World::new(1);
    assert_ne!(world.message(b"hello"), world.message(b"hello"));
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let remote = world.b.open(&message).expect("a message to b").remote;
    for adopted in [false, true] {
        if adopted {
            world.b.adopt(&remote).expect("a's ephemeral");
        }
        for bit in 0..message.len() * 8 {
            let mut forged = message.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            match world.b.open(&forged) {
                Ok(opened) => {
                    assert!(
                        bit / 8 >= message.len() - AUTH_LEN,
                        "bit {bit} went unnoticed"
                    );
                    assert_eq!(world.b.verify(&forged, &opened), Err(MessageError::Forged));
                }
                Err(_) => assert!(bit / 8 < message.len() - AUTH_LEN, "bit {bit} is in AUTH"),
            }
        }
    }
}

#[test]
fn a_message_cut_off_or_extended_anywhere_is_refused() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let remote = world.b.open(&message).expect("a message to b").remote;
    for adopted in [false, true] {
        if adopted {
            world.b.adopt(&remote).expect("a's ephemeral");
        }
        for len in 0..message.len() {
            let expected = if len < MESSAGE_OVERHEAD {
                MessageError::Malformed
            } else {
                MessageError::Forged
            };
            assert_eq!(
                world.b.open(&message[..len]).err(),
                Some(expected),
                "{len} bytes"
            );
        }
        let extended = [&message[..], &[0]].concat();
        assert_eq!(world.b.open(&extended).err(), Some(MessageError::Forged));
    }
}

#[test]
fn only_its_recipient_opens_a_message() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    assert_eq!(
        World::new(2).b.open(&message).err(),
        Some(MessageError::Forged)
    );
    assert_eq!(
        World::new(2).b.open(&world.answer(b"hello")).err(),
        Some(MessageError::Forged)
    );
}

#[test]
fn a_message_of_our_own_is_refused() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let opened = world.b.open(&message).expect("a message to b");
    assert_eq!(
        world.a.open(&message).err(),
        Some(MessageError::OwnEphemeral)
    );
    assert_eq!(
        world.a.verify(&message, &opened),
        Err(MessageError::OwnEphemeral)
    );
}

#[test]
fn a_sender_is_only_proved_with_what_its_message_held() {
    let mut world = World::new(1);
    let opened = world.opened();
    let message = world.message(b"hello");
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let other = world.message(b"hello");
    assert_eq!(world.b.verify(&message, &opened), Ok(()));
    assert_eq!(
        world.b.verify(&other, &opened),
        Err(MessageError::Malformed)
    );

    let foreign = RemoteEphemeral::new(Csid::CS1A, opened.remote.key(), Zeroizing::default());
    let foreign = Opened::new(opened.inner, foreign.expect("long enough"));
    assert_eq!(
        world.b.verify(&message, &foreign),
        Err(MessageError::Malformed)
    );
}

#[test]
fn a_failed_message_changes_nothing() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let opened = world.b.open(&message).expect("a message to b");
    world.b.adopt(&opened.remote).expect("a's ephemeral");
    let before = std::format!("{:?}", world.b);

    let mut forged = message.clone();
    forged[40] ^= 1;
    assert_eq!(world.b.open(&forged).err(), Some(MessageError::Forged));
    forged.truncate(20);
    assert_eq!(world.b.open(&forged).err(), Some(MessageError::Malformed));
    assert_eq!(std::format!("{:?}", world.b), before);
    assert_eq!(
        world.b.open(&message).map(|opened| opened.inner),
        Ok(b"hello".to_vec())
    );
}
