//! Windows: what is advertised, what is kept to, how they close and reopen.

use serde_json::{Value, json};

use super::{script::*, *};

#[test]
fn a_peer_that_tells_nothing_gets_fifty_packets() {
    let mut script = Script::new();
    let id = script.open();
    script.gets(&json!({"c": 1, "ack": 1, "miss": [1000]}));
    let mut quiet = Script::new();
    let same = quiet.open();
    quiet.send_messages(same, 16);
    quiet.sends();
    // Bare acks, as JS sends them; messages go in sixteens, see `old_peers`.
    let mut sent = 17;
    while sent < 100 {
        quiet.now += ms(20);
        quiet.gets(&json!({"c": 1, "ack": sent}));
        quiet.send_messages(same, 16);
        let seqs = seqs(&quiet.heads());
        assert!(
            seqs.iter().all(|seq| *seq <= sent + 50),
            "{seqs:?} after {sent}"
        );
        sent += 16;
    }
    script.send_messages(id, 200);
    script.pass(ms(100));
    assert!(script.flow.channel_stats(id).expect("open").sent > 100);
}

#[test]
fn nothing_goes_beyond_the_window_of_the_peer() {
    let mut script = Script::new();
    let id = script.open();
    script.gets(&json!({"c": 1, "ack": 1, "miss": [200]}));
    script.send_messages(id, 300);
    let first = script.pass(ms(30));
    script.gets(&json!({"c": 1, "ack": 20, "miss": [5]}));
    let then = script.pass(ms(30));
    let sent: Vec<Value> = first
        .into_iter()
        .chain(then)
        .map(|(_, head)| head)
        .collect();
    assert_eq!(
        seqs(&sent).into_iter().max(),
        Some(201),
        "what was told is not taken back"
    );
    script.gets(&json!({"c": 1, "ack": 201, "miss": [3]}));
    assert_eq!(seqs(&script.heads()), [202, 203, 204]);
}

#[test]
fn a_closed_window_is_probed_more_and_more_rarely() {
    let mut script = Script::new();
    let id = script.open();
    script.gets(&json!({"c": 1, "ack": 1, "miss": [200]}));
    script.gets(&json!({"c": 1, "ack": 1, "miss": [200]}));
    script.send_messages(id, 201);
    let mut acked = 1;
    while acked < 201 {
        script.pass(ms(20));
        acked = (acked + 40).min(201);
        script.gets(&json!({"c": 1, "ack": acked, "miss": [201 - acked]}));
    }
    let mut probes = Vec::new();
    // The peer answers each probe: closed. It may do so for long.
    for second in 0..120 {
        for (at, head) in script.pass(ms(1000)) {
            assert_eq!(head["seq"], 202, "{head}");
            probes.push(ms(second * 1000) + at);
            script.gets(&json!({"c": 1, "ack": 201, "miss": [0]}));
        }
    }
    assert!((20..60).contains(&probes.len()), "{probes:?}");
    assert_eq!(script.events(), []);
    script.gets(&json!({"c": 1, "ack": 201, "miss": [100]}));
    assert_eq!(
        seqs(&script.heads()),
        [202],
        "the probe was dropped, so it goes again"
    );
}

#[test]
fn a_reader_that_stops_closes_the_window_and_reopens_it() {
    let mut world = World::new(Weather::default(), 3);
    let id = world.open();
    let total = 3 << 20;
    let (mut written, mut read) = (0, 0);
    let mut fill = |world: &mut World| {
        for _ in 0..200 {
            let data = content(written, (total - written).min(4000));
            written += world.flows[0].write(world.now, id, &data).expect("writes");
            world.drive(ms(5));
        }
    };
    fill(&mut world);
    let held = world.flows[1].channel_stats(id).expect("open").held;
    assert!(held > 100_000 && held <= RECV_BYTES * 5 / 4, "{held}");
    let before = world.wires[0].carried;
    world.drive(ms(20_000));
    assert!(world.wires[0].carried - before < 20_000, "only probes");
    assert_eq!(world.events[0], [], "a paused reader is no failure");
    while read < total {
        for byte in world.read_all(1, id) {
            assert_eq!(byte, pattern(read));
            read += 1;
        }
        fill(&mut world);
    }
}

#[test]
fn a_paused_reader_may_take_minutes() {
    let mut world = World::new(Weather::default(), 3);
    let id = world.open();
    let mut written = 0;
    loop {
        let data = content(written, 4000);
        match world.flows[0].write(world.now, id, &data).expect("writes") {
            0 => break,
            taken => written += taken,
        }
        world.drive(ms(50));
    }
    world.drive_bounded(ms(300_000), 5000);
    assert!(
        world.events[0]
            .iter()
            .all(|event| *event == ChannelEvent::Writable(id))
    );
    let read = world.read_all(1, id);
    assert!(read.len() > 100_000 && read == content(0, read.len()));
}

#[test]
fn a_lost_reopening_is_told_again() {
    let mut script = Script::new();
    let id = script.accept(2);
    let (mut seq, mut limit, mut room) = (1, 0, 0);
    loop {
        for head in script.heads() {
            if let Some(misses) = head["miss"].as_array() {
                room = misses.iter().filter_map(Value::as_u64).sum();
            }
            limit = head["ack"].as_u64().expect("an ack") + room;
        }
        if seq >= limit {
            break;
        }
        seq += 1;
        script
            .receive(&json!({"c": 2, "seq": seq}), &[0; 1000])
            .expect("within the window");
    }
    assert!(seq >= 128, "{seq}");
    assert_eq!(script.pass(ms(30_000)), [], "closed, and nothing to say");
    // A packet beyond asks.
    assert!(
        script
            .receive(&json!({"c": 2, "seq": seq + 1}), &[0; 1000])
            .is_err()
    );
    assert_eq!(script.heads(), [json!({"c": 2, "ack": seq, "miss": [0]})]);
    while script.flow.read(script.now, id).expect("open").is_some() {}
    let told = script.pass(ms(5000));
    assert!((2..=4).contains(&told.len()), "{told:?}");
    for (_, head) in told {
        assert!(head["miss"][0].as_u64() >= Some(100), "{head}");
    }
}

#[test]
fn acks_come_at_once_where_they_must() {
    let at_once = |head: Value| {
        let mut script = Script::new();
        script.accept(2);
        script.sends();
        script.gets(&head);
        script.heads().len()
    };
    assert_eq!(at_once(json!({"c": 2, "seq": 2})), 1, "no frag");
    assert_eq!(
        at_once(json!({"c": 2, "seq": 2, "frag": true})),
        0,
        "the only one that waits"
    );
    assert_eq!(
        at_once(json!({"c": 2, "seq": 2, "frag": true, "ack": 0})),
        1,
        "seq and ack"
    );
    assert_eq!(at_once(json!({"c": 2, "seq": 3, "frag": true})), 1, "a gap");
    assert_eq!(
        at_once(json!({"c": 2, "seq": 1, "type": "stream"})),
        1,
        "a duplicate"
    );
    assert_eq!(
        at_once(json!({"c": 2, "seq": 2, "end": true})),
        1,
        "the end"
    );
}

#[test]
fn a_filled_gap_is_acknowledged_at_once() {
    let mut script = Script::new();
    script.accept(2);
    script.sends();
    script.gets(&json!({"c": 2, "seq": 4, "frag": true}));
    assert_eq!(
        script.heads(),
        [json!({"c": 2, "ack": 1, "miss": [1, 1, 126]})]
    );
    script.gets(&json!({"c": 2, "seq": 2, "frag": true}));
    assert_eq!(
        script.heads(),
        [json!({"c": 2, "ack": 2, "miss": [1, 126]})]
    );
    script.gets(&json!({"c": 2, "seq": 3, "frag": true}));
    assert_eq!(script.heads()[0]["ack"], 4);
}

#[test]
fn a_lone_fragment_is_acknowledged_after_25_ms() {
    let mut script = Script::new();
    script.accept(2);
    script.sends();
    script.gets(&json!({"c": 2, "seq": 2, "frag": true}));
    let sent = script.pass(ms(1000));
    assert_eq!(sent, [(ms(25), json!({"c": 2, "ack": 2}))]);
}

#[test]
fn an_empty_miss_is_never_sent() {
    let mut world = World::new(
        Weather {
            loss: 100,
            ..Weather::default()
        },
        5,
    );
    let id = world.open();
    let mut written = 0;
    for _ in 0..300 {
        written += world.flows[0]
            .write(world.now, id, &content(written, 2000))
            .expect("writes");
        for packet in world.wires[1].under_way.values() {
            let (head, _) = decode(packet);
            assert_ne!(head["miss"], json!([]));
        }
        world.drive(ms(7));
        world.read_all(1, id);
    }
}

#[test]
fn acks_on_consume_follow_the_reader() {
    let mut script = Script::new();
    let id = script.accept(2);
    script
        .flow
        .set_ack_mode(id, AckMode::OnConsume)
        .expect("open");
    script.sends();
    for seq in 2..6 {
        script
            .receive(&json!({"c": 2, "seq": seq}), b"message")
            .expect("content");
    }
    assert_eq!(script.pass(ms(1000)), []);
    script
        .flow
        .read(script.now, id)
        .expect("open")
        .expect("a message");
    script
        .flow
        .read(script.now, id)
        .expect("open")
        .expect("a message");
    assert_eq!(script.heads()[0]["ack"], 3);
    // The end counts once it is read.
    script.gets(&json!({"c": 2, "seq": 6, "end": true}));
    assert_eq!(script.heads(), [] as [Value; 0]);
    while script.flow.read(script.now, id).expect("open").is_some() {}
    assert_eq!(script.heads()[0]["ack"], 6);
}
