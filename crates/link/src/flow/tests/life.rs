//! Channels open, are refused, end, fail and time out.

use serde_json::json;

use super::{script::*, *};

fn id(id: u32) -> ChannelId {
    ChannelId::new(id).expect("an id")
}

#[test]
fn a_lost_open_is_sent_again_until_the_peer_is_heard() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::reliable("stream").body(&b"hi"[..]))
        .expect("opens");
    let sent = script.pass(ms(2500));
    assert_eq!(sent.len(), 3, "{sent:?}");
    for (n, (at, head)) in sent.iter().enumerate() {
        assert_eq!(*head, json!({"type": "stream", "c": 1, "seq": 1}));
        assert!(*at >= ms(1000) * u32::try_from(n).expect("few"), "{at:?}");
    }
    // Any packet of the channel will do; here it has no ack.
    script
        .receive(&json!({"c": 1, "seq": 1}), b"hello")
        .expect("content");
    let later = script.pass(ms(9000));
    assert!(
        later.iter().all(|(_, head)| head["type"].is_null()),
        "{later:?}"
    );
    assert_eq!(
        script.events(),
        [ChannelEvent::Established(id), ChannelEvent::Readable(id)]
    );
}

#[test]
fn an_open_that_nobody_answers_times_out() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::reliable("stream"))
        .expect("opens");
    script.pass(OPEN_TIMEOUT - ms(1));
    assert_eq!(script.events(), []);
    let sent = script.pass(ms(1));
    assert_eq!(
        script.events(),
        [ChannelEvent::Failed {
            id,
            error: ChannelError::Timeout
        }]
    );
    assert_eq!(errs(&sent), ["timeout"]);
    assert_eq!(script.flow.read(script.now, id), Err(ChannelError::Timeout));
    script.pass(ENDED_LINGER);
    assert_eq!(script.flow.read(script.now, id), Err(ChannelError::Unknown));
}

#[test]
fn an_open_may_have_a_timeout_of_its_own() {
    let mut script = Script::new();
    let open = Open::unreliable("path").timeout(ms(300));
    let id = script.flow.open(script.now, open).expect("opens");
    assert_eq!(
        script.pass(ms(299)).len(),
        1,
        "unreliable opens are sent once"
    );
    assert_eq!(script.events(), []);
    script.pass(ms(2));
    assert_eq!(
        script.events(),
        [ChannelEvent::Failed {
            id,
            error: ChannelError::Timeout
        }]
    );
}

#[test]
fn an_open_that_the_owner_ignores_is_refused_in_the_end() {
    let mut script = Script::new();
    script.gets(&json!({"type": "stream", "c": 2, "seq": 1}));
    let sent = script.pass(OPEN_TIMEOUT + ms(1));
    assert_eq!(errs(&sent), ["timeout"]);
    assert_eq!(
        sent.len(),
        1,
        "an open is not acknowledged before it is accepted: {sent:?}"
    );
}

#[test]
fn the_open_is_acknowledged_once_it_is_accepted() {
    let mut script = Script::new();
    script.gets(&json!({"type": "sock", "c": 2, "seq": 1, "dst": {"port": 80}}));
    script
        .receive(&json!({"c": 2, "seq": 2}), b"early")
        .expect("content");
    assert_eq!(script.heads(), [] as [serde_json::Value; 0]);
    let events = script.events();
    let [
        ChannelEvent::Opened {
            kind,
            reliable: true,
            packet,
            ..
        },
        ..,
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (
            kind.as_str(),
            packet.head.as_ref().expect("fields")["dst"]["port"].as_u64()
        ),
        ("sock", Some(80))
    );
    script.flow.accept(script.now, id(2)).expect("accepts");
    assert_eq!(script.events(), [ChannelEvent::Readable(id(2))]);
    assert_eq!(script.heads(), [json!({"c": 2, "ack": 2, "miss": [127]})]);
}

#[test]
fn the_first_answer_carries_the_ack_of_the_open() {
    let mut script = Script::new();
    let id = script.accept(2);
    let head = serde_json::Map::from_iter([("open".into(), true.into())]);
    script
        .flow
        .send(script.now, id, Packet::default().head(head))
        .expect("sends");
    let heads = script.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert_eq!(
        (&heads[0]["open"], &heads[0]["seq"], &heads[0]["ack"]),
        (&json!(true), &json!(1), &json!(1))
    );
}

#[test]
fn nothing_can_be_sent_before_the_channel_is_accepted() {
    let mut script = Script::new();
    script.gets(&json!({"type": "stream", "c": 2, "seq": 1}));
    let sent = script.flow.write(script.now, id(2), b"x");
    assert_eq!(sent, Err(SendError::NotAccepted));
}

#[test]
fn a_refused_open_is_answered_with_an_error() {
    let mut script = Script::new();
    script.gets(&json!({"type": "nonsense", "c": 2}));
    script.flow.refuse(script.now, id(2), "unknown type");
    assert_eq!(script.heads(), [json!({"c": 2, "err": "unknown type"})]);
    assert_eq!(script.pass(ms(20_000)), [], "once");
}

#[test]
fn a_second_open_is_a_duplicate() {
    let mut script = Script::new();
    let id = script.accept(2);
    assert_eq!(script.heads().len(), 1);
    script.gets(&json!({"type": "stream", "c": 2, "seq": 1}));
    assert_eq!(script.events(), [], "it must not be dispatched again");
    assert_eq!(script.heads()[0]["ack"], 1, "and its sender must hear so");
    script.flow.fail(script.now, id, "over");
    script.pass(ENDED_LINGER * 2);
    let late = script.receive(&json!({"type": "stream", "c": 2, "seq": 1}), b"");
    assert!(matches!(late, Err(PacketError::UsedChannel(_))));
    assert_eq!(script.events(), []);
}

#[test]
fn opens_may_arrive_in_any_order() {
    let mut script = Script::new();
    for id in [6, 2, 8, 4] {
        script.accept(id);
    }
    assert_eq!(script.flow.channels(), 4);
}

#[test]
fn ids_are_the_openers_to_choose() {
    let mut odd = Script::new();
    assert_eq!(odd.open().get(), 1);
    assert_eq!(odd.open().get(), 3);
    let theirs = odd.receive(&json!({"type": "stream", "c": 5, "seq": 1}), b"");
    assert!(matches!(theirs, Err(PacketError::WrongParity(_))));
    let mut even = Script::with(FlowConfig::default(), Order::Even);
    assert_eq!(even.open().get(), 2);
}

#[test]
fn packets_of_unknown_channels_are_dropped_in_silence() {
    let mut script = Script::new();
    let result = script.receive(&json!({"c": 2, "seq": 2}), b"data");
    assert!(matches!(result, Err(PacketError::UnknownChannel(_))));
    assert!(
        script
            .receive(&json!({"c": 2, "err": "?", "type": "x"}), b"")
            .is_err()
    );
    assert_eq!(
        (script.pass(ms(5000)), script.events()),
        (Vec::new(), Vec::new())
    );
}

#[test]
fn an_error_of_the_peer_closes_the_channel_at_once() {
    let mut script = Script::new();
    let id = script.open();
    script
        .receive(&json!({"c": 1, "seq": 1}), b"unread")
        .expect("content");
    script
        .flow
        .write(script.now, id, b"unsent")
        .expect("writes");
    script.events();
    script.gets(&json!({"c": 1, "err": "broken"}));
    let error = ChannelError::Peer("broken".into());
    assert_eq!(script.events(), [ChannelEvent::Failed { id, error }]);
    assert_eq!(script.flow.read(script.now, id), Err(ChannelError::Unknown));
    assert_eq!(script.pass(ms(60_000)), []);
    assert_eq!(script.flow.held, 0);
}

#[test]
fn our_error_reaches_a_peer_that_missed_it() {
    let mut script = Script::new();
    let id = script.accept(2);
    script.sends();
    script.flow.fail(script.now, id, "gone");
    assert_eq!(script.heads(), [json!({"c": 2, "err": "gone"})]);
    script
        .receive(&json!({"c": 2, "seq": 2}), b"data")
        .expect("late content");
    assert_eq!(script.heads(), [json!({"c": 2, "err": "gone"})]);
    let repeated = errs(&script.pass(ms(30_000))).len();
    assert!((1..=2).contains(&repeated), "{repeated}");
    assert_eq!(script.events(), []);
}

#[test]
fn half_a_channel_may_end_before_the_other() {
    let mut world = World::new(Weather::default(), 1);
    let id = world.open();
    world.flows[0]
        .write(world.now, id, b"question")
        .expect("writes");
    world.flows[0].end(world.now, id).expect("ends");
    assert_eq!(
        world.flows[0].write(world.now, id, b"more"),
        Err(SendError::Ended)
    );
    world.drive(ms(500));
    assert_eq!(
        world.events[1],
        [ChannelEvent::Readable(id), ChannelEvent::Finished(id)]
    );
    assert_eq!(world.read_all(1, id), b"question");
    world.drive(ms(60_000));
    // A minute later the other half still works.
    world.flows[1]
        .write(world.now, id, &content(0, 100_000))
        .expect("writes");
    world.flows[1].end(world.now, id).expect("ends");
    world.drive(ms(2000));
    assert_eq!(world.read_all(0, id), content(0, 100_000));
    assert!(world.events[0].contains(&ChannelEvent::Finished(id)));
    for side in 0..2 {
        assert!(
            world.events[side].contains(&ChannelEvent::Closed(id)),
            "side {side}"
        );
    }
    world.drive(ENDED_LINGER + ms(1000));
    assert_eq!(
        world.flows.each_ref().map(|flow| flow.channel_stats(id)),
        [None, None]
    );
}

#[test]
fn the_end_can_say_more() {
    let mut world = World::new(Weather::default(), 1);
    let id = world.open();
    let head = serde_json::Map::from_iter([("code".into(), 1000.into())]);
    world.flows[0]
        .send(world.now, id, Packet::default().head(head.clone()).end())
        .expect("sends");
    world.drive(ms(500));
    let packet = world.flows[1]
        .read(world.now, id)
        .expect("open")
        .expect("readable");
    assert!(packet.end);
    assert_eq!(packet.head.as_deref(), Some(&head));
}

#[test]
fn a_lost_final_ack_does_not_hang_the_closer() {
    let mut script = Script::new();
    let id = script.open();
    script.gets(&json!({"c": 1, "seq": 1, "ack": 1, "end": true}));
    script.flow.end(script.now, id).expect("ends");
    // The peer acknowledged our `end`, the ack was lost, and it answers no duplicates.
    let sent = script.pass(ENDED_LINGER + ms(100));
    assert!(sent.iter().filter(|(_, head)| head["end"] == true).count() >= 3);
    assert!(script.events().contains(&ChannelEvent::Closed(id)));
    assert_eq!(errs(&sent), [] as [&str; 0]);
    script.pass(ENDED_LINGER);
    assert_eq!(script.flow.channels(), 0);
}

#[test]
fn a_final_ack_is_repeated_while_the_channel_is_remembered() {
    let mut script = Script::new();
    let id = script.accept(2);
    script.sends();
    script.flow.end(script.now, id).expect("ends");
    script.sends();
    script.gets(&json!({"c": 2, "seq": 2, "ack": 1, "end": true}));
    assert_eq!(script.heads()[0]["ack"], 2);
    script
        .flow
        .read(script.now, id)
        .expect("ended")
        .expect("the end");
    let mut repeat_after = |wait| {
        script.pass(wait);
        script.gets(&json!({"c": 2, "seq": 2, "ack": 1, "end": true}));
        assert_eq!(script.heads()[0]["ack"], 2);
    };
    for _ in 0..9 {
        repeat_after(ENDED_LINGER / 10);
    }
    repeat_after(ENDED_LINGER / 10 - ms(1));
    script.pass(ms(1));
    assert!(
        script
            .receive(&json!({"c": 2, "seq": 2, "end": true}), b"")
            .is_err()
    );
}

#[test]
fn a_peer_that_falls_silent_is_given_up() {
    let mut script = Script::new();
    let id = script.open();
    script
        .flow
        .write(script.now, id, b"anyone?")
        .expect("writes");
    let sent = script.pass(GIVE_UP - ms(10));
    assert!(
        (6..=20).contains(&sent.len()),
        "retransmissions back off: {}",
        sent.len()
    );
    assert_eq!(script.events(), []);
    let sent = script.pass(ms(20));
    assert_eq!(
        script.events(),
        [ChannelEvent::Failed {
            id,
            error: ChannelError::Timeout
        }]
    );
    assert_eq!(errs(&sent), ["timeout"]);
}

#[test]
fn an_idle_channel_never_times_out() {
    let mut script = Script::new();
    let id = script.open();
    assert_eq!(script.pass(ms(1000 * 3600 * 24)), []);
    assert_eq!(script.events(), []);
    assert_eq!(script.flow.read(script.now, id), Ok(None));
    assert_eq!(script.flow.poll_timeout(), None, "and needs no timer");
}

#[test]
fn a_new_session_fails_every_channel_and_counts_anew() {
    let mut script = Script::new();
    let ours = script.open();
    let theirs = script.accept(2);
    script
        .flow
        .write(script.now, ours, &[0; 5000])
        .expect("writes");
    script.sends();
    script.flow.reset(script.now, ChannelError::Reset);
    let failed = script.events();
    let failure = |id| ChannelEvent::Failed {
        id,
        error: ChannelError::Reset,
    };
    assert_eq!(failed, [failure(ours), failure(theirs)]);
    assert_eq!(script.flow.pipe_stats(SLOT).in_flight, 0);
    assert_eq!(script.pass(ms(60_000)), []);
    assert_eq!(script.open(), ours);
    script.accept(2);
}

#[test]
fn used_up_sequence_numbers_fail_the_channel() {
    let mut script = Script::new();
    let id = script.open();
    let key = script.flow.table.find(id).expect("open");
    let channel = script.flow.table.get_mut(key).expect("open");
    let Flavor::Reliable(reliable) = &mut channel.flavor else {
        panic!("reliable")
    };
    reliable.outbound.skip_to(u32::MAX - 2);
    script.send_messages(id, 1);
    assert_eq!(seqs(&script.heads()), [u64::from(u32::MAX - 1)]);
    script.send_messages(id, 1);
    script.pass(ms(1));
    assert_eq!(
        script.events(),
        [ChannelEvent::Failed {
            id,
            error: ChannelError::Exhausted
        }]
    );
}
