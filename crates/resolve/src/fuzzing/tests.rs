//! The fuzz bodies on seeds and on seeds with a few bytes changed, in every test run.

use proptest::prelude::*;
use telehash_hashname::{Csid, KeySet, LinkJson, Path};
use telehash_uri::LinkUri;

use super::{resolve_txt, resolve_webfinger};

/// An endpoint whose second key takes two strings.
fn endpoint() -> LinkJson {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
    keys.insert_key(Csid::CS2A, vec![9; 294]).unwrap();
    let mut link = LinkJson::new(keys).unwrap();
    link.paths
        .push(Path::udp("192.0.2.1:42424".parse().unwrap()));
    link
}

fn answers() -> Vec<String> {
    let link = endpoint();
    let texts = crate::dns::texts(&link.keys).unwrap();
    let service = format!("SRV 0 5 42424 {}.example.org.", link.hashname);
    let all = |texts: &str| format!("{service}\n{texts}\nv=spf1 -all");
    vec![
        all(&texts.join("\n")),
        all(&texts.join("|")),
        all(&texts.join("\n").replace("3a=", "3a=|")),
        format!("{service}\nSRV 0 9 1 .\nSRV 1 0 0 mail.example.org\n"),
    ]
}

fn documents() -> Vec<String> {
    let link = endpoint();
    let uri = LinkUri::for_link(&link).unwrap();
    let jwk = serde_json::Value::Object(link.jwk().unwrap());
    let jrd = |href: &str| {
        let links = format!(
            r#"[{{"rel":"self"}},{{"rel":"{}","href":"{href}"}}]"#,
            crate::webfinger::REL
        );
        format!(r#"{{"subject":"acct:ann@example.org","links":{links}}}"#)
    };
    vec![
        jrd(&uri.to_string()),
        jrd("https://example.org/link.json"),
        link.to_string(),
        format!(r#"{{"keys":[{{"kty":"RSA","n":"aa"}},{jwk}]}}"#),
        r#"{"issuer":"https://example.org","jwks_uri":"https://example.org/jwks"}"#.to_owned(),
    ]
}

/// One of the seeds with some bytes replaced and the end cut off.
fn mutated(seeds: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(seeds), changes, 0..8usize).prop_map(|(seed, changes, cut)| {
        let mut data = seed.into_bytes();
        for (index, byte) in changes {
            let at = index.index(data.len());
            // Punctuation and digits get further than arbitrary bytes.
            data[at] = b"{}[]\":,=|.\n 0123456789abcdefrs"[usize::from(byte) % 30];
        }
        data.truncate(data.len().saturating_sub(if cut < 6 { 0 } else { cut }));
        data
    })
}

#[test]
fn the_seeds_can_be_read() {
    let hashname = endpoint().hashname;
    for answer in &answers()[..3] {
        resolve_txt(answer.as_bytes());
        let texts: Vec<Vec<Vec<u8>>> = answer
            .lines()
            .skip(1)
            .map(|line| {
                line.split('|')
                    .map(|text| text.as_bytes().to_vec())
                    .collect()
            })
            .collect();
        assert_eq!(crate::dns::keys(&hashname, &texts), Ok(endpoint().keys));
    }
    let documents = documents();
    documents
        .iter()
        .for_each(|text| resolve_webfinger(text.as_bytes()));
    let [uri, document, link, jwks, configuration] = &documents[..] else {
        panic!("{documents:?}")
    };
    assert!(crate::webfinger::href(uri.as_bytes()).is_ok());
    assert!(crate::webfinger::href(document.as_bytes()).is_ok());
    assert_eq!(crate::webfinger::link(link.as_bytes()), Ok(endpoint()));
    assert_eq!(crate::jwks::link(jwks.as_bytes()), Ok(endpoint()));
    assert!(crate::jwks::location(configuration.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn answers_hold_their_properties(data in mutated(answers())) {
        resolve_txt(&data);
    }

    #[test]
    fn documents_hold_their_properties(data in mutated(documents())) {
        resolve_webfinger(&data);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(data: Vec<u8>) {
        resolve_txt(&data);
        resolve_webfinger(&data);
    }
}
