//! Messages that somebody tampered with.

use super::*;
use crate::cs2a::iv::MAX_IVS;
use crate::cs2a::message::MESSAGE_OVERHEAD;
use crate::{MessageError, RemoteEphemeral, SealError};
use telehash_hashname::Csid;

#[test]
fn a_message_of_any_length_comes_out_as_it_went_in() {
    let mut world = World::new(1);
    for len in [0, 1, 15, 16, 17, 255, 256, 257, 1_400, 100_000] {
        let inner = std::vec![7; len];
        let message = world.message(&inner);
        assert_eq!(message.len(), len + MESSAGE_OVERHEAD);
        let opened = world.b.open(&message).expect("a message to b");
        assert_eq!(opened.inner, inner);
        assert_eq!(world.b.verify(&message, &opened), Ok(()));
    }
}

#[test]
fn messages_of_one_ephemeral_share_their_keys_and_never_an_iv() {
    let mut world = World::new(1);
    let (first, second) = (world.message(b"hello"), world.message(b"hello"));
    assert_eq!(first[..256], second[..256]);
    assert_eq!(first[256..260], second[256..260]);
    assert_eq!(first[260..268], 0_u64.to_be_bytes());
    assert_eq!(second[260..268], 1_u64.to_be_bytes());
}

#[test]
fn a_message_key_without_ivs_seals_no_more() {
    let mut world = World::new(1);
    world.a.ephemeral.ivs = IvSource::starting([7; 4], MAX_IVS - 1);
    world.message(b"the last");
    let sealed = world.a.seal(b"one more", &mut world.rng);
    assert_eq!(sealed, Err(SealError::Exhausted));
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    world.message(b"with another key");
}

/// Where a message is damaged.
fn damaged(message: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..message.len()).map(|at| {
        let mut forged = message.to_vec();
        forged[at] ^= 1 << (at % 8);
        forged
    })
}

#[test]
fn a_flipped_bit_anywhere_is_forged_and_nothing_else() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let remote = world.b.open(&message).expect("a message to b").remote;
    for adopted in [false, true] {
        if adopted {
            world.b.adopt(&remote).expect("a's ephemeral");
        }
        for (at, forged) in damaged(&message).enumerate() {
            let error = world.b.open(&forged).err();
            assert_eq!(error, Some(MessageError::Forged), "byte {at}");
        }
    }
}

#[test]
fn a_flipped_bit_of_signature_or_inner_packet_is_forged_too() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let opened = world.b.open(&message).expect("a message to b");
    let reopened = |inner: &[u8], signature: &[u8]| {
        Opened::new(inner.to_vec(), opened.remote.clone()).with_proof(signature.to_vec())
    };
    for signature in damaged(opened.proof()) {
        let opened = reopened(b"hello", &signature);
        assert_eq!(world.b.verify(&message, &opened), Err(MessageError::Forged));
    }
    for len in 0..opened.proof().len() {
        let opened = reopened(b"hello", &opened.proof()[..len]);
        assert_eq!(world.b.verify(&message, &opened), Err(MessageError::Forged));
    }
    for inner in damaged(b"hello") {
        let opened = reopened(&inner, opened.proof());
        assert_eq!(world.b.verify(&message, &opened), Err(MessageError::Forged));
    }
    assert_eq!(world.b.verify(&message, &opened), Ok(()));
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
            let error = world.b.open(&message[..len]).err();
            assert_eq!(error, Some(expected), "{len} bytes");
        }
        let extended = [&message[..], &[0]].concat();
        assert_eq!(world.b.open(&extended).err(), Some(MessageError::Forged));
    }
}

#[test]
fn only_its_recipient_opens_a_message() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let stranger = exchange(&STRANGER, &A, &mut world.rng);
    assert_eq!(stranger.open(&message).err(), Some(MessageError::Forged));
    let answer = world.answer(b"hello");
    let error = World::new(2).b.open(&answer).err();
    assert_eq!(error, Some(MessageError::Forged));
}

#[test]
fn a_message_proves_nobody_but_its_sender() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let mut from_stranger = exchange(&B, &STRANGER, &mut world.rng);
    let opened = from_stranger.open(&message).expect("whoever sent it");
    let verified = from_stranger.verify(&message, &opened);
    assert_eq!(verified, Err(MessageError::Forged));
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
    let message = world.message(b"hello");
    let opened = world.b.open(&message).expect("a message to b");
    let same_keys = world.message(b"hello");
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let other_keys = world.message(b"hello");
    assert_eq!(world.b.verify(&message, &opened), Ok(()));
    assert_eq!(
        world.b.verify(&same_keys, &opened),
        Err(MessageError::Forged)
    );
    assert_eq!(
        world.b.verify(&other_keys, &opened),
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
    forged[300] ^= 1;
    assert_eq!(world.b.open(&forged).err(), Some(MessageError::Forged));
    forged.truncate(20);
    assert_eq!(world.b.open(&forged).err(), Some(MessageError::Malformed));
    assert_eq!(std::format!("{:?}", world.b), before);
    assert_eq!(
        world.b.open(&message).map(|opened| opened.inner),
        Ok(b"hello".to_vec())
    );
}

/// A message to b whose KEYS encrypt this.
fn with_keys_of(contents: &[u8]) -> Vec<u8> {
    use crate::cs2a::gcm::Cipher;
    use crate::cs2a::message;
    use crate::cs2a::rsa::PublicKey;

    let keys = PublicKey::parse(&B.public)
        .expect("an honest key")
        .encrypt(contents)
        .expect("short enough");
    let message_key = contents.last_chunk().copied().unwrap_or_default();
    let cipher = Cipher::new(&message_key).expect("a cipher");
    let packet = message::seal(&identity(&A), &keys, &cipher, &[0; 12], b"hello");
    body(&packet.expect("a message")).to_vec()
}

#[test]
fn keys_that_hold_anything_but_a_point_and_a_key_are_forged() {
    let mut world = World::new(1);
    let honest = world.opened().remote.secret().to_vec();
    let with_first = |first: u8| {
        let mut contents = honest.clone();
        contents[0] = first;
        contents
    };
    let mut off_curve = honest.clone();
    off_curve[40] ^= 1;
    let unsound = [
        Vec::new(),
        honest[..96].to_vec(),
        [&[4], &honest[..]].concat(),
        [&[0; 65], &honest[65..]].concat(),
        off_curve,
        with_first(0),
        // The hybrid form, for y of either parity.
        with_first(6),
        with_first(7),
    ];
    assert!(world.b.open(&with_keys_of(&honest)).is_ok());
    for contents in unsound {
        let error = world.b.open(&with_keys_of(&contents)).err();
        assert_eq!(error, Some(MessageError::Forged), "{contents:02x?}");
    }
}

#[test]
fn the_key_that_stands_in_for_one_that_does_not_decrypt_opens_nothing() {
    use crate::cs2a::gcm::Cipher;
    use crate::cs2a::message;

    let world = World::new(1);
    let cipher = Cipher::new(&[0; 32]).expect("a cipher");
    let packet = message::seal(&identity(&A), &[5; 256], &cipher, &[0; 12], b"hello");
    let error = world.b.open(body(&packet.expect("a message"))).err();
    assert_eq!(error, Some(MessageError::Forged));
}
