//! What happens at each limit. (Those of reliable windows are in `window` and `hostile`, those of
//! unreliable queues in `unreliable`.)

use serde_json::json;

use super::{script::*, *};

#[test]
fn opens_of_ours_stop_at_the_limit() {
    let mut script = Script::new();
    let mut last = None;
    for _ in 0..MAX_CHANNELS {
        last = Some(
            script
                .flow
                .open(script.now, Open::unreliable("x"))
                .expect("within the limit"),
        );
    }
    let beyond = script.flow.open(script.now, Open::unreliable("x"));
    assert_eq!(
        beyond,
        Err(OpenError::TooMany {
            limit: MAX_CHANNELS
        })
    );
    // One that failed makes room at once, though it is still remembered.
    script
        .flow
        .fail(script.now, last.expect("opened"), "enough");
    assert!(script.flow.open(script.now, Open::unreliable("x")).is_ok());
    assert_eq!(script.flow.channels(), MAX_CHANNELS);
}

#[test]
fn opens_of_the_peer_are_refused_at_the_limit() {
    let mut script = Script::new();
    for n in 1..=MAX_CHANNELS as u32 {
        script.gets(&json!({"type": "x", "c": n * 2}));
    }
    script.events();
    let beyond = MAX_CHANNELS as u32 * 2;
    for n in 1..=MAX_REFUSALS as u32 + 10 {
        let refused = script.receive(&json!({"type": "x", "c": beyond + n * 2}), b"");
        assert!(matches!(refused, Err(PacketError::TooManyChannels(_))));
    }
    assert_eq!(script.events(), []);
    let sent = script.heads();
    assert_eq!(sent.len(), MAX_REFUSALS, "further ones are not answered");
    assert_eq!(
        sent[0],
        json!({"c": beyond + 2, "err": "too many channels"})
    );
    assert!(
        script.flow.open(script.now, Open::unreliable("x")).is_ok(),
        "ours count apart"
    );
}

#[test]
fn writers_are_blocked_at_the_limit_of_unsent_bytes() {
    let mut script = Script::new();
    let id = script.open();
    let data = alloc::vec![0; UNSENT_BYTES + 1];
    assert_eq!(script.flow.write(script.now, id, &data), Ok(UNSENT_BYTES));
    assert_eq!(script.flow.write(script.now, id, b"x"), Ok(0));
    assert_eq!(script.flow.writable(id), 0);
    assert!(matches!(
        script.flow.send(script.now, id, Packet::new(&b"x"[..])),
        Err(SendError::Blocked(packet)) if packet.body == b"x"[..]
    ));
    assert_eq!(script.events(), []);
    let mut acked = 1;
    while script.flow.writable(id) == 0 || script.events().is_empty() {
        acked = seqs(&script.heads()).into_iter().max().unwrap_or(acked);
        script.now += ms(20);
        script.gets(&json!({"c": 1, "ack": acked, "miss": [2000]}));
        assert!(acked < 300);
    }
}

/// A channel whose pipe has no congestion control, to a peer with room for everything.
fn with_boundless_window(config: FlowConfig) -> (Script, ChannelId) {
    let mut script = Script::with(config, Order::Odd);
    script.flow.pipe_opened(
        script.now,
        PipeSlot(1),
        PipeProfile {
            reliable: true,
            ..PipeProfile::default()
        },
    );
    script.flow.pipe_selected(script.now, PipeSlot(1));
    let id = script
        .flow
        .open(script.now, Open::reliable("stream"))
        .expect("opens");
    script.sends_by(PipeSlot(1));
    script.gets(&json!({"c": 1, "ack": 1, "miss": [u32::MAX]}));
    (script, id)
}

#[test]
fn writers_are_blocked_at_the_limit_of_unacknowledged_bytes() {
    let (mut script, id) = with_boundless_window(FlowConfig::default());
    let data = alloc::vec![0; UNSENT_BYTES];
    let mut written = 0;
    // What was sent is not acknowledged.
    while let taken @ 1.. = script.flow.write(script.now, id, &data).expect("open") {
        written += taken;
        assert!(!script.sends_by(PipeSlot(1)).is_empty());
    }
    assert_eq!(written, SEND_BYTES);
    script.gets(&json!({"c": 1, "ack": 4, "miss": [60_000]}));
    assert!(script.flow.writable(id) > 2000);
}

#[test]
fn senders_are_blocked_at_the_limit_of_unsent_packets() {
    let mut script = Script::new();
    let id = script.open();
    script.send_messages(id, UNSENT_PACKETS as u32);
    let beyond = script.flow.send(script.now, id, Packet::new(&b"x"[..]));
    assert!(matches!(beyond, Err(SendError::Blocked(_))));
    assert_eq!(script.flow.write(script.now, id, b"x"), Ok(0));
    script.flow.end(script.now, id).expect("an end always fits");
}

#[test]
fn no_more_packets_are_in_flight_than_the_limit() {
    let config = FlowConfig {
        unsent_packets: MAX_IN_FLIGHT * 2,
        ..FlowConfig::default()
    };
    let (mut script, id) = with_boundless_window(config);
    for _ in 0..MAX_IN_FLIGHT + 100 {
        script
            .flow
            .send(script.now, id, Packet::default())
            .expect("sends");
    }
    assert_eq!(script.sends_by(PipeSlot(1)).len(), MAX_IN_FLIGHT);
    script.gets(&json!({"c": 1, "ack": 11}));
    assert_eq!(script.sends_by(PipeSlot(1)).len(), 10);
}

#[test]
fn pinned_packets_are_dropped_oldest_first() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::unreliable("path"))
        .expect("opens");
    script.sends();
    for n in 0..=MAX_PINNED as u32 {
        let packet = Packet::new(Vec::from(n.to_be_bytes())).pipe(SLOT);
        script.flow.send(script.now, id, packet).expect("sends");
    }
    let sent = script.sends();
    assert_eq!(sent.len(), MAX_PINNED);
    assert_eq!(sent[0].1, 1_u32.to_be_bytes());
}

#[test]
fn a_failed_channel_answers_only_so_often() {
    let mut script = Script::new();
    let id = script.accept(2);
    script.sends();
    script.flow.fail(script.now, id, "over");
    let mut errs = 0;
    for seq in 2..100 {
        script.gets(&json!({"c": 2, "seq": seq}));
        errs += script.sends().len();
    }
    assert_eq!(errs, usize::from(MAX_ERRS));
}

#[test]
fn an_opening_packet_must_fit() {
    let mut script = Script::new();
    let open = |len: usize| Open::reliable("stream").body(alloc::vec![0; len]);
    let Err(OpenError::TooLarge { quota }) = script.flow.open(script.now, open(MAX_PLAIN)) else {
        panic!("too large")
    };
    assert!(script.flow.open(script.now, open(quota + 1)).is_err());
    let id = script.flow.open(script.now, open(quota)).expect("fits");
    assert_eq!(id.get(), 1, "no id was wasted");
}

#[test]
fn a_message_must_fit_its_packet() {
    let mut script = Script::new();
    let id = script.open();
    let quota = script.flow.quota(id, MAX_PLAIN);
    assert!(quota > MAX_PLAIN - 60);
    script
        .flow
        .send(script.now, id, Packet::new(alloc::vec![0; quota]))
        .expect("fits");
    let head = serde_json::Map::from_iter([("x".into(), "y".repeat(100).into())]);
    let larger = Packet::new(alloc::vec![0; quota]).head(head);
    let Err(SendError::TooLarge { quota: less }) = script.flow.send(script.now, id, larger) else {
        panic!("too large")
    };
    assert!(less + 90 < quota, "{less} of {quota}");
}

#[test]
fn an_idle_flow_is_small() {
    assert!(size_of::<Flow>() < 1024, "{}", size_of::<Flow>());
    let lane = size_of::<lane::Lane>();
    assert!(lane < 1024, "{lane}");
    let channel = size_of::<Channel>() + size_of::<reliable::Reliable>();
    assert!(channel < 1200, "{channel}");
}

#[test]
fn a_thousand_idle_channels_take_little() {
    let mut world = World::new(Weather::default(), 1);
    let ids: Vec<ChannelId> = (0..1000)
        .map(|_| {
            world.flows[0]
                .open(world.now, Open::reliable("stream"))
                .expect("opens")
        })
        .collect();
    world.drive(ms(5000));
    for id in ids {
        world.flows[1].accept(world.now, id).expect("accepts");
    }
    world.drive(ms(20_000));
    assert_eq!(world.flows[0].channels(), 1000);
    assert_eq!(world.flows.each_ref().map(|flow| flow.held), [0, 0]);
    assert_eq!(
        world.flows.each_ref().map(Flow::poll_timeout),
        [None, None],
        "no timers"
    );
}
