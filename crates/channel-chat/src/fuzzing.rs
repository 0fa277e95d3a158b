//! The bodies of the fuzz targets: each takes any bytes, must not panic on its own account, and
//! asserts what has to hold for them.

use bytes::Bytes;
use telehash_hashname::Hashname;

use crate::message::{MAX_MESSAGE, Message};
use crate::room::{NewSeat, Received, Room};
use crate::store::MemoryStore;

const LEADER: Hashname = Hashname::from_bytes([1; 32]);
const MEMBER: Hashname = Hashname::from_bytes([2; 32]);

/// Whatever packets say, a room takes nothing that the chains of its participants did not produce, and
/// what can be read can be written. Each packet is a byte that says from whom it comes, two with its
/// length, and its content.
pub fn chat_messages(mut data: &[u8]) {
    let (mut leader, mut member) = rooms();
    let before = (leader.history().count(), member.history().count());
    while let Some((&[from, high, low], rest)) = data.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (packet, after) = rest.split_at(len);
        data = after;
        let packet = Bytes::copy_from_slice(packet);
        written_as_read(&packet);
        let received = match from % 2 {
            0 => leader.receive(MEMBER, &packet),
            _ => member.receive(LEADER, &packet),
        };
        // Only who has the secret can say anything new. What was said last may become something else, or
        // come again with what its sender does.
        let harmless = |received| {
            use Received::{Activity, Duplicate, Edited, Receipt};
            matches!(received, Duplicate | Edited(_) | Activity(_) | Receipt(_))
        };
        assert!(received.is_err() || received.is_ok_and(harmless));
    }
    assert_eq!((leader.history().count(), member.history().count()), before);
}

fn written_as_read(packet: &Bytes) {
    let Ok(message) = Message::parse(packet) else {
        return;
    };
    assert!(packet.len() <= MAX_MESSAGE);
    // Characters that we do not escape may make it longer than it came only if it was near the limit.
    if let Ok(written) = message.encode() {
        assert_eq!(Message::parse(&written).ok(), Some(message));
    }
}

/// A room of two, as both see it, in which each has said something.
fn rooms() -> (Room, Room) {
    let store = || Box::new(MemoryStore::new());
    let seat = |me, secret| NewSeat {
        depth: 16,
        ..NewSeat::new(me, secret, "somebody")
    };
    let valid = "a valid room";
    let mut leader = Room::lead(&seat(LEADER, *b"a secret"), 1, store()).expect(valid);
    let new = seat(MEMBER, *b"another!");
    let mut member = Room::join(&new, leader.id(), LEADER, store()).expect(valid);
    let profile = member.profile().clone();
    leader.admit(MEMBER, profile, 2).expect(valid);
    leader.send("one", 3).expect(valid);
    let mut cursor = leader.cursor(leader.id()).expect(valid);
    for packet in leader.unsent(&mut cursor).expect(valid) {
        member.receive(LEADER, &packet).expect(valid);
    }
    let two = member.send("two", 4).expect(valid);
    leader.receive(MEMBER, &two.packet).expect(valid);
    (leader, member)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::message::{Chat, Gap};

    fn framed(from: u8, packet: &[u8]) -> Vec<u8> {
        let len = u16::try_from(packet.len()).unwrap().to_be_bytes();
        [&[from][..], &len[..], packet].concat()
    }

    proptest! {
        #[test]
        fn chat_messages_holds_for_random_bytes(data in vec(any::<u8>(), 0..300)) {
            chat_messages(&data);
        }

        #[test]
        fn chat_messages_holds_for_random_messages(
            said in vec((any::<u8>(), any::<[u8; 8]>(), any::<u32>(), ".{0,20}"), 0..20),
        ) {
            let mut data = Vec::new();
            for (from, id, count, text) in said {
                let id = crate::Id::from_bytes(id);
                let message = match from / 2 % 2 {
                    0 => Message::Chat(Chat::new(id, text)),
                    _ => Message::Gap(Gap { id, count: count % 100 }),
                };
                data.extend(framed(from, &message.encode().unwrap()));
            }
            chat_messages(&data);
        }
    }
}
