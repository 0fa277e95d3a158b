//! Path channels that two JavaScript endpoints really held, decrypted on both sides.

use std::{fs, path::Path as FilePath};

use serde_json::{Map, Value};
use telehash_channel_path::{PathAnswer, PathOpen, TYPE};

type Head = Map<String, Value>;

/// The header fields of all packets of path channels in a trace, without those of the channel
/// layer.
fn heads(file: &str) -> (Vec<Head>, Vec<Head>) {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/vectors/traces");
    let text = fs::read_to_string(root.join(file)).unwrap();
    let records = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let packets = records.filter(|record| {
        record["trace"]
            .as_str()
            .is_some_and(|trace| trace.starts_with("chan-"))
    });
    let heads = packets.map(|record| record["json"].as_object().unwrap().clone());
    let (mut opens, answers): (Vec<_>, Vec<_>) = heads.partition(|head| head.contains_key("type"));
    opens.retain(|head| head["type"] == TYPE);
    let rest = |mut head: Head| {
        head.retain(|name, _| name != "c" && name != "type");
        head
    };
    (
        opens.into_iter().map(rest).collect(),
        answers.into_iter().map(rest).collect(),
    )
}

#[test]
fn opens_and_answers_of_js_are_understood_and_written_alike() {
    for file in ["path.dialer.jsonl", "path.listener.jsonl"] {
        let (opens, answers) = heads(file);
        assert!(
            opens.len() >= 3 && answers.len() >= 4,
            "{file} holds the conversation"
        );
        for head in opens {
            let open = PathOpen::from_head(&head);
            assert_eq!(open.paths.len(), 1);
            assert!(open.paths.iter().all(telehash_hashname::Path::is_known));
            assert_eq!(open.to_head(), head);
        }
        for head in answers {
            let answer = PathAnswer::from_head(&head);
            assert!(
                answer
                    .path
                    .as_ref()
                    .is_some_and(telehash_hashname::Path::is_known)
            );
            assert_eq!(answer.to_head(), head);
        }
    }
}

#[test]
fn the_forms_of_c_are_understood() {
    let ping = PathOpen::from_head(&Map::new());
    assert_eq!(ping, PathOpen::offering(vec![]));
    let answer: Value = serde_json::from_str(r#"{"path":{}}"#).unwrap();
    assert_eq!(
        PathAnswer::from_head(answer.as_object().unwrap()),
        PathAnswer::to(None)
    );
    assert_eq!(PathAnswer::from_head(&Map::new()), PathAnswer::to(None));
}

#[test]
fn nonsense_in_an_offer_is_skipped() {
    let text = r#"{"paths":[1,null,{},{"ip":"192.0.2.1"},{"type":7},
        {"type":"udp4","ip":"192.0.2.1","port":5}]}"#;
    let head: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        PathOpen::from_head(head.as_object().unwrap()).paths.len(),
        1
    );
    let head: Value = serde_json::from_str(r#"{"paths":"all of them"}"#).unwrap();
    assert_eq!(PathOpen::from_head(head.as_object().unwrap()).paths, []);
}

#[test]
fn no_more_paths_are_read_than_the_limit() {
    let limit = telehash_channel_path::limits::MAX_OFFERED_PATHS;
    let paths: Vec<Value> = (1..=limit + 5)
        .map(|port| serde_json::json!({ "type": "udp4", "ip": "192.0.2.1", "port": port }))
        .collect();
    let head: Map<String, Value> = [("paths".to_owned(), Value::Array(paths))]
        .into_iter()
        .collect();
    assert_eq!(PathOpen::from_head(&head).paths.len(), limit);
}
