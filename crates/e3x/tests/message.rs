//! Standalone messages.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::message::{self, Error};
use telehash_e3x::{CipherSets, ExchangeError, Identity, KeyError, MessageError, OwnKey};
use telehash_hashname::{Csid, Intermediate, KeySet};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(9)
}

fn identity(seed: u64) -> Identity {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng).expect("a supported set")
}

#[test]
fn a_message_proves_its_sender_and_nobody_else() {
    let mut rng = rng();
    let (alice, bob, carol) = (identity(1), identity(2), identity(3));
    let packet = message::seal(&alice, bob.keys(), b"hello", &mut rng).expect("a message");
    let message = message::open(&bob, &packet).expect("a message to bob");
    assert_eq!(
        (message.csid(), message.inner()),
        (Csid::CS3A, &b"hello"[..])
    );
    assert_eq!(message.verify(&bob, alice.keys(), &mut rng), Ok(()));
    let forged = Err(Error::Message(MessageError::Forged));
    assert_eq!(message.verify(&bob, carol.keys(), &mut rng), forged);
    assert_eq!(message::open(&carol, &packet).err(), forged.err());
}

#[test]
fn what_is_no_message_is_malformed() {
    let bob = identity(2);
    for packet in [
        &[][..],
        &[0, 0, 1],
        &[0, 1, 0x3a],
        &[0, 1, 0x3a, 5, 5],
        b"\0\x07{\"a\":1}",
    ] {
        assert_eq!(
            message::open(&bob, packet).err(),
            Some(Error::Message(MessageError::Malformed))
        );
    }
    let csid = Csid::CS1A;
    assert_eq!(
        message::open(&bob, &[0, 1, 0x1a, 5]).err(),
        Some(Error::Unsupported { csid })
    );
}

#[test]
fn a_message_in_a_lower_set_than_both_have_proves_nothing() {
    let mut rng = rng();
    let (alice, bob) = (identity(1), identity(2));
    let packet = message::seal(&alice, bob.keys(), b"hello", &mut rng).expect("a message");
    let message = message::open(&bob, &packet).expect("a message to bob");

    // The same keys, but both hashnames commit to a higher set as well.
    let higher = Csid::new(0x50).expect("not zero");
    let with_higher = |keys: &KeySet| {
        let mut keys = keys.clone();
        keys.insert_intermediate(higher, Intermediate::of(b"key"))
            .expect("room");
        keys
    };
    assert_eq!(
        message.verify(&bob, &with_higher(alice.keys()), &mut rng),
        Ok(())
    );
    let mut json = bob.to_json();
    json.keys = with_higher(bob.keys());
    json.hashname = json.keys.hashname().expect("there are keys");
    let bob = Identity::from_json(&CipherSets::default(), &json).expect("3a is supported");
    let verified = message.verify(&bob, &with_higher(alice.keys()), &mut rng);
    assert_eq!(verified, Err(Error::Downgraded));
}

#[test]
fn a_recipient_without_a_usable_key_is_refused() {
    let mut rng = rng();
    let alice = identity(1);
    let mut keys = KeySet::new();
    assert_eq!(
        message::seal(&alice, &keys, b"", &mut rng),
        Err(Error::NoCommonSet)
    );
    keys.insert_intermediate(Csid::CS3A, Intermediate::of(b"key"))
        .expect("room");
    let unknown = Error::UnknownKey { csid: Csid::CS3A };
    assert_eq!(message::seal(&alice, &keys, b"", &mut rng), Err(unknown));

    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![0; 32]).expect("room");
    let weak = Error::Exchange(ExchangeError::RemoteKey(KeyError::Invalid));
    assert_eq!(message::seal(&alice, &keys, b"", &mut rng), Err(weak));
    let own = Error::Exchange(ExchangeError::OwnKey(OwnKey));
    assert_eq!(message::seal(&alice, alice.keys(), b"", &mut rng), Err(own));
}
