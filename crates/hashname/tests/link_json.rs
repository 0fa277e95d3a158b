//! Link JSON and its JWK form.

use serde_json::{Value, json};
use telehash_hashname::limits::{MAX_LINK_JSON_LEN, MAX_LINK_PATHS};
use telehash_hashname::{
    Csid, Hashname, Intermediate, JsonError, KeySet, LinkJson, LinkJsonError, Path,
};

fn keys() -> KeySet {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS1A, vec![2; 21]).unwrap();
    keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
    keys
}

fn link() -> LinkJson {
    let mut link = LinkJson::new(keys()).unwrap();
    link.paths
        .push(Path::udp("192.0.2.1:42424".parse().unwrap()));
    link.paths.push(Path::peer(Hashname::from_bytes([9; 32])));
    link
}

fn parse(json: &Value) -> Result<LinkJson, LinkJsonError> {
    LinkJson::parse(&json.to_string())
}

#[test]
fn a_link_survives_its_text() {
    let text = link().to_string();
    assert_eq!(LinkJson::parse(&text), Ok(link()));
    assert!(text.starts_with(r#"{"hashname":""#), "{text}");
    assert!(text.contains(r#","keys":{"1a":""#), "{text}");
    assert!(
        text.contains(r#","paths":[{"type":"udp4","ip":"192.0.2.1","port":42424},"#),
        "{text}"
    );
    assert_eq!(serde_json::to_string(&link()).unwrap(), text);
    assert_eq!(LinkJson::from_json(&link().to_json()), Ok(link()));
}

#[test]
fn unknown_fields_and_paths_are_kept_as_they_came() {
    let text = r#"{"alias":"café","n":[1,-2,3.25,1e300,0.1,18446744073709551615,null,true],"o":{"z":1,"a":2}"#;
    let hashname = link().hashname;
    let text = format!(r#"{text},"hashname":"{hashname}","paths":[{{"type":"ble","x":{{}}}}]}}"#);
    let link = LinkJson::parse(&text).unwrap();
    assert_eq!(link.extra["alias"], "café");
    let written = link.to_string();
    let (kept, read): (Value, Value) = (
        serde_json::from_str(&text).unwrap(),
        serde_json::from_str(&written).unwrap(),
    );
    for field in ["alias", "n", "o", "hashname", "paths"] {
        assert_eq!(kept[field].to_string(), read[field].to_string());
    }
    assert_eq!(LinkJson::parse(&written), Ok(link));
}

#[test]
fn extra_fields_never_replace_defined_ones() {
    let mut link = link();
    link.extra.insert("hashname".into(), "someone else".into());
    assert_eq!(
        LinkJson::parse(&link.to_string()).unwrap().hashname,
        link.hashname
    );
}

#[test]
fn hashname_keys_and_paths_may_each_be_absent_but_not_both_names() {
    let full = link();
    let keys = Value::Object(full.keys.to_json());
    assert_eq!(
        parse(&json!({"keys": keys})).unwrap().hashname,
        full.hashname
    );
    let named = parse(&json!({"hashname": full.hashname})).unwrap();
    assert_eq!(named, LinkJson::named(full.hashname));
    assert_eq!(parse(&json!({"paths": []})), Err(LinkJsonError::Unnamed));
    assert_eq!(parse(&json!({"keys": {}})), Err(LinkJsonError::Unnamed));
}

#[test]
fn keys_that_do_not_make_up_the_hashname_are_refused() {
    let full = link();
    let other = Hashname::from_bytes([1; 32]);
    let keys = Value::Object(full.keys.to_json());
    assert_eq!(
        parse(&json!({"hashname": other, "keys": keys})),
        Err(LinkJsonError::Mismatch)
    );
    let mut some = full.keys.to_json();
    some.remove("1a");
    let cut = json!({"hashname": full.hashname, "keys": some});
    assert_eq!(
        parse(&cut),
        Err(LinkJsonError::Mismatch),
        "a key is missing"
    );
}

#[test]
fn a_key_known_by_its_intermediate_only_survives_the_text() {
    let mut partial = KeySet::new();
    partial.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
    partial
        .insert_intermediate(Csid::CS1A, Intermediate::of(&[2; 21]))
        .unwrap();
    let link = LinkJson::new(partial).unwrap();
    assert_eq!(link.hashname, keys().hashname().unwrap());
    let text = link.to_string();
    assert!(text.contains(r#""intermediates":{"1a":""#), "{text}");
    assert_eq!(LinkJson::parse(&text), Ok(link.clone()));
    assert_eq!(link.jwk(), None, "a JWK has no place for it");
}

#[test]
fn a_field_of_the_wrong_type_is_named_in_the_error() {
    let hashname = link().hashname;
    for (field, value) in [
        ("hashname", json!(4)),
        ("keys", json!([])),
        ("keys", json!("x")),
        ("intermediates", json!(null)),
        ("paths", json!({})),
    ] {
        let mut json = json!({"hashname": hashname});
        json[field] = value;
        let error = parse(&json).unwrap_err();
        assert_eq!(error, LinkJsonError::WrongType { field });
        assert!(error.to_string().contains(field));
    }
}

#[test]
fn malformed_links_are_refused() {
    let hashname = link().hashname;
    for text in [
        String::new(),
        "[]".into(),
        "null".into(),
        "{".into(),
        format!(r#"{{"hashname":"{hashname}"}} {{}}"#),
        format!(r#"{{"hashname":"{hashname}","hashname":"{hashname}"}}"#),
        format!(r#"{{"hashname":"{hashname}","paths":[4]}}"#),
        format!(r#"{{"hashname":"{hashname}","paths":[{{}}]}}"#),
        r#"{"hashname":"short"}"#.into(),
        r#"{"keys":{"3A":"aa"}}"#.into(),
        r#"{"keys":{"3a":4}}"#.into(),
        r#"{"keys":{"3a":"a"}}"#.into(),
        r#"{"keys":{"3a":""}}"#.into(),
    ] {
        assert!(LinkJson::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn one_path_more_than_the_limit_is_refused() {
    let with_paths = |count: usize| {
        let paths = vec![json!({"type": "x"}); count];
        parse(&json!({"hashname": link().hashname, "paths": paths}))
    };
    assert_eq!(
        with_paths(MAX_LINK_PATHS).unwrap().paths.len(),
        MAX_LINK_PATHS
    );
    let count = MAX_LINK_PATHS + 1;
    assert_eq!(
        with_paths(count),
        Err(LinkJsonError::TooManyPaths { count })
    );
}

#[test]
fn a_link_is_refused_one_byte_beyond_the_limit() {
    let short = link().to_string();
    let padded = |len: usize| format!("{short}{}", " ".repeat(len - short.len()));
    assert_eq!(LinkJson::parse(&padded(MAX_LINK_JSON_LEN)), Ok(link()));
    let (len, max) = (MAX_LINK_JSON_LEN + 1, MAX_LINK_JSON_LEN);
    let refused = JsonError::TooLong { len, max };
    assert_eq!(LinkJson::parse(&padded(len)), Err(refused.clone().into()));
    assert_eq!(LinkJson::parse_jwk(&padded(len)), Err(refused.into()));
}

#[test]
fn the_jwk_has_the_members_of_the_specification() {
    let link = link();
    let jwk = link.jwk().unwrap();
    let names: Vec<_> = jwk.keys().map(String::as_str).collect();
    assert_eq!(names, ["kty", "kid", "use", "cs1a", "cs3a", "paths"]);
    assert_eq!(
        (&jwk["kty"], &jwk["use"]),
        (&json!("hashname"), &json!("link"))
    );
    assert_eq!(jwk["kid"], link.hashname.to_string());
    assert_eq!(LinkJson::from_jwk(&jwk), Ok(link.clone()));
    assert_eq!(
        LinkJson::parse_jwk(&Value::Object(jwk).to_string()),
        Ok(link)
    );
    let pathless = LinkJson::new(keys()).unwrap().jwk().unwrap();
    assert!(!pathless.contains_key("paths"));
}

#[test]
fn a_jwk_whose_kid_does_not_match_its_keys_is_refused() {
    let with = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut jwk = link().jwk().unwrap();
        change(&mut jwk);
        LinkJson::from_jwk(&jwk)
    };
    let other = Hashname::from_bytes([1; 32]).to_string();
    assert_eq!(
        with(&|jwk| drop(jwk.insert("kid".into(), other.clone().into()))),
        Err(LinkJsonError::Mismatch)
    );
    assert_eq!(
        with(&|jwk| drop(jwk.remove("cs1a"))),
        Err(LinkJsonError::Mismatch)
    );
    assert_eq!(
        with(&|jwk| drop(jwk.remove("kid"))),
        Err(LinkJsonError::Unnamed)
    );
    assert_eq!(
        with(&|jwk| drop(jwk.insert("kty".into(), "EC".into()))),
        Err(LinkJsonError::NotHashnameJwk)
    );
    assert_eq!(
        with(&|jwk| jwk.retain(|name, _| !name.starts_with("cs"))),
        Err(LinkJsonError::Unnamed)
    );
    assert_eq!(
        with(&|jwk| drop(jwk.insert("csrf".into(), json!(1)))),
        Ok(link())
    );
}
