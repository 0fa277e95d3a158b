//! Requests that JavaScript endpoints and their router really exchanged, decrypted.

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde_json::Value;
use telehash_channel_connect::{ConnectOpen, Introduction};
use telehash_channel_peer::{PeerOpen, Target};
use telehash_hashname::Hashname;

/// The packets of one `type` in one direction: heads without the channel layer's fields, and bodies.
fn packets(
    file: &str,
    direction: &str,
    kind: &str,
) -> Vec<(serde_json::Map<String, Value>, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/vectors/traces");
    let text = fs::read_to_string(root.join(file)).unwrap();
    let records = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records
        .filter(|record| record["trace"] == direction && record["json"]["type"] == kind)
        .map(|record| {
            let mut head = record["json"].as_object().unwrap().clone();
            head.retain(|name, _| name != "c" && name != "type");
            let body = HEXLOWER.decode(record["body"].as_str().unwrap().as_bytes());
            (head, body.unwrap())
        })
        .collect()
}

/// Who an endpoint of a trace is.
fn me(file: &str) -> Hashname {
    let (mut opens, key) = (packets(file, "chan-in", "connect"), "peer");
    let (head, _) = opens.remove(0);
    head[key].as_str().unwrap().parse().unwrap()
}

#[test]
fn requests_of_js_are_understood_and_written_alike() {
    for name in ["peer-known-keys", "peer-hashname-only"] {
        for end in ["A", "B"] {
            let requests = packets(&format!("{name}.{end}.jsonl"), "chan-out", "peer");
            assert!(requests.len() >= 2, "{name}.{end}");
            for (head, body) in requests {
                let open = PeerOpen::from_head(&head).unwrap();
                assert!(matches!(open.target, Target::Hashname(_)));
                assert_eq!(open.to_head(), head);
                assert!(body.starts_with(&[0, 1, 0x3a]) || Introduction::from_bytes(&body).is_ok());
            }
        }
    }
}

#[test]
fn what_a_js_router_passes_on_is_understood_and_written_alike() {
    for name in ["peer-known-keys", "peer-hashname-only"] {
        let file = format!("{name}.R.jsonl");
        let requests = packets(&file, "chan-in", "peer");
        let passed = packets(&file, "chan-out", "connect");
        assert!(requests.len() >= 4 && requests.len() == passed.len());
        for ((_, request), (head, body)) in requests.into_iter().zip(passed) {
            assert_eq!(ConnectOpen::from_head(&head).unwrap().to_head(), head);
            assert_eq!(request, body, "as it came");
        }
    }
}

#[test]
fn an_introduction_of_js_is_understood_and_written_alike() {
    let requests = packets("peer-hashname-only.A.jsonl", "chan-out", "peer");
    let (_, body) = &requests[0];
    let introduction = Introduction::from_bytes(body).unwrap();
    // B answers to whoever the router says asked: A.
    assert_eq!(
        introduction.keys.hashname(),
        Some(me("peer-hashname-only.B.jsonl"))
    );
    assert_eq!(&introduction.to_bytes().unwrap(), body);
    let again: Vec<_> = Introduction::of_each(&introduction.keys).collect();
    assert_eq!(again, [introduction]);
}
