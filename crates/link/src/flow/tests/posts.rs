//! Channels that are nothing but their opening packet.

use alloc::vec;

use serde_json::json;

use super::{super::MAX_POSTED, script::*, *};

#[test]
fn a_post_leaves_no_channel_behind_and_an_answer_is_dropped() {
    let mut script = Script::new();
    let open = Open::unreliable("peer").body(&b"for another"[..]);
    script.flow.post(open).expect("posts");
    let sent = script.sends();
    assert_eq!(sent[0].0, json!({"type": "peer", "c": 1}));
    assert_eq!(sent[0].1, b"for another");
    assert_eq!(script.flow.channels(), 0);
    assert!(script.receive(&json!({"c": 1}), b"answer").is_err());
    assert!(script.events().is_empty());
    assert!(script.pass(Duration::from_secs(60)).is_empty());
}

#[test]
fn a_post_of_the_longest_body_is_taken_and_a_longer_one_refused() {
    let mut script = Script::new();
    let open = |len| Open::unreliable("peer").body(vec![7; len]);
    script.flow.post(open(MAX_POSTED)).expect("posts");
    let longer = script.flow.post(open(MAX_POSTED + 1));
    assert_eq!(longer, Err(OpenError::TooLarge { quota: MAX_POSTED }));
    assert_eq!(script.sends()[0].1.len(), MAX_POSTED);
}

#[test]
fn a_channel_that_is_forgotten_says_nothing_more() {
    let mut script = Script::new();
    script.gets(&json!({"type": "peer", "c": 2}));
    script.events();
    script.flow.forget(ChannelId::new(2).expect("an id"));
    assert!(script.pass(Duration::from_secs(60)).is_empty());
    assert!(script.receive(&json!({"c": 2}), b"more").is_err());
    assert!(script.events().is_empty());
}
