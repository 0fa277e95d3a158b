//! The messages of one round, together.

use alloc::{format, string::ToString, vec, vec::Vec};

use telehash_e3x::Token;
use telehash_hashname::{Csid, KeySet};

use crate::handshake::{HandshakeMessage, Insertion, Kind, MAX_ROUND_MESSAGES, MessageSet};

const SENDER: Token = Token::from_bytes([1; Token::LEN]);

fn link(at: u64) -> HandshakeMessage {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32]).expect("a key");
    HandshakeMessage::link(at, keys)
}

fn other(name: &str, at: u64) -> HandshakeMessage {
    HandshakeMessage::new(Kind::Other(name.to_string()), at)
}

fn names(set: &MessageSet) -> Vec<&str> {
    set.messages()
        .iter()
        .map(|message| message.kind.name())
        .collect()
}

#[test]
fn a_round_is_complete_once_the_link_message_arrived() {
    let mut set = MessageSet::new(SENDER);
    assert_eq!(
        set.insert(SENDER, HandshakeMessage::new(Kind::Jwt, 7)),
        Insertion::Added
    );
    assert!(!set.is_complete());
    assert_eq!(set.insert(SENDER, link(7)), Insertion::Added);
    assert!(set.is_complete());
    assert_eq!(
        set.keys().and_then(|keys| keys.key(Csid::CS3A)),
        Some(&[7; 32][..])
    );
    assert_eq!((set.at(), names(&set)), (7, vec!["jwt", "link"]));
}

#[test]
fn the_first_of_a_type_wins_within_a_round() {
    let mut set = MessageSet::new(SENDER);
    let mut first = other("ticket", 7);
    first.body = b"first".to_vec();
    assert_eq!(set.insert(SENDER, first.clone()), Insertion::Added);
    assert_eq!(set.insert(SENDER, other("ticket", 7)), Insertion::Duplicate);
    assert_eq!(set.messages(), [first]);
}

#[test]
fn a_higher_at_replaces_the_round_and_a_lower_one_is_left_out() {
    let mut set = MessageSet::new(SENDER);
    set.insert(SENDER, other("ticket", 7));
    set.insert(SENDER, link(7));
    assert_eq!(set.insert(SENDER, other("ticket", 9)), Insertion::Replaced);
    assert!(
        !set.is_complete(),
        "the link message of the older round does not speak for this one"
    );
    assert_eq!(set.insert(SENDER, link(8)), Insertion::Older);
    assert_eq!((set.at(), names(&set)), (9, vec!["ticket"]));
}

#[test]
fn a_message_of_another_ephemeral_is_not_of_the_round() {
    let mut set = MessageSet::new(SENDER);
    let stranger = Token::from_bytes([2; Token::LEN]);
    assert_eq!(set.insert(stranger, link(7)), Insertion::OtherEphemeral);
    assert_eq!(set.messages(), []);
}

#[test]
fn a_round_of_eight_messages_is_full_until_the_next() {
    let mut set = MessageSet::new(SENDER);
    for count in 0..MAX_ROUND_MESSAGES {
        let message = other(&format!("type {count}"), 7);
        assert_eq!(set.insert(SENDER, message), Insertion::Added);
    }
    assert_eq!(set.insert(SENDER, link(7)), Insertion::Full);
    assert_eq!(set.messages().len(), MAX_ROUND_MESSAGES);
    assert_eq!(set.insert(SENDER, link(8)), Insertion::Replaced);
    assert!(set.is_complete());
}
