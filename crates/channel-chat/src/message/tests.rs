use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn id() -> Id {
    "5rfiuj7viqwdy".parse().unwrap()
}

fn full() -> Chat {
    Chat {
        after: Some(Id::from_bytes([2; 8])),
        at: Some(1_394_162_554),
        chat: Some(Id::from_bytes([3; 8])),
        state: Some(Activity::Composing),
        refs: BTreeMap::from([("pic".into(), "thtp:///x.png".into())]),
        alts: BTreeMap::from([
            ("html".into(), Alternate::Text("<b>hi</b>".into())),
            ("rtf".into(), Alternate::Body),
        ]),
        body: Bytes::from_static(b"{\\rtf}"),
        ..Chat::new(id(), "*hi*")
    }
}

fn profile() -> Profile {
    Profile {
        at: Some(7),
        refs: BTreeMap::from([("nick".into(), "jeff".into())]),
        aka: vec![Hashname::from_bytes([9; 32])],
        body: Bytes::from_static(b"jwt"),
        ..Profile::new(id(), "Jeff Strongman")
    }
}

fn parsed(head: &Value, body: &[u8]) -> Result<Message, MessageError> {
    let head = head.as_object().unwrap();
    Message::parse(&telehash_lob::encode_json(head, body).unwrap().into())
}

#[test]
fn every_kind_of_message_survives() {
    let join = Join {
        id: id(),
        who: Hashname::from_bytes([1; 32]),
        after: Some(Id::from_bytes([2; 8])),
        at: Some(1),
        profile: profile(),
    };
    let acks = Ack::ALL.map(|ack| Message::Receipt(Receipt { id: id(), ack }));
    let messages = [
        Message::Chat(full()),
        Message::Chat(Chat::new(id(), "")),
        Message::Profile(profile()),
        Message::Join(join),
        Message::Gap(Gap { id: id(), count: 9 }),
    ];
    for message in messages.into_iter().chain(acks) {
        let packet = message.encode().unwrap();
        assert_eq!(Message::parse(&packet).unwrap(), message);
        assert_eq!(message.id(), id());
    }
}

#[test]
fn unknown_fields_and_activities_are_passed_over() {
    let head = json!({"type":"chat","id":id().to_string(),"x":[1],"state":"dancing","after":null});
    let Message::Chat(chat) = parsed(&head, b"").unwrap() else {
        panic!()
    };
    assert_eq!(chat, Chat::new(id(), ""));
}

#[test]
fn a_message_that_is_not_what_it_has_to_be_is_refused() {
    let ok = id().to_string();
    let hashname = Hashname::from_bytes([1; 32]).to_string();
    let cases = [
        (json!({"id":ok}), "`type`"),
        (json!({"type":7,"id":ok}), "`type`"),
        (json!({"type":"xx","id":ok}), "unknown type"),
        (json!({"type":"chat"}), "`id`"),
        (json!({"type":"chat","id":"short"}), "`id`"),
        (json!({"type":"chat","id":ok,"text":1}), "`text`"),
        (json!({"type":"chat","id":ok,"after":"x"}), "`after`"),
        (json!({"type":"chat","id":ok,"at":-1}), "`at`"),
        (json!({"type":"chat","id":ok,"refs":{"a":1}}), "`refs`"),
        (json!({"type":"chat","id":ok,"alts":{"a":false}}), "`alts`"),
        (
            json!({"type":"profile","id":ok,"aka":[hashname,"x"]}),
            "`aka`",
        ),
        (json!({"type":"join","id":ok,"from":"x"}), "`from`"),
        (json!({"type":"join","id":ok,"from":hashname}), "too short"),
        (json!({"type":"ack","id":ok,"ack":"liked"}), "`ack`"),
        (json!({"type":"gap","id":ok,"count":1_u64 << 32}), "`count`"),
    ];
    for (head, expected) in cases {
        let error = parsed(&head, b"").unwrap_err().to_string();
        assert!(error.contains(expected), "{head}: {error}");
    }
}

#[test]
fn a_join_has_a_profile_and_nothing_else() {
    let head = json!({"type":"join","id":id().to_string(),"from":Hashname::from_bytes([1; 32]).to_string()});
    let inner = Message::Chat(full()).encode().unwrap();
    let error = parsed(&head, &inner).unwrap_err();
    assert!(matches!(error, MessageError::NoProfile));
}

/// Whether a chat message can be sent, and read if somebody sends it all the same.
fn passes(chat: &Chat) -> bool {
    let sent = chat.encode();
    // What is beyond a limit has to be refused by the reader, too.
    let mut head = Map::from_iter([
        field("type", "chat"),
        field("id", chat.id.to_string()),
        field("text", chat.text.as_str()),
    ]);
    let refs = { chat.refs.iter() }.map(|(name, to)| field(name, to.as_str()));
    head.extend([field("refs", refs.collect::<Map<_, _>>())]);
    let alts = { chat.alts.iter() }.map(|(name, alternate)| match alternate {
        Alternate::Text(text) => field(name, text.as_str()),
        Alternate::Body => field(name, true),
    });
    head.extend([field("alts", alts.collect::<Map<_, _>>())]);
    let read = parsed(&Value::Object(head), &chat.body);
    assert_eq!(sent.is_ok(), read.is_ok());
    sent.is_ok()
}

#[test]
fn text_is_sent_and_read_up_to_the_limit() {
    assert!(passes(&Chat::new(id(), "x".repeat(MAX_TEXT))));
    assert!(!passes(&Chat::new(id(), "x".repeat(MAX_TEXT + 1))));
    let with = |len| Chat {
        alts: BTreeMap::from([("html".into(), Alternate::Text("x".repeat(len)))]),
        ..Chat::new(id(), "x")
    };
    assert!(passes(&with(MAX_TEXT)));
    assert!(!passes(&with(MAX_TEXT + 1)));
}

#[test]
fn references_and_alternates_are_sent_and_read_up_to_the_limit() {
    let refs = |count: usize| Chat {
        refs: (0..count)
            .map(|name| (name.to_string(), "uri:x".into()))
            .collect(),
        ..Chat::new(id(), "x")
    };
    assert!(passes(&refs(MAX_REFS)));
    assert!(!passes(&refs(MAX_REFS + 1)));
    let alts = |count: usize| Chat {
        alts: (0..count)
            .map(|name| (name.to_string(), Alternate::Body))
            .collect(),
        ..Chat::new(id(), "x")
    };
    assert!(passes(&alts(MAX_ALTS)));
    assert!(!passes(&alts(MAX_ALTS + 1)));
    for long in [MAX_REF, MAX_REF + 1] {
        let name = Chat {
            refs: BTreeMap::from([("x".repeat(long), String::new())]),
            ..Chat::new(id(), "x")
        };
        let to = Chat {
            refs: BTreeMap::from([("x".into(), "x".repeat(long))]),
            ..Chat::new(id(), "x")
        };
        let alternate = Chat {
            alts: BTreeMap::from([("x".repeat(long), Alternate::Body)]),
            ..Chat::new(id(), "x")
        };
        for chat in [name, to, alternate] {
            assert_eq!(passes(&chat), long == MAX_REF);
        }
    }
}

#[test]
fn a_message_is_sent_and_read_up_to_the_limit() {
    let bare = Chat::new(id(), "x").encode().unwrap().len();
    let filled = Chat {
        body: vec![0; MAX_MESSAGE - bare].into(),
        ..Chat::new(id(), "x")
    };
    let packet = filled.encode().unwrap();
    assert_eq!(packet.len(), MAX_MESSAGE);
    assert_eq!(
        Message::parse(&packet).unwrap(),
        Message::Chat(filled.clone())
    );

    let mut longer = packet.to_vec();
    longer.push(0);
    let error = Message::parse(&longer.into()).unwrap_err();
    assert!(matches!(
        error,
        MessageError::TooLarge {
            what: "message",
            limit: MAX_MESSAGE
        }
    ));
    let body = vec![0; filled.body.len() + 1].into();
    assert!(Chat { body, ..filled }.encode().is_err());
}

#[test]
fn a_profile_is_sent_and_read_up_to_its_limits() {
    let named = |len| Profile::new(id(), "x".repeat(len));
    assert!(named(MAX_NAME).encode().is_ok());
    assert!(named(MAX_NAME + 1).encode().is_err());
    let head = |len| json!({"type":"profile","id":id().to_string(),"text":"x".repeat(len)});
    assert!(parsed(&head(MAX_NAME), b"").is_ok());
    assert!(parsed(&head(MAX_NAME + 1), b"").is_err());

    let known = |count| Profile {
        aka: vec![Hashname::from_bytes([9; 32]); count],
        ..named(1)
    };
    let most = known(MAX_AKA);
    let packet = most.encode().unwrap();
    assert_eq!(Profile::parse(&packet).unwrap(), most);
    assert!(known(MAX_AKA + 1).encode().is_err());
    let aka = vec![Hashname::from_bytes([9; 32]).to_string(); MAX_AKA + 1];
    let head = json!({"type":"profile","id":id().to_string(),"aka":aka});
    assert!(matches!(
        parsed(&head, b""),
        Err(MessageError::TooMany { limit: MAX_AKA, .. })
    ));

    let bare = named(1).encode().unwrap().len();
    let filled = |more: usize| Profile {
        body: vec![0; MAX_PROFILE - bare + more].into(),
        ..named(1)
    };
    let packet = filled(0).encode().unwrap();
    assert_eq!(Profile::parse(&packet).unwrap(), filled(0));
    assert!(filled(1).encode().is_err());
    let mut longer = packet.to_vec();
    longer.push(0);
    assert!(Message::parse(&longer.into()).is_err());
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_a_message_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&data.into());
    }

    #[test]
    fn whatever_is_said_is_read_as_it_was_said(text in ".{0,200}", at in any::<Option<u64>>()) {
        let chat = Message::Chat(Chat { at, ..Chat::new(id(), text) });
        prop_assert_eq!(Message::parse(&chat.encode().unwrap()).unwrap(), chat);
    }
}
