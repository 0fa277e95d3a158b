//! Identity files: those of JS, and what must not be in errors.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Map, Value, json};
use telehash_hashname::limits::{IDENTITY_VERSION, MAX_CSIDS, MAX_IDENTITY_LEN, MAX_SECRET_LEN};
use telehash_hashname::{Csid, IdentityError, IdentityJson, KeySet, LinkJson, Secret, base32};

const JS: &str = include_str!("../../../interop/vectors/js/identities.json");

fn js_identities() -> Vec<Value> {
    let file: Value = serde_json::from_str(JS).unwrap();
    let identities = file["identities"].as_object().expect("identities by name");
    assert_eq!(identities.len(), 2);
    identities.values().cloned().collect()
}

fn unhex(hex: &Value) -> Vec<u8> {
    HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()
}

/// The members of the file that JS makes of a test vector.
fn js_members(vector: &Value) -> (Value, Value, Value) {
    let secrets = vector["secrets_hex"].as_object().unwrap();
    let secrets: Map<_, _> = secrets
        .iter()
        .map(|(csid, hex)| (csid.clone(), base32::encode(&unhex(hex)).into()))
        .collect();
    (
        vector["hashname_all"].clone(),
        vector["keys_base32"].clone(),
        secrets.into(),
    )
}

/// `JSON.stringify(value, null, 1)`
fn as_js_writes_it(value: &Value) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value.serialize(&mut serializer).unwrap();
    String::from_utf8(text).unwrap()
}

fn identity() -> IdentityJson {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
    let secrets = BTreeMap::from([(Csid::CS3A, Secret::new((0..32).collect()))]);
    IdentityJson::new(keys, secrets).unwrap()
}

/// The identity's members, for a test to alter.
fn members() -> Value {
    serde_json::from_str(&identity().to_json()).unwrap()
}

fn error_of(json: &Value) -> IdentityError {
    IdentityJson::parse(&json.to_string()).expect_err("an unusable identity")
}

#[test]
fn identities_of_js_are_read_with_their_secrets() {
    for vector in js_identities() {
        let (hashname, keys, secrets) = js_members(&vector);
        let file = json!({"keys": keys, "secrets": secrets, "hashname": hashname});
        let identity = IdentityJson::parse(&as_js_writes_it(&file)).unwrap();
        assert_eq!(identity.hashname.to_string(), hashname);
        for (csid, hex) in vector["secrets_hex"].as_object().unwrap() {
            let csid: Csid = csid.parse().unwrap();
            assert_eq!(identity.secret(csid), Some(&unhex(hex)[..]));
            assert_eq!(
                identity.keys.key(csid),
                Some(&unhex(&vector["keys_hex"][csid.to_string()])[..])
            );
        }
    }
}

#[test]
fn we_write_the_bytes_that_js_and_c_write() {
    for vector in js_identities() {
        let (hashname, keys, secrets) = js_members(&vector);
        let file = json!({"hashname": hashname, "keys": keys, "secrets": secrets}).to_string();
        assert_eq!(*IdentityJson::parse(&file).unwrap().to_json(), file);
    }
}

#[test]
fn unknown_fields_are_kept_behind_the_defined_ones() {
    let mut json = members();
    json["later"] = json!({"a": [1, "b\n"]});
    let file = json.to_string();
    assert_eq!(*IdentityJson::parse(&file).unwrap().to_json(), file);

    let mut identity = identity();
    identity.extra.insert("secrets".into(), "not these".into());
    let read = IdentityJson::parse(&identity.to_json()).unwrap();
    assert_eq!(read.secret(Csid::CS3A), identity.secret(Csid::CS3A));
}

#[test]
fn the_public_part_holds_no_secret() {
    let link = identity().link_json();
    assert_eq!(Ok(link.clone()), LinkJson::parse(&link.to_string()));
    assert_eq!(link.keys, identity().keys);
    let secret = members()["secrets"]["3a"].as_str().unwrap().to_owned();
    assert!(!link.to_string().contains(&secret));
}

#[test]
fn a_later_version_is_refused_before_anything_else() {
    let later = IDENTITY_VERSION + 1;
    let refused = IdentityError::Version { found: later };
    assert_eq!(error_of(&json!({"version": later})), refused);
    let mut json = members();
    json["version"] = json!(later);
    assert_eq!(error_of(&json), refused);
    assert!(refused.to_string().contains("newer program"));

    json["version"] = json!(IDENTITY_VERSION);
    let read = IdentityJson::parse(&json.to_string()).unwrap();
    assert_eq!(*read.to_json(), *identity().to_json());
}

#[test]
fn every_key_needs_its_secret_and_every_secret_its_key() {
    let csid = Csid::CS3A;
    let mut json = members();
    json["secrets"] = json!({});
    assert_eq!(error_of(&json), IdentityError::NoSecret { csid });
    let csid = Csid::CS1A;
    let mut json = members();
    json["secrets"]["1a"] = json!("aa");
    assert_eq!(error_of(&json), IdentityError::NoKey { csid });
    let mut json = members();
    json["keys"] = json!({});
    assert_eq!(error_of(&json), IdentityError::NoKeys);
}

#[test]
fn a_link_file_is_no_identity_and_the_error_says_so() {
    let error = IdentityJson::parse(&identity().link_json().to_string()).unwrap_err();
    assert_eq!(error, IdentityError::NoSecret { csid: Csid::CS3A });
    assert!(error.to_string().contains("link file"));
}

#[test]
fn keys_of_another_hashname_are_refused() {
    let mut json = members();
    json["keys"]["3a"] = json!(base32::encode(&[6; 32]));
    assert_eq!(error_of(&json), IdentityError::Mismatch);
}

#[test]
fn no_error_and_no_debug_output_shows_a_secret() {
    let secret = members()["secrets"]["3a"].as_str().unwrap().to_owned();
    let file = identity().to_json();
    let corrupted = [
        file.replace(r#""secrets":{"3a":"#, r#""secrets":["#)
            .replace("\"}}", "\"]}"),
        file.replace(r#"{"3a":"#, r#"{"3A":"#),
        file.replace(r#""secrets":{"#, r#""secrets":"#),
        format!(r#"{{"version":"{secret}"}}"#),
        format!(r#"{{"secrets":"{secret}"}}"#),
        format!(r#"{{"secrets":{{"3a":["{secret}"]}}}}"#),
        format!(r#"{{"keys":"{secret}"}}"#),
        format!(r#"{{"hashname":["{secret}"]}}"#),
        format!(r#"{{"{secret}":1,"{secret}":1}}"#),
        format!(r#"["{secret}"]"#),
        format!(r#""{secret}""#),
        file.replace(&secret, &format!("{secret}1")),
        file[..file.len() - 3].to_owned(),
    ];
    for text in corrupted {
        assert!(
            text.contains(&secret[..40]),
            "the test looks for the secret"
        );
        let error = IdentityJson::parse(&text).expect_err(&text);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&secret[..8]), "{shown}");
    }
    let mut identity = identity();
    identity.extra.insert("note".into(), secret.clone().into());
    let shown = format!("{identity:?}");
    assert!(
        shown.contains("Secret(..)") && !shown.contains(&secret[..8]),
        "{shown}"
    );
}

#[test]
fn a_secret_beyond_the_limit_and_an_empty_one_are_refused() {
    let with_len = |len: usize| {
        let secrets = BTreeMap::from([(Csid::CS3A, Secret::new(vec![8; len]))]);
        IdentityJson::new(identity().keys, secrets)
    };
    let csid = Csid::CS3A;
    let longest = with_len(MAX_SECRET_LEN).unwrap();
    assert!(IdentityJson::parse(&longest.to_json()).is_ok());
    for len in [0, MAX_SECRET_LEN + 1] {
        assert_eq!(
            with_len(len).unwrap_err(),
            IdentityError::SecretLength { csid, len }
        );
    }
}

#[test]
fn one_secret_more_than_an_endpoint_has_cipher_sets_is_refused() {
    let with_secrets = |count: usize| {
        let mut keys = KeySet::new();
        for number in 1..=MAX_CSIDS as u8 {
            keys.insert_key(Csid::new(number).unwrap(), vec![number; 32])
                .unwrap();
        }
        let secrets: Map<_, _> = (1..=count)
            .map(|number| (format!("{number:02x}"), base32::encode(&[7; 32]).into()))
            .collect();
        let file = json!({"keys": keys.to_json(), "secrets": secrets});
        IdentityJson::parse(&file.to_string())
    };
    assert_eq!(with_secrets(MAX_CSIDS).unwrap().secrets.len(), MAX_CSIDS);
    // Refused while reading, before anyone asks whether there is a key for it.
    assert!(matches!(
        with_secrets(MAX_CSIDS + 1),
        Err(IdentityError::Structure { .. })
    ));
}

#[test]
fn an_identity_is_refused_one_byte_beyond_the_limit() {
    let file = identity().to_json();
    let padded = |len: usize| format!("{}{}", *file, " ".repeat(len - file.len()));
    assert!(IdentityJson::parse(&padded(MAX_IDENTITY_LEN)).is_ok());
    let len = MAX_IDENTITY_LEN + 1;
    assert_eq!(
        IdentityJson::parse(&padded(len)).unwrap_err(),
        IdentityError::TooLong { len }
    );
}

#[test]
fn cut_and_altered_files_are_refused_with_a_place_to_look() {
    let file = identity().to_json();
    for end in 0..file.len() {
        let error = IdentityJson::parse(&file[..end]).unwrap_err();
        assert!(
            matches!(error, IdentityError::Syntax { line: 0 | 1, .. }),
            "{error:?}"
        );
    }
    let twice = file.replacen(r#"{"hashname""#, r#"{"keys":{},"hashname""#, 1);
    assert!(matches!(
        IdentityJson::parse(&twice),
        Err(IdentityError::Structure { .. })
    ));
    let twice = file.replacen(r#""secrets":{"#, r#""secrets":{"3a":"aa","#, 1);
    assert!(matches!(
        IdentityJson::parse(&twice),
        Err(IdentityError::Structure { .. })
    ));
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert!(matches!(
        IdentityJson::parse(&deep),
        Err(IdentityError::Structure { .. })
    ));
}
