//! Messages that somebody tampered with.

use zeroize::Zeroizing;

use super::*;
use crate::cs1::message::message_overhead;
use crate::{MessageError, RemoteEphemeral};
use telehash_hashname::Csid;

on_every_curve! {
    a_message_of_any_length_comes_out_as_it_went_in,
    no_two_messages_are_the_same,
    a_flipped_bit_anywhere_is_noticed,
    a_message_cut_off_or_extended_anywhere_is_refused,
    only_its_recipient_opens_and_believes_a_message,
    a_message_of_our_own_is_refused,
    a_sender_is_only_proved_with_what_its_message_held,
    a_failed_message_changes_nothing,
    a_reflected_message_of_a_forgotten_ephemeral_is_noise,
}

fn a_message_of_any_length_comes_out_as_it_went_in<C: Curve>() {
    let mut world = World::<C>::new(1);
    for len in [0, 1, 31, 32, 33, 63, 64, 65, 1_400, 100_000] {
        let inner = std::vec![7; len];
        let message = world.message(&inner);
        assert_eq!(message.len(), len + message_overhead::<C>());
        let opened = world.b.open(&message).expect("a message to b");
        assert_eq!(opened.inner, inner);
        assert_eq!(world.b.verify(&message, &opened), Ok(()));
    }
}

fn no_two_messages_are_the_same<C: Curve>() {
    let mut world = World::<C>::new(1);
    assert_ne!(world.message(b"hello"), world.message(b"hello"));
}

/// What becomes of a message that is not from a: `None` if it proves to be.
fn refusal<C: Curve>(b: &mut Cs1Exchange<C>, message: &[u8]) -> Option<MessageError> {
    match b.open(message) {
        Ok(opened) => b.verify(message, &opened).err(),
        Err(error) => Some(error),
    }
}

fn a_flipped_bit_anywhere_is_noticed<C: Curve>() {
    let mut world = World::<C>::new(1);
    let message = world.message(b"hello");
    let remote = world.b.open(&message).expect("a message to b").remote;
    for adopted in [false, true] {
        if adopted {
            world.b.adopt(&remote).expect("a's ephemeral");
        }
        for bit in 0..message.len() * 8 {
            let mut forged = message.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            match refusal(&mut world.b, &forged).expect("noticed") {
                MessageError::Malformed => assert!(bit / 8 < C::PUBLIC_LEN, "bit {bit}"),
                error => assert_eq!(error, MessageError::Forged),
            }
        }
        assert_eq!(refusal(&mut world.b, &message), None);
    }
}

fn a_message_cut_off_or_extended_anywhere_is_refused<C: Curve>() {
    let mut world = World::<C>::new(1);
    let message = world.message(b"hello");
    let remote = world.b.open(&message).expect("a message to b").remote;
    for adopted in [false, true] {
        if adopted {
            world.b.adopt(&remote).expect("a's ephemeral");
        }
        for len in 0..message.len() {
            let expected = if len < message_overhead::<C>() {
                MessageError::Malformed
            } else {
                MessageError::Forged
            };
            let error = refusal(&mut world.b, &message[..len]);
            assert_eq!(error, Some(expected), "{len} bytes");
        }
        let extended = [&message[..], &[0]].concat();
        assert_eq!(refusal(&mut world.b, &extended), Some(MessageError::Forged));
    }
}

fn only_its_recipient_opens_and_believes_a_message<C: Curve>() {
    let mut world = World::<C>::new(1);
    let message = world.message(b"hello");
    let mut other = World::<C>::new(2).b;
    let opened = other.open(&message).expect("noise");
    assert_ne!(opened.inner, b"hello");
    assert_eq!(other.verify(&message, &opened), Err(MessageError::Forged));
}

fn a_message_of_our_own_is_refused<C: Curve>() {
    let mut world = World::<C>::new(1);
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

fn a_sender_is_only_proved_with_what_its_message_held<C: Curve>() {
    let mut world = World::<C>::new(1);
    let opened = world.opened();
    let message = world.message(b"hello");
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let other = world.message(b"hello");
    assert_eq!(world.b.verify(&message, &opened), Ok(()));
    assert_eq!(
        world.b.verify(&other, &opened),
        Err(MessageError::Malformed)
    );

    let foreign = RemoteEphemeral::new(Csid::CS3A, opened.remote.key(), Zeroizing::default());
    let foreign = Opened::new(opened.inner, foreign.expect("long enough"));
    assert_eq!(
        world.b.verify(&message, &foreign),
        Err(MessageError::Malformed)
    );
}

fn a_failed_message_changes_nothing<C: Curve>() {
    let mut world = World::<C>::new(1);
    let message = world.message(b"hello");
    let opened = world.b.open(&message).expect("a message to b");
    world.b.adopt(&opened.remote).expect("a's ephemeral");
    let before = std::format!("{:?}", world.b);

    let mut forged = message.clone();
    *forged.last_mut().expect("some bytes") ^= 1;
    assert_eq!(refusal(&mut world.b, &forged), Some(MessageError::Forged));
    forged.truncate(20);
    let error = refusal(&mut world.b, &forged);
    assert_eq!(error, Some(MessageError::Malformed));
    assert_eq!(std::format!("{:?}", world.b), before);
    assert_eq!(refusal(&mut world.b, &message), None);
}

/// Whoever reflects a message of an ephemeral that we have forgotten has the right MAC for it: that
/// of both identities. It does not decrypt.
fn a_reflected_message_of_a_forgotten_ephemeral_is_noise<C: Curve>() {
    let mut world = World::<C>::new(1);
    let message = world.message(b"hello");
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let opened = world.a.open(&message).expect("noise");
    assert_eq!(world.a.verify(&message, &opened), Ok(()));
    assert_ne!(opened.inner, b"hello");
}
