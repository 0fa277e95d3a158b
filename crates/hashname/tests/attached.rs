//! The keys attached to a handshake, as JS and C write them.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use telehash_hashname::{Csid, Intermediate, KeySet, KeySetError};

const JS_IDENTITIES: &str = include_str!("../../../interop/vectors/js/identities.json");
const JS_HANDSHAKES: &str = include_str!("../../../interop/vectors/js/link-handshake.json");
const C: &str = include_str!("../../../interop/vectors/c/hashname.json");

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

fn parsed(text: &Value) -> Map<String, Value> {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn unhex(hex: &Value) -> Vec<u8> {
    HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()
}

#[test]
fn our_attached_heads_are_those_of_js_byte_for_byte() {
    let identities: Value = serde_json::from_str(JS_IDENTITIES).unwrap();
    let file: Value = serde_json::from_str(JS_HANDSHAKES).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let all =
            object(&identities["identities"][case["sender"].as_str().unwrap()]["keys_base32"]);
        let common = case["cs_in_common"].as_array().unwrap();
        let mut keys = all.clone();
        keys.retain(|csid, _| common.contains(&csid.as_str().into()));
        let keys = KeySet::from_json(&keys).unwrap();
        let used: Csid = case["csid_used"].as_str().unwrap().parse().unwrap();

        let head = Value::Object(keys.attached_head(used)).to_string();
        assert_eq!(head, case["attached_head"].as_str().unwrap());

        let key = keys.key(used).unwrap();
        let read = KeySet::from_attached(used, &parsed(&case["attached_head"]), key).unwrap();
        assert_eq!(read.hashname(), keys.hashname());
        let sender = case["sender_hashname"].as_str().unwrap();
        assert_eq!(read.hashname().unwrap().to_string(), sender);
    }
}

#[test]
fn what_c_attaches_gives_its_hashname() {
    let file: Value = serde_json::from_str(C).unwrap();
    let mut read = 0;
    for case in file["cases"].as_array().unwrap() {
        for attached in case["attached_packet_per_csid"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let used = attached["csid"].as_str().unwrap().parse().unwrap();
            let attached = &attached["attached"];
            let head = parsed(&attached["json"]);
            let keys = KeySet::from_attached(used, &head, &unhex(&attached["body"])).unwrap();
            assert_eq!(
                keys.hashname().unwrap().to_string(),
                case["hashname"].as_str().unwrap()
            );
            read += 1;
        }
    }
    assert!(read > 5);
}

#[test]
fn the_used_set_may_be_null_true_its_intermediate_or_absent() {
    let key = [7; 32];
    let intermediate = Intermediate::of(&key).to_string();
    let other = Intermediate::of(&[1]).to_string();
    let expected = {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, key.to_vec()).unwrap();
        keys.insert_intermediate(Csid::CS1A, Intermediate::of(&[1]))
            .unwrap();
        keys
    };
    for head in [
        json!({"3a": null, "1a": other}),
        json!({"3a": true, "1a": other}),
        json!({"3a": intermediate, "1a": other}),
        json!({"1a": other}),
        json!({"1a": other, "later": {"versions": 4}}),
    ] {
        let read = KeySet::from_attached(Csid::CS3A, object(&head), &key);
        assert_eq!(read.as_ref(), Ok(&expected), "{head}");
    }
}

#[test]
fn anything_else_under_a_csid_is_refused() {
    let key = [7; 32];
    let read = |head: Value| KeySet::from_attached(Csid::CS3A, object(&head), &key);
    let other = Intermediate::of(&[1]).to_string();
    assert_eq!(
        read(json!({"3a": other})),
        Err(KeySetError::Mismatch { csid: Csid::CS3A })
    );
    for value in [json!(false), json!(1), json!({}), json!([other])] {
        let refused = Err(KeySetError::NotText { csid: Csid::CS3A });
        assert_eq!(read(json!({"3a": value})), refused);
    }
    for value in [json!(null), json!(true)] {
        let refused = Err(KeySetError::NotText { csid: Csid::CS1A });
        assert_eq!(
            read(json!({"1a": value})),
            refused,
            "only the used set may be left open"
        );
    }
    let short = read(json!({"1a": "aa"}));
    assert!(
        matches!(
            short,
            Err(KeySetError::Base32 {
                csid: Csid::CS1A,
                ..
            })
        ),
        "{short:?}"
    );
    assert!(
        KeySet::from_attached(Csid::CS3A, &Map::new(), &[]).is_err(),
        "no key at all"
    );
}

#[test]
fn the_used_set_is_there_even_if_it_is_not_the_highest() {
    let mut keys = KeySet::new();
    for csid in [Csid::CS1A, Csid::CS2A, Csid::CS3A] {
        keys.insert_key(csid, vec![csid.as_u8()]).unwrap();
    }
    let head = keys.attached_head(Csid::CS2A);
    let names: Vec<_> = head.keys().map(String::as_str).collect();
    assert_eq!(names, ["2a", "3a", "1a"]);
    assert_eq!(head["2a"], Value::Null);
    let read = KeySet::from_attached(Csid::CS2A, &head, &[0x2a]).unwrap();
    assert_eq!(read.hashname(), keys.hashname());
}
