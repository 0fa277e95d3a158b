//! What packets say (channel-types.md, "box").

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_hashname::Hashname;

use crate::id::{BoxId, MessageId};

/// From a sender, to a cache or to the recipient.
pub const OUTBOX: &str = "outbox";
/// From the recipient to a cache.
pub const INBOX: &str = "inbox";
/// From a cache to a recipient.
pub const BOXES: &str = "boxes";

/// Names of boxes in one packet.
pub(crate) const BOXES_IN_PACKET: usize = 120;

/// The fields of a packet.
pub(crate) type Head = Map<String, Value>;

/// What a packet of an `outbox` or `inbox` asks for, or brings; in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Remove everything, also what has come of a message.
    pub(crate) clear: bool,
    /// Remove this one.
    pub(crate) remove: Option<MessageId>,
    /// The packet's body is the last piece of a message.
    pub(crate) done: bool,
    /// For how long that one is to be kept.
    pub(crate) keep: Option<Duration>,
    /// Bytes that there is room for; it comes after all messages.
    pub(crate) room: Option<u64>,
}

impl Ask {
    /// Reads a head. Fields that make no sense are taken as absent.
    pub(crate) fn read(head: Option<&Head>) -> Self {
        let Some(head) = head else {
            return Self::default();
        };
        let is_true = |field: &str| head.get(field) == Some(&true.into());
        Self {
            clear: is_true("clear"),
            remove: text(head, "id"),
            done: is_true("done"),
            keep: number(head, "x").map(Duration::from_secs),
            room: number(head, "cap"),
        }
    }

    pub(crate) fn to_head(&self) -> Head {
        let mut head = Head::new();
        if self.clear {
            head.insert("clear".to_owned(), true.into());
        }
        if let Some(id) = &self.remove {
            head.insert("id".to_owned(), id.to_string().into());
        }
        if self.done {
            head.insert("done".to_owned(), true.into());
        }
        if let Some(keep) = self.keep {
            head.insert("x".to_owned(), keep.as_secs().into());
        }
        if let Some(room) = self.room {
            head.insert("cap".to_owned(), room.into());
        }
        head
    }
}

/// The head of an `outbox` open.
pub(crate) fn outbox(to: &Hashname) -> Head {
    Head::from_iter([("to".to_owned(), to.to_string().into())])
}

/// For whom an `outbox` is.
pub(crate) fn outbox_to(head: Option<&Head>) -> Option<Hashname> {
    text(head?, "to")
}

/// The head of an `inbox` open.
pub(crate) fn inbox(id: &BoxId) -> Head {
    Head::from_iter([("box".to_owned(), id.to_string().into())])
}

/// Which box an `inbox` is about.
pub(crate) fn inbox_of(head: Option<&Head>) -> Option<BoxId> {
    text(head?, "box")
}

/// The body of a `boxes` packet. Of more than [`BOXES_IN_PACKET`] the first ones are taken.
pub(crate) fn boxes(ids: &[BoxId]) -> Bytes {
    let ids = ids.iter().take(BOXES_IN_PACKET);
    ids.flat_map(|id| *id.as_bytes()).collect()
}

/// The boxes that a `boxes` packet names, a part of one left out.
pub(crate) fn read_boxes(body: &[u8]) -> impl Iterator<Item = BoxId> + '_ {
    let (ids, _rest) = body.as_chunks::<{ BoxId::LEN }>();
    ids.iter().copied().map(BoxId::from_bytes)
}

fn text<T: FromStr>(head: &Head, field: &str) -> Option<T> {
    head.get(field)?.as_str()?.parse().ok()
}

fn number(head: &Head, field: &str) -> Option<u64> {
    head.get(field)?.as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(head: &Value) -> Ask {
        Ask::read(head.as_object())
    }

    #[test]
    fn packets_have_the_fields_of_the_protocol() {
        let id: MessageId = "0123456789abcdef".parse().unwrap();
        let written = |ask: &Ask| Value::Object(ask.to_head());
        for (ask, head) in [
            (Ask::default(), json!({})),
            (
                Ask {
                    done: true,
                    keep: Some(Duration::from_secs(60)),
                    ..Ask::default()
                },
                json!({ "done": true, "x": 60 }),
            ),
            (
                Ask {
                    remove: Some(id),
                    ..Ask::default()
                },
                json!({ "id": "0123456789abcdef" }),
            ),
            (
                Ask {
                    clear: true,
                    ..Ask::default()
                },
                json!({ "clear": true }),
            ),
            (
                Ask {
                    room: Some(9),
                    ..Ask::default()
                },
                json!({ "cap": 9 }),
            ),
        ] {
            assert_eq!(written(&ask), head);
            assert_eq!(read(&head), ask);
        }
    }

    #[test]
    fn nonsense_in_fields_asks_for_nothing() {
        let head = json!({ "clear": 1, "id": "xyz", "done": "true", "x": -1, "cap": null });
        assert_eq!(read(&head), Ask::default());
        assert_eq!(Ask::read(None), Ask::default());
        let nobody = json!({ "to": "me", "box": 7 });
        assert_eq!(outbox_to(nobody.as_object()), None);
        assert_eq!(inbox_of(nobody.as_object()), None);
    }

    #[test]
    fn opens_name_recipient_and_box() {
        let to = Hashname::from_bytes([7; 32]);
        assert_eq!(outbox_to(Some(&outbox(&to))), Some(to));
        let id = BoxId::from_bytes([7; 8]);
        assert_eq!(inbox_of(Some(&inbox(&id))), Some(id));
    }

    #[test]
    fn a_packet_names_up_to_120_boxes() {
        let ids: Vec<_> = (0..121).map(|n| BoxId::from_bytes([n; 8])).collect();
        let body = boxes(&ids);
        assert_eq!(body.len(), 960);
        assert!(read_boxes(&body).eq(ids[..120].iter().copied()));
        assert_eq!(read_boxes(&body[..15]).count(), 1);
    }
}
