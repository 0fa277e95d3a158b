//! Hashnames: as JS and C calculate them, and their other forms.

use core::net::Ipv4Addr;
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde_json::{Map, Value};
use telehash_hashname::limits::{MAX_CSIDS, MAX_KEY_LEN};
use telehash_hashname::{Csid, Hashname, HashnameError, Intermediate, KeySet, KeySetError};

const JS: &str = include_str!("../../../interop/vectors/js/hashname.json");
const C: &str = include_str!("../../../interop/vectors/c/hashname.json");
const NAME: &str = "jhchbufcbylymlz7yjxylns5x75ov6yaqj2jnyxhgmbpvvbqsoxq";

fn cases(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = file["cases"].as_array().expect("a list of cases").clone();
    assert!(!cases.is_empty());
    cases
}

fn unhex(hex: &Value) -> Vec<u8> {
    HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn csid(value: u8) -> Csid {
    Csid::new(value).unwrap()
}

fn name() -> Hashname {
    NAME.parse().unwrap()
}

#[test]
fn js_calculates_the_same_intermediates_and_hashnames_at_every_step() {
    for case in cases(JS) {
        let full = case["keys_hex"].as_object().unwrap();
        let given = case["intermediates_given_hex"].as_object().unwrap();
        let mut keys = KeySet::new();
        for step in case["steps"].as_array().unwrap() {
            let csid: Csid = text(&step["csid"]).parse().unwrap();
            match full.get(&csid.to_string()) {
                Some(key) => keys.insert_key(csid, unhex(key)).unwrap(),
                None => {
                    let bytes = unhex(&given[&csid.to_string()]).try_into().unwrap();
                    keys.insert_intermediate(csid, Intermediate::from_bytes(bytes))
                        .unwrap();
                }
            }
            let intermediate = keys.intermediate(csid).unwrap();
            assert_eq!(
                intermediate.as_bytes()[..],
                unhex(&step["intermediate_hex"])
            );
            assert_eq!(intermediate.to_string(), text(&step["intermediate_base32"]));
            let rollup = keys.hashname().unwrap();
            assert_eq!(
                rollup.as_bytes()[..],
                unhex(&step["rollup_hex"]),
                "{}",
                case["name"]
            );
        }
        assert_eq!(
            keys.hashname().unwrap().to_string(),
            text(&case["hashname"])
        );
    }
}

#[test]
fn c_calculates_the_same_intermediates_and_hashnames() {
    for case in cases(C) {
        if let Some(json) = case["keys_json"].as_str() {
            let keys: Map<String, Value> = serde_json::from_str(json).unwrap();
            let keys = KeySet::from_json(&keys).unwrap();
            assert_eq!(
                keys.hashname().unwrap().to_string(),
                text(&case["hashname"])
            );
            assert_eq!(
                keys.hashname().unwrap().as_bytes()[..],
                unhex(&case["hashname_bin"])
            );
        }
        let json = text(&case["intermediates_json"]);
        let intermediates: Map<String, Value> = serde_json::from_str(json).unwrap();
        let mut partial = KeySet::new();
        for (csid, intermediate) in &intermediates {
            let intermediate = text(intermediate).parse().unwrap();
            partial
                .insert_intermediate(csid.parse().unwrap(), intermediate)
                .unwrap();
        }
        assert_eq!(
            partial.hashname().unwrap().to_string(),
            text(&case["hashname"])
        );
    }
}

#[test]
fn a_hashname_has_addresses_and_short_forms() {
    let name = name();
    assert_eq!(name.to_string(), NAME);
    assert_eq!(format!("{}", name.short()), "jhchbufc");
    assert_eq!(format!("{name:?}"), "Hashname(jhchbufc)");
    assert_eq!(name.ipv4(), Ipv4Addr::new(0x49, 0xc4, 0x70, 0xd0));
    assert_eq!(
        name.ipv6().to_string(),
        "49c4:70d0:a20e:1786:2f3f:c26f:85b6:5dbf"
    );
    assert_eq!(name.mac(), [0x42, 0x49, 0xc4, 0x70, 0xd0, 0xa2]);
}

#[test]
fn a_text_that_is_no_hashname_is_refused() {
    assert_eq!(
        "jhch".parse::<Hashname>(),
        Err(HashnameError::Length { len: 4 })
    );
    assert!(NAME[1..].parse::<Hashname>().is_err());
    assert!(NAME.replace('j', "1").parse::<Hashname>().is_err());
    // The last character carries one bit of the hash and four zeros.
    let stray = format!("{}r", &NAME[..51]);
    assert!(matches!(
        stray.parse::<Hashname>(),
        Err(HashnameError::Base32(_))
    ));
    assert_eq!(NAME.to_uppercase().parse(), Ok(name()));
}

#[test]
fn a_csid_in_text_is_exactly_two_lower_case_hex_digits() {
    assert_eq!("3a".parse(), Ok(Csid::CS3A));
    assert_eq!("42".parse(), Ok(Csid::CS42));
    assert_eq!("01".parse::<Csid>().map(Csid::as_u8), Ok(1));
    for wrong in ["", "3", "3A", "00", "3a ", "+3", "0x3a", "g0", "\u{b2}"] {
        assert!(wrong.parse::<Csid>().is_err(), "{wrong:?}");
    }
    assert_eq!(Csid::new(0), None);
}

#[test]
fn names_and_csids_are_strings_in_serde() {
    let json = format!("[\"{NAME}\",\"3a\",\"{NAME}\"]");
    let parsed: (Hashname, Csid, Intermediate) = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed.0, name());
    assert_eq!(serde_json::to_string(&parsed).unwrap(), json);
    assert!(serde_json::from_str::<Csid>("\"3A\"").is_err());
    assert!(serde_json::from_str::<Hashname>("7").is_err());
}

#[test]
fn the_agreed_set_is_the_highest_that_both_commit_to_whatever_keys_are_known() {
    let mut one = KeySet::new();
    one.insert_key(Csid::CS1A, vec![1]).unwrap();
    one.insert_intermediate(Csid::CS3A, Intermediate::of(&[3]))
        .unwrap();
    let mut other = KeySet::new();
    other.insert_key(Csid::CS1A, vec![2]).unwrap();
    other.insert_key(Csid::CS2A, vec![2]).unwrap();
    assert_eq!(one.agreed(&other), Some(Csid::CS1A));
    other.insert_key(Csid::CS3A, vec![2]).unwrap();
    assert_eq!(one.agreed(&other), Some(Csid::CS3A));
    assert_eq!(other.agreed(&one), Some(Csid::CS3A));
    assert_eq!(one.agreed(&KeySet::new()), None);
}

#[test]
fn a_key_replaces_the_intermediate_it_matches_and_nothing_else() {
    let mut keys = KeySet::new();
    keys.insert_intermediate(Csid::CS3A, Intermediate::of(&[3]))
        .unwrap();
    let mismatch = Err(KeySetError::Mismatch { csid: Csid::CS3A });
    assert_eq!(keys.insert_key(Csid::CS3A, vec![4]), mismatch);
    assert_eq!(keys.key(Csid::CS3A), None);
    assert_eq!(keys.insert_key(Csid::CS3A, vec![3]), Ok(()));
    assert_eq!(
        keys.insert_intermediate(Csid::CS3A, Intermediate::of(&[3])),
        Ok(())
    );
    assert_eq!(keys.key(Csid::CS3A), Some(&[3][..]), "the full key stays");
    assert_eq!(
        keys.insert_intermediate(Csid::CS3A, Intermediate::of(&[4])),
        mismatch
    );
}

#[test]
fn a_merge_that_fails_changes_nothing() {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![3]).unwrap();
    let before = keys.clone();
    let mut other = KeySet::new();
    other.insert_key(Csid::CS1A, vec![1]).unwrap();
    other.insert_key(Csid::CS3A, vec![4]).unwrap();
    assert_eq!(
        keys.merge(&other),
        Err(KeySetError::Mismatch { csid: Csid::CS3A })
    );
    assert_eq!(keys, before);

    let mut fits = KeySet::new();
    fits.insert_key(Csid::CS1A, vec![1]).unwrap();
    fits.insert_intermediate(Csid::CS3A, Intermediate::of(&[3]))
        .unwrap();
    assert_eq!(keys.merge(&fits), Ok(()));
    assert_eq!((keys.len(), keys.is_complete()), (2, true));
}

#[test]
fn no_key_is_no_hashname() {
    assert_eq!(KeySet::new().hashname(), None);
    assert!(KeySet::new().is_empty());
}

#[test]
fn one_cipher_set_more_than_the_limit_is_refused() {
    let mut keys = KeySet::new();
    for value in 1..=MAX_CSIDS as u8 {
        assert_eq!(keys.insert_key(csid(value), vec![value]), Ok(()));
    }
    let more = csid(0xff);
    assert_eq!(
        keys.insert_key(more, vec![1]),
        Err(KeySetError::TooManyCsids)
    );
    let intermediate = Intermediate::of(&[1]);
    assert_eq!(
        keys.insert_intermediate(more, intermediate),
        Err(KeySetError::TooManyCsids)
    );
    assert_eq!(keys.len(), MAX_CSIDS);
    assert_eq!(
        keys.insert_key(csid(1), vec![1]),
        Ok(()),
        "a known one again is no more"
    );
}

#[test]
fn a_key_beyond_the_limit_and_an_empty_one_are_refused() {
    let mut keys = KeySet::new();
    for len in [0, MAX_KEY_LEN + 1] {
        let refused = Err(KeySetError::KeyLength {
            csid: Csid::CS3A,
            len,
        });
        assert_eq!(keys.insert_key(Csid::CS3A, vec![7; len]), refused);
    }
    assert_eq!(keys.insert_key(Csid::CS3A, vec![7; MAX_KEY_LEN]), Ok(()));
}

#[test]
fn debug_output_is_short() {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
    assert_eq!(format!("{keys:?}"), "{Csid(3a): Key(32 bytes)}");
}

proptest! {
    #[test]
    fn hashnames_survive_their_text(bytes: [u8; 32]) {
        let name = Hashname::from_bytes(bytes);
        prop_assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[test]
    fn the_order_of_insertion_does_not_matter(
        parts in proptest::collection::btree_map(1u8.., proptest::collection::vec(any::<u8>(), 1..40), 1..8)
    ) {
        let mut ascending = KeySet::new();
        for (&value, key) in &parts {
            ascending.insert_key(csid(value), key.clone()).unwrap();
        }
        let mut descending = KeySet::new();
        for (&value, key) in parts.iter().rev() {
            descending.insert_intermediate(csid(value), Intermediate::of(key)).unwrap();
        }
        prop_assert_eq!(ascending.hashname(), descending.hashname());
        let read = KeySet::from_json(&ascending.to_json());
        prop_assert_eq!(read.as_ref(), Ok(&ascending));
        prop_assert_eq!(descending.merge(&ascending), Ok(()));
        prop_assert_eq!(descending, ascending);
    }
}
