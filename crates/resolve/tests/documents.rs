//! Documents of the web, without a server.

use telehash_hashname::{Csid, KeySet, LinkJson, LinkJsonError, Path};
use telehash_resolve::limits::MAX_DOCUMENT_LEN;
use telehash_resolve::webfinger::{Href, REL};
use telehash_resolve::{DocumentError, jwks, webfinger};
use telehash_uri::LinkUri;

fn endpoint(first: u8) -> LinkJson {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![first; 32]).unwrap();
    let mut link = LinkJson::new(keys).unwrap();
    link.paths
        .push(Path::udp("192.0.2.1:42424".parse().unwrap()));
    link
}

fn uri(first: u8) -> String {
    LinkUri::for_link(&endpoint(first)).unwrap().to_string()
}

fn descriptor(links: &[(&str, &str)]) -> Vec<u8> {
    let links: Vec<_> = links
        .iter()
        .map(|(rel, href)| serde_json::json!({ "rel": rel, "href": href, "type": "x" }))
        .collect();
    serde_json::json!({ "subject": "acct:ann@example.org", "links": links })
        .to_string()
        .into()
}

fn key_set(keys: &[serde_json::Value]) -> Vec<u8> {
    serde_json::json!({ "keys": keys }).to_string().into()
}

#[test]
fn the_first_link_to_an_endpoint_counts() {
    let body = descriptor(&[
        ("self", "https://example.org/"),
        (REL, &uri(1)),
        (REL, &uri(2)),
    ]);
    let Ok(Href::Uri(parsed)) = webfinger::href(&body) else {
        panic!("no URI")
    };
    assert_eq!(parsed.uri.hashname(), Some(endpoint(1).hashname));
}

#[test]
fn a_link_through_a_router_does_not_say_who_is_behind_it() {
    let router = uri(1);
    let separator = if router.contains('?') { '&' } else { '?' };
    let href = format!("{router}{separator}sid=aaaaaaaaaaaaaaaaaaaaaaaaaa");
    let found = webfinger::href(&descriptor(&[(REL, &href)]));
    assert!(matches!(found, Err(DocumentError::Router)), "{found:?}");
}

#[test]
fn a_link_without_keys_leads_to_a_document_on_https_only() {
    let document = "https://example.org/~ann/link.json";
    let Ok(Href::Document(url)) = webfinger::href(&descriptor(&[(REL, document)])) else {
        panic!("no document")
    };
    assert_eq!(url.as_str(), document);
    for nowhere in [
        "http://example.org/link.json",
        "link://example.org/",
        "file:///etc/passwd",
    ] {
        let href = webfinger::href(&descriptor(&[(REL, nowhere)]));
        assert_eq!(href, Err(DocumentError::NoKeys), "{nowhere}");
    }
    let href = webfinger::href(&descriptor(&[(REL, "nothing")]));
    assert!(matches!(href, Err(DocumentError::Href(_))), "{href:?}");
}

#[test]
fn an_answer_without_a_link_says_so() {
    for body in [
        descriptor(&[]),
        b"{}".to_vec(),
        br#"{"links":{"rel":7}}"#.to_vec(),
        br#"{"links":[7,{"rel":7}]}"#.to_vec(),
        descriptor(&[("self", &uri(1))]),
    ] {
        assert_eq!(webfinger::href(&body), Err(DocumentError::NoLink));
    }
    let without_href = format!(r#"{{"links":[{{"rel":"{REL}"}}]}}"#);
    assert_eq!(
        webfinger::href(without_href.as_bytes()),
        Err(DocumentError::NoLink)
    );
    for body in ["", "[]", "<html>", "{", "\u{0}"] {
        let href = webfinger::href(body.as_bytes());
        assert!(
            matches!(href, Err(DocumentError::Json(_))),
            "{body}: {href:?}"
        );
    }
}

#[test]
fn the_first_key_of_an_endpoint_counts_even_if_it_is_broken() {
    let jwk = |first| serde_json::Value::Object(endpoint(first).jwk().unwrap());
    let rsa = serde_json::json!({ "kty": "RSA", "n": "aa" });
    let set = key_set(&[rsa.clone(), serde_json::json!(7), jwk(1), jwk(2)]);
    assert_eq!(jwks::link(&set), Ok(endpoint(1)));
    assert_eq!(
        jwks::link(&key_set(&[rsa])),
        Err(DocumentError::NoHashnameKey)
    );
    let mut broken = jwk(1);
    broken["kid"] = endpoint(2).hashname.to_string().into();
    let error = Err(DocumentError::Link(LinkJsonError::Mismatch));
    assert_eq!(jwks::link(&key_set(&[broken, jwk(2)])), error);
}

#[test]
fn a_configuration_leads_to_https_only() {
    let location = |json: &str| jwks::location(json.as_bytes());
    let url = location(r#"{"issuer":"x","jwks_uri":"https://example.org/jwks"}"#).unwrap();
    assert_eq!(url.as_str(), "https://example.org/jwks");
    for json in [
        "{}",
        r#"{"jwks_uri":null}"#,
        r#"{"jwks_uri":"http://example.org/jwks"}"#,
    ] {
        assert_eq!(location(json), Err(DocumentError::NoKeySet), "{json}");
    }
}

#[test]
fn a_document_is_refused_one_byte_beyond_the_limit() {
    let padded = |mut body: Vec<u8>, len: usize| {
        body.resize(len, b' ');
        body
    };
    let jrd = descriptor(&[(REL, &uri(1))]);
    let set = key_set(&[endpoint(1).jwk().unwrap().into()]);
    let json = endpoint(1).to_string().into_bytes();
    let fits = |body: &Vec<u8>| padded(body.clone(), MAX_DOCUMENT_LEN);
    let too_long = |body: &Vec<u8>| padded(body.clone(), MAX_DOCUMENT_LEN + 1);
    assert!(webfinger::href(&fits(&jrd)).is_ok());
    assert_eq!(jwks::link(&fits(&set)), Ok(endpoint(1)));
    assert_eq!(webfinger::link(&fits(&json)), Ok(endpoint(1)));
    assert_eq!(
        webfinger::href(&too_long(&jrd)),
        Err(DocumentError::TooLong)
    );
    assert_eq!(jwks::link(&too_long(&set)), Err(DocumentError::TooLong));
    assert_eq!(
        webfinger::link(&too_long(&json)),
        Err(DocumentError::TooLong)
    );
}
