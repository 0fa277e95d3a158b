//! Identities: their files, and cipher sets that are not supported.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity, IdentityError, KeyError};
use telehash_hashname::{Csid, IdentityJson, KeySet, Secret};

/// An identity that the JavaScript implementation made, with keys of 1a, 2a and 3a.
fn from_js() -> IdentityJson {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../interop/vectors/js/identities.json"
    );
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    let vectors: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let vector = &vectors["identities"]["A"];
    let bytes = |kind: &str, csid: &str| {
        let text = vector[kind][csid].as_str().expect("hex");
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .expect("hex")
    };
    let mut keys = KeySet::new();
    let mut secrets = BTreeMap::new();
    for (csid, name) in [(Csid::CS1A, "1a"), (Csid::CS2A, "2a"), (Csid::CS3A, "3a")] {
        keys.insert_key(csid, bytes("keys_hex", name))
            .expect("a key");
        secrets.insert(csid, Secret::new(bytes("secrets_hex", name)));
    }
    let json = IdentityJson::new(keys, secrets).expect("complete");
    assert_eq!(
        json.hashname.to_string(),
        vector["hashname_all"].as_str().expect("a hashname")
    );
    json
}

fn generated(seed: u64) -> Identity {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng).expect("a supported set")
}

#[test]
fn an_identity_survives_its_file() {
    let sets = CipherSets::default();
    let identity = generated(1);
    let text = identity.to_json().to_json();
    let json = IdentityJson::parse(&text).expect("what was written");
    let again = Identity::from_json(&sets, &json).expect("what was written");
    assert_eq!(again.hashname(), identity.hashname());
    assert_eq!(again.keys(), identity.keys());
    assert_eq!(*again.to_json().to_json(), *text);
}

#[test]
fn keys_of_unsupported_sets_stay_part_of_the_identity() {
    let json = from_js();
    let only_3a = CipherSets::empty().with(std::sync::Arc::new(telehash_e3x::Cs3a));
    let identity = Identity::from_json(&only_3a, &json).expect("3a is supported");
    assert_eq!(identity.hashname(), json.hashname);
    assert_eq!(identity.csids().collect::<Vec<_>>(), [Csid::CS3A]);
    assert!(identity.local(Csid::CS3A).is_some());
    assert!(identity.local(Csid::CS2A).is_none());
    assert_eq!(*identity.to_json().to_json(), *json.to_json());
}

#[test]
fn an_identity_without_a_supported_set_is_refused() {
    let error = Identity::from_json(&CipherSets::empty(), &from_js()).err();
    assert_eq!(error, Some(IdentityError::NoneSupported));
}

#[test]
fn a_set_that_is_not_supported_cannot_be_generated() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let csid = Csid::new(0x0f).expect("not zero");
    let error = Identity::generate(&CipherSets::default(), &[Csid::CS3A, csid], &mut rng).err();
    assert_eq!(error, Some(IdentityError::Unsupported { csid }));
    let error = Identity::generate(&CipherSets::default(), &[], &mut rng).err();
    assert_eq!(
        error,
        Some(IdentityError::Json(
            telehash_hashname::IdentityError::NoKeys
        ))
    );
}

#[test]
fn naming_a_set_twice_makes_one_key() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let twice = [Csid::CS3A, Csid::CS3A];
    let identity = Identity::generate(&CipherSets::default(), &twice, &mut rng).expect("supported");
    assert_eq!(identity.keys().len(), 1);
}

#[test]
fn a_secret_of_another_identity_is_refused() {
    let mut json = generated(1).to_json();
    json.secrets = generated(2).to_json().secrets;
    let error = Identity::from_json(&CipherSets::default(), &json).err();
    let expected = IdentityError::Key {
        csid: Csid::CS3A,
        error: KeyError::Mismatch,
    };
    assert_eq!(error, Some(expected));
}

#[test]
fn keys_that_do_not_add_up_to_the_hashname_are_refused() {
    let mut json = generated(1).to_json();
    json.hashname = generated(2).hashname();
    let error = Identity::from_json(&CipherSets::default(), &json).err();
    assert_eq!(
        error,
        Some(IdentityError::Json(
            telehash_hashname::IdentityError::Mismatch
        ))
    );
}

#[test]
fn debug_output_shows_the_hashname_only() {
    let identity = generated(1);
    let expected = format!("Identity {{ hashname: {:?}, .. }}", identity.hashname());
    assert_eq!(format!("{identity:?}"), expected);
}
