//! Messages, honest and otherwise.

use super::*;
use crate::{MessageError, RemoteEphemeral, SealError};
use telehash_hashname::Csid;

/// Opens and verifies.
fn accept(exchange: &mut Cs42Exchange, body: &[u8]) -> Result<Vec<u8>, MessageError> {
    let opened = exchange.open(body)?;
    exchange.verify(body, &opened)?;
    Ok(opened.inner)
}

#[test]
fn a_message_of_any_length_comes_out_as_it_went_in() {
    let mut world = World::new(1);
    for len in (2..=70).chain([1_400, 65_000]) {
        let inner: Vec<_> = (0..len).map(|i| i as u8).collect();
        let message = world.message(&inner);
        assert_eq!(message.len(), len + 80);
        assert_eq!(accept(&mut world.b, &message), Ok(inner));
    }
}

#[test]
fn no_two_messages_are_alike_but_their_keys() {
    let mut world = World::new(1);
    let (one, two) = (world.message(b"hello"), world.message(b"hello"));
    assert_eq!(one[..32], two[..32]);
    assert_ne!(one[32..48], two[32..48]);
    assert_ne!(one[48..], two[48..]);
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let adopted = world.opened().remote;
    for adopt in [false, true] {
        if adopt {
            world.b.adopt(&adopted).expect("a's ephemeral");
        }
        for bit in 0..message.len() * 8 {
            let mut forged = message.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let found = accept(&mut world.b, &forged);
            assert_eq!(found, Err(MessageError::Forged), "bit {bit}");
        }
    }
    assert!(accept(&mut world.b, &message).is_ok());
}

#[test]
fn only_auth_says_who_sent_it() {
    let mut world = World::new(1);
    let mut message = world.message(b"hello");
    let last = message.len() - 1;
    message[last] ^= 1;
    let opened = world.b.open(&message).expect("the tag does not cover AUTH");
    assert_eq!(world.b.verify(&message, &opened), Err(MessageError::Forged));
}

#[test]
fn a_message_cut_off_or_extended_anywhere_is_refused() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    for len in 0..message.len() {
        let expected = if len < 82 {
            MessageError::Malformed
        } else {
            MessageError::Forged
        };
        let found = accept(&mut world.b, &message[..len]);
        assert_eq!(found, Err(expected), "{len} bytes");
        let opened = world.b.open(&message).expect("a message to b");
        let found = world.b.verify(&message[..len], &opened);
        assert_eq!(found, Err(expected), "{len} bytes");
    }
    let extended = [&message[..], &[0]].concat();
    assert_eq!(accept(&mut world.b, &extended), Err(MessageError::Forged));
}

#[test]
fn a_message_proves_no_other_sender_and_opens_for_no_other_recipient() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let mut elsewhere = World::new(2);
    assert_eq!(elsewhere.b.open(&message).err(), Some(MessageError::Forged));
    let opened = world.b.open(&message).expect("a message to b");
    assert_eq!(
        elsewhere.b.verify(&message, &opened),
        Err(MessageError::Forged)
    );
}

#[test]
fn our_own_message_is_refused() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    assert_eq!(
        world.a.open(&message).err(),
        Some(MessageError::OwnEphemeral)
    );
    let opened = world.b.open(&message).expect("a message to b");
    assert_eq!(
        world.a.verify(&message, &opened),
        Err(MessageError::OwnEphemeral)
    );
    // One of an earlier round is not known by its KEY, but is not for us.
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    assert_eq!(world.a.open(&message).err(), Some(MessageError::Forged));
}

#[test]
fn what_was_opened_goes_with_its_own_body_only() {
    let mut world = World::new(1);
    let opened = world.opened();
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let other = world.message(b"hello");
    let found = world.b.verify(&other, &opened);
    assert_eq!(found, Err(MessageError::Malformed));

    let of_3a = RemoteEphemeral::new(Csid::CS3A, &other[..32], Zeroizing::new([7; 32].to_vec()));
    let of_3a = Opened::new(Vec::new(), of_3a.expect("long enough"));
    let found = world.b.verify(&other, &of_3a);
    assert_eq!(found, Err(MessageError::Malformed));
}

#[test]
fn an_agreement_on_zeros_is_refused() {
    let mut world = World::new(1);
    let mut message = world.message(b"hello");
    message[..32].fill(0);
    let found = world.b.open(&message).err();
    assert_eq!(found, Some(MessageError::Malformed));
}

#[test]
fn nothing_is_sealed_without_an_ephemeral() {
    let mut world = World::new(1);
    world.a.erase();
    let found = world.a.seal(b"hello", &mut world.rng);
    assert_eq!(found, Err(SealError::NeedsFresh));
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let message = world.message(b"hello");
    assert_eq!(accept(&mut world.b, &message), Ok(b"hello".to_vec()));
}

#[test]
fn messages_are_verified_without_an_ephemeral_too() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    world.b.erase();
    assert_eq!(accept(&mut world.b, &message), Ok(b"hello".to_vec()));

    let mut world = World::new(1);
    let message = world.message(b"hello");
    world.sessions();
    assert_eq!(accept(&mut world.b, &message), Ok(b"hello".to_vec()));
}
