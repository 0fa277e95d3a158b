//! Participants that say things to each other.

use bytes::Bytes;
use telehash_channel_chat::{Entry, MemoryStore, NewSeat, ReceiveError, Received, Refusal, Room};
use telehash_hashname::Hashname;

pub(crate) const NOW: u64 = 1_394_162_554;

pub(crate) fn hashname(number: u8) -> Hashname {
    Hashname::from_bytes([number; 32])
}

pub(crate) fn seat(number: u8) -> NewSeat {
    NewSeat {
        depth: 2000,
        ..NewSeat::new(hashname(number), [number; 8], format!("number {number}"))
    }
}

pub(crate) fn leader() -> Room {
    Room::lead(&seat(1), NOW, Box::new(MemoryStore::new())).unwrap()
}

/// The room of somebody who has not been let in yet.
pub(crate) fn newcomer(number: u8, leader: &Room) -> Room {
    let store = Box::new(MemoryStore::new());
    Room::join(&seat(number), leader.id(), leader.me(), store).unwrap()
}

/// Lets somebody in, and tells them so.
pub(crate) fn admitted(number: u8, leader: &mut Room) -> Room {
    let mut room = newcomer(number, leader);
    leader
        .admit(room.me(), room.profile().clone(), NOW)
        .unwrap();
    catch_up(&mut room, leader);
    room
}

/// A room of two, as both see it.
pub(crate) fn pair() -> (Room, Room) {
    let mut leader = leader();
    let member = admitted(2, &mut leader);
    (leader, member)
}

/// Takes in everything that `from` has said since the last time.
pub(crate) fn catch_up(room: &mut Room, from: &mut Room) -> Vec<Received> {
    let last = room.last_from(&from.me()).unwrap();
    let mut cursor = from.cursor(last).unwrap();
    let mut received = Vec::new();
    loop {
        let packets = from.unsent(&mut cursor).unwrap();
        if packets.is_empty() {
            return received;
        }
        received.extend(
            packets
                .iter()
                .map(|packet| room.receive(from.me(), packet).unwrap()),
        );
    }
}

pub(crate) fn refusal(room: &mut Room, from: u8, packet: &Bytes) -> Refusal {
    match room.receive(hashname(from), packet) {
        Err(ReceiveError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn texts(room: &mut Room) -> Vec<String> {
    room.history()
        .filter_map(Entry::text)
        .map(str::to_owned)
        .collect()
}
