//! Whatever an authenticated peer sends: no panic, bounded memory, bounded work.

use serde_json::{Map, Value, json};

use super::{script::*, *};

/// A header with random fields, most of them of the right type.
fn random_header(rng: &mut Rng) -> Value {
    let number = |rng: &mut Rng| match rng.below(6) {
        0 => rng.below(8),
        1 => rng.below(200),
        2 => u64::from(u32::MAX) - rng.below(3),
        3 => u64::from(u32::MAX) + rng.below(3),
        _ => rng.below(3000),
    };
    let mut head = Map::new();
    head.insert(
        "c".into(),
        if rng.chance(950) {
            json!(rng.below(12))
        } else {
            json!(number(rng))
        },
    );
    if rng.chance(100) {
        head.insert("type".into(), json!("stream"));
    }
    if rng.chance(700) {
        head.insert("seq".into(), json!(number(rng)));
    }
    if rng.chance(500) {
        head.insert("ack".into(), json!(number(rng)));
    }
    if rng.chance(300) {
        let misses: Vec<u64> = (0..rng.below(120)).map(|_| rng.below(5)).collect();
        head.insert(
            "miss".into(),
            if rng.chance(900) {
                json!(misses)
            } else {
                json!([number(rng)])
            },
        );
    }
    for flag in ["frag", "end"] {
        if rng.chance(if flag == "end" { 5 } else { 300 }) {
            head.insert(flag.into(), json!(true));
        }
    }
    if rng.chance(5) {
        head.insert("err".into(), json!("bad"));
    }
    if rng.chance(50) {
        head.insert("x".into(), json!({"y": [1, 2, {"z": null}]}));
    }
    Value::Object(head)
}

#[test]
fn twenty_thousand_random_headers_do_no_harm() {
    let config = FlowConfig {
        max_channels: 5,
        link_recv_bytes: 200_000,
        ..FlowConfig::default()
    };
    let mut script = Script::with(config, Order::Odd);
    let mut rng = Rng::new(1);
    let (mut taken, mut most) = (0, 0);
    for n in 0..20_000 {
        let head = random_header(&mut rng);
        let body = alloc::vec![0; rng.below(1000) as usize];
        taken += u32::from(script.receive(&head, &body).is_ok());
        for event in script.events() {
            if let ChannelEvent::Opened { id, .. } = event {
                script.flow.accept(script.now, id).expect("just opened");
            }
        }
        if n % 50 == 0 {
            let _ = script.flow.open(script.now, Open::reliable("stream"));
            for id in (1..12).filter_map(ChannelId::new) {
                let _ = script.flow.write(script.now, id, &[1; 3000]);
            }
        }
        script.sends();
        if n % 10 == 0 {
            script.now += ms(rng.below(300));
            script.flow.handle_timeout(script.now);
        }
        most = most.max(script.flow.held);
        assert!(script.flow.table.iter().count() <= 10);
    }
    assert!(taken > 500, "{taken} packets were good enough");
    assert!(most <= 200_000 + 10 * 20_000, "{most} bytes held");
    script.pass(ms(200_000));
}

#[test]
fn random_bytes_do_no_harm_in_any_compression() {
    let mut rng = Rng::new(2);
    for z in [Compression::None, Compression::Cbor] {
        let mut script = Script::new();
        script.flow.set_compression(z);
        for _ in 0..5000 {
            let bytes: Vec<u8> = (0..rng.below(60)).map(|_| rng.next() as u8).collect();
            let _ = script.flow.handle_packet(script.now, SLOT, &bytes);
        }
        assert!(script.flow.table.iter().count() < 100);
    }
}

#[test]
fn a_reader_that_never_reads_bounds_a_peer_that_ignores_windows() {
    let mut script = Script::new();
    let id = script.accept(2);
    for seq in 2..20_000_u32 {
        let _ = script.receive(&json!({"c": 2, "seq": seq}), &[0; 1000]);
        script.sends();
    }
    let stats = script.flow.channel_stats(id).expect("open");
    assert!(stats.held < 400_000, "{}", stats.held);
    assert!(stats.dropped > 10_000);
}

#[test]
fn a_thousand_channels_that_nobody_reads_stay_within_the_link_limit() {
    let mut script = Script::new();
    for id in 1..=1000_u32 {
        script.accept(id * 2);
    }
    let mut rng = Rng::new(3);
    for seq in 2..200_u32 {
        for id in 1..=1000_u32 {
            let seq = if rng.chance(100) { seq + 20 } else { seq };
            let _ = script.receive(&json!({"c": id * 2, "seq": seq}), &[0; 1400]);
        }
        script.sends();
    }
    let bound = LINK_RECV_BYTES + 1000 * 3000;
    assert!(script.flow.held <= bound, "{}", script.flow.held);
    assert!(
        script.flow.held > LINK_RECV_BYTES / 2,
        "the limit was reached"
    );
    // One that reads after all gets on.
    let (id, mut read) = (ChannelId::new(2).expect("an id"), 0);
    for seq in 2..250 {
        let _ = script.receive(&json!({"c": 2, "seq": seq}), &[0; 1400]);
        while script.flow.read(script.now, id).expect("open").is_some() {
            read += 1;
        }
    }
    assert_eq!(read, 248);
}

#[test]
fn lists_of_misses_cost_no_more_than_their_length() {
    let mut script = Script::new();
    let id = script.open();
    script.gets(&json!({"c": 1, "ack": 1, "miss": [60_000]}));
    script.flow.pipe_opened(
        script.now,
        PipeSlot(1),
        PipeProfile {
            reliable: true,
            ..PipeProfile::default()
        },
    );
    script.flow.pipe_selected(script.now, PipeSlot(1));
    script
        .flow
        .write(script.now, id, &[0; 200_000])
        .expect("writes");
    let sent = script.sends_by(PipeSlot(1)).len();
    // Every packet is listed missing, again and again.
    let misses: Vec<u32> = (0..100).map(|_| 1).collect();
    let mut again = 0;
    for _ in 0..1000 {
        script.gets(&json!({"c": 1, "ack": 1, "miss": misses}));
        again += script.sends_by(PipeSlot(1)).len();
    }
    assert!(again <= sent, "{again} retransmissions within a moment");
    let too_long: Vec<u32> = (0..101).map(|_| 1).collect();
    assert!(
        script
            .receive(&json!({"c": 1, "ack": 1, "miss": too_long}), b"")
            .is_err()
    );
}
