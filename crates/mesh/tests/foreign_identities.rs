//! Identity files of telehash-js and telehash-c are ours as well: the same hashname, and every secret usable.
#![cfg(all(feature = "cs1a", feature = "cs1c", feature = "cs2a", feature = "cs3a"))]

use std::fs;
use std::path::Path;

use mesh::state::read_identity;
use mesh::{CipherSets, Csid, Identity};
use serde_json::{Map, Value, json};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Bytes of a PKCS#8 secret before the PKCS#1 one inside, which telehash-js reads as well.
const PKCS8_OVERHEAD: usize = 26;

#[test]
fn identities_of_telehash_js_load_with_all_sets_together_and_each_alone() -> Outcome {
    let vectors = vectors("js/identities.json")?;
    let identities = object(&vectors["identities"])?;
    assert!(!identities.is_empty());
    for identity in identities.values() {
        let (keys, secrets) = (
            object(&identity["keys_hex"])?,
            object(&identity["secrets_hex"])?,
        );
        let loaded = load(keys, secrets)?;
        assert_eq!(loaded.hashname().to_string(), identity["hashname_all"]);
        let csids: Vec<_> = loaded.csids().collect();
        assert_eq!(csids, [Csid::CS1A, Csid::CS2A, Csid::CS3A]);

        for (csid, hashname) in object(&identity["hashname_per_cs"])? {
            let loaded = load(&only(csid, &keys[csid]), &only(csid, &secrets[csid]))?;
            assert_eq!(loaded.hashname().to_string(), *hashname, "{csid}");
        }
    }
    Ok(())
}

#[test]
fn a_secret_of_2a_may_be_pkcs1_and_one_of_1a_may_have_a_leading_zero_byte() -> Outcome {
    let vectors = vectors("js/identities.json")?;
    for identity in object(&vectors["identities"])?.values() {
        let keys = object(&identity["keys_hex"])?;
        let mut secrets = object(&identity["secrets_hex"])?.clone();
        let pkcs8 = text(&secrets["2a"])?;
        let pkcs1 = pkcs8[2 * PKCS8_OVERHEAD..].to_owned();
        assert!(pkcs1.starts_with("3082") && pkcs1.len() < pkcs8.len());
        let long = format!("00{}", text(&secrets["1a"])?);
        assert_eq!(long.len(), 2 * 21);
        secrets.insert("2a".into(), pkcs1.into());
        secrets.insert("1a".into(), long.into());
        let loaded = load(keys, &secrets)?;
        assert_eq!(loaded.hashname().to_string(), identity["hashname_all"]);
        assert_eq!(loaded.csids().len(), 3);
    }
    Ok(())
}

#[test]
fn identities_of_telehash_c_load() -> Outcome {
    for (set, public) in [
        ("1a", "public_compressed"),
        ("1c", "public_compressed"),
        ("3a", "public"),
    ] {
        let vectors = vectors(&format!("c/cs{set}.json"))?;
        let cases = vectors["cases"].as_array().ok_or("no cases")?;
        assert!(!cases.is_empty(), "{set}");
        for case in cases {
            for end in [&case["A"], &case["B"]] {
                let loaded = load(&only(set, &end[public]), &only(set, &end["secret"]))?;
                // There the hashname has an intermediate besides, which identity files of ours do not hold.
                if case["name"] != "with_1a_intermediate" {
                    assert_eq!(loaded.hashname().to_string(), end["hashname"], "{set}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_secret_of_somebody_else_is_refused_in_every_set() -> Outcome {
    let vectors = vectors("js/identities.json")?;
    let (a, b) = (&vectors["identities"]["A"], &vectors["identities"]["B"]);
    let keys = object(&a["keys_hex"])?;
    for (csid, secret) in object(&b["secrets_hex"])? {
        let refused = load(&only(csid, &keys[csid]), &only(csid, secret));
        assert!(refused.is_err(), "{csid}");
    }
    Ok(())
}

/// What an endpoint does with a file of these keys and secrets, given in hex.
fn load(keys: &Map<String, Value>, secrets: &Map<String, Value>) -> Outcome<Identity> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("id.json");
    let contents = json!({ "keys": base32(keys)?, "secrets": base32(secrets)? });
    fs::write(&file, contents.to_string())?;
    make_private(&file)?;
    let read = read_identity(&file)?;
    Ok(Identity::from_json(&CipherSets::default(), &read)?)
}

#[cfg(unix)]
fn make_private(file: &Path) -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    let private = fs::Permissions::from_mode(0o600);
    Ok(fs::set_permissions(file, private)?)
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> Outcome {
    Ok(())
}

fn base32(hex: &Map<String, Value>) -> Outcome<Map<String, Value>> {
    hex.iter()
        .map(|(csid, value)| {
            let encoded = telehash_hashname::base32::encode(&bytes(text(value)?)?);
            Ok((csid.clone(), encoded.into()))
        })
        .collect()
}

fn bytes(hex: &str) -> Outcome<Vec<u8>> {
    (0..hex.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(&hex[at..at + 2], 16)?))
        .collect()
}

fn only(csid: &str, value: &Value) -> Map<String, Value> {
    Map::from_iter([(csid.to_owned(), value.clone())])
}

fn object(value: &Value) -> Outcome<&Map<String, Value>> {
    value.as_object().ok_or_else(|| "no object".into())
}

fn text(value: &Value) -> Outcome<&str> {
    value.as_str().ok_or_else(|| "no text".into())
}

fn vectors(name: &str) -> Outcome<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../interop/vectors")
        .join(name);
    Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
}
