//! Unreliable channels.

use serde_json::json;

use super::{script::*, *};

fn ping(n: u32) -> Packet {
    Packet::new(Vec::from(n.to_be_bytes()))
}

#[test]
fn packets_go_out_once_in_order_and_unnumbered() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::unreliable("path"))
        .expect("opens");
    script.flow.send(script.now, id, ping(1)).expect("sends");
    assert_eq!(
        script.heads(),
        [json!({"type": "path", "c": 1}), json!({"c": 1})]
    );
    assert_eq!(script.pass(ms(9000)), []);
}

#[test]
fn nothing_is_left_to_deliver_once_the_last_packet_left() {
    let mut script = Script::new();
    let open = Open::unreliable("path");
    let id = script.flow.open(script.now, open).expect("opens");
    assert!(script.flow.is_delivering(id));
    script.sends();
    assert!(!script.flow.is_delivering(id));
    script.flow.end(script.now, id).expect("ends");
    assert!(script.flow.is_delivering(id));
    script.sends();
    assert!(!script.flow.is_delivering(id));
    let id = script.flow.open(script.now, Open::reliable("stream"));
    let id = id.expect("opens");
    script.sends();
    assert!(script.flow.is_delivering(id), "it may have to go again");
}

#[test]
fn the_oldest_unsent_packets_are_dropped() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::unreliable("media"))
        .expect("opens");
    let extra = 10;
    for n in 0..UNRELIABLE_PACKETS as u32 + extra {
        script
            .flow
            .send(script.now, id, ping(n))
            .expect("never blocks");
    }
    let dropped = script.flow.channel_stats(id).expect("open").dropped_unsent;
    assert_eq!(dropped, u64::from(extra));
    let bodies: Vec<Vec<u8>> = script.sends().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies[0], b"", "the open is not among them");
    assert_eq!(bodies[1], extra.to_be_bytes());
}

#[test]
fn the_oldest_unread_packets_are_dropped() {
    let mut script = Script::new();
    script.gets(&json!({"type": "media", "c": 2}));
    let id = ChannelId::new(2).expect("an id");
    script.flow.accept(script.now, id).expect("accepts");
    for n in 0..UNRELIABLE_PACKETS as u32 + 5 {
        script
            .receive(&json!({"c": 2}), &n.to_be_bytes())
            .expect("content");
    }
    assert_eq!(script.flow.channel_stats(id).expect("open").dropped, 5);
    let first = script
        .flow
        .read(script.now, id)
        .expect("open")
        .expect("a packet");
    assert_eq!(first.body, 5_u32.to_be_bytes()[..]);
}

#[test]
fn they_are_paced_like_everything_else() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::unreliable("media"))
        .expect("opens");
    for _ in 0..60 {
        script
            .flow
            .send(script.now, id, Packet::new(alloc::vec![0; 1000]))
            .expect("sends");
    }
    let at_once = script.sends().len();
    assert!((5..20).contains(&at_once), "{at_once}");
    let later = script.pass(ms(1000));
    assert_eq!(at_once + later.len(), 61);
    assert!(later.last().expect("some").0 > ms(50), "{later:?}");
}

#[test]
fn too_large_a_packet_is_an_error() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::unreliable("media"))
        .expect("opens");
    let sent = script
        .flow
        .send(script.now, id, Packet::new(alloc::vec![0; MAX_PLAIN]));
    let Err(SendError::TooLarge { quota }) = sent else {
        panic!("{sent:?}")
    };
    script
        .flow
        .send(script.now, id, Packet::new(alloc::vec![0; quota]))
        .expect("fits");
    let beyond = script
        .flow
        .send(script.now, id, Packet::new(alloc::vec![0; quota + 1]));
    assert!(beyond.is_err());
    assert!(script.flow.quota(id, MAX_PLAIN) <= quota);
}

#[test]
fn an_end_ends_both_directions_after_a_while() {
    let mut world = World::new(Weather::default(), 1);
    let id = world.flows[0]
        .open(world.now, Open::unreliable("block"))
        .expect("opens");
    world.drive(ms(100));
    world.flows[1].accept(world.now, id).expect("accepts");
    world.flows[1].send(world.now, id, ping(1)).expect("sends");
    world.flows[0].end(world.now, id).expect("ends");
    world.drive(ms(100));
    assert!(world.events[1].contains(&ChannelEvent::Finished(id)));
    world.read_all(0, id);
    world.read_all(1, id);
    world.drive(ENDED_LINGER + ms(1000));
    for side in 0..2 {
        assert!(
            world.events[side].contains(&ChannelEvent::Closed(id)),
            "side {side}"
        );
        assert_eq!(world.flows[side].channels(), 0);
    }
}

#[test]
fn a_repeated_open_is_not_dispatched_again() {
    let mut script = Script::new();
    script.gets(&json!({"type": "path", "c": 2}));
    script.gets(&json!({"type": "path", "c": 2}));
    assert_eq!(script.events().len(), 1);
}

#[test]
fn numbered_packets_do_not_belong_here() {
    let mut script = Script::new();
    script.gets(&json!({"type": "path", "c": 2}));
    let result = script.receive(&json!({"c": 2, "seq": 2}), b"");
    assert!(matches!(result, Err(PacketError::BadSeq(_))));
    let stream = script
        .flow
        .write(script.now, ChannelId::new(2).expect("an id"), b"x");
    assert!(stream.is_err());
}
