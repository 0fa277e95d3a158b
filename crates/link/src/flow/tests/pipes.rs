//! Several pipes: moving between them, losing them, pinning packets to them.

use serde_json::json;

use super::{script::*, *};

const OTHER: PipeSlot = PipeSlot(3);

fn with_two_pipes() -> Script {
    let mut script = Script::new();
    script
        .flow
        .pipe_opened(script.now, OTHER, PipeProfile::default());
    script
}

#[test]
fn only_the_selected_pipe_sends() {
    let mut script = with_two_pipes();
    let id = script.open();
    script.flow.write(script.now, id, b"data").expect("writes");
    assert_eq!(script.sends_by(OTHER), []);
    script.flow.pipe_selected(script.now, OTHER);
    assert_eq!(script.sends(), []);
    assert_eq!(script.sends_by(OTHER).len(), 1);
}

#[test]
fn pinned_packets_take_their_pipe_and_no_other() {
    let mut script = with_two_pipes();
    script.gets(&json!({"type": "path", "c": 2}));
    let id = ChannelId::new(2).expect("an id");
    script.flow.accept(script.now, id).expect("accepts");
    script
        .flow
        .send(script.now, id, Packet::default().pipe(OTHER))
        .expect("sends");
    script
        .flow
        .send(script.now, id, Packet::default().pipe(SLOT))
        .expect("sends");
    assert!(script.flow.has_pinned() && script.flow.has_pending());
    assert_eq!((script.sends().len(), script.sends_by(OTHER).len()), (1, 1));
    assert!(!script.flow.has_pinned());
    let ping = script
        .flow
        .open(script.now, Open::unreliable("path").pipe(OTHER))
        .expect("opens");
    assert_eq!(script.sends(), []);
    assert_eq!(
        script.sends_by(OTHER)[0].0,
        json!({"type": "path", "c": ping.get()})
    );
}

#[test]
fn received_packets_tell_their_pipe() {
    let mut script = with_two_pipes();
    script.gets(&json!({"type": "path", "c": 2}));
    script
        .flow
        .handle_packet(script.now, OTHER, &encode(&json!({"c": 2}), b""))
        .expect("content");
    let id = ChannelId::new(2).expect("an id");
    let packet = script
        .flow
        .read(script.now, id)
        .expect("open")
        .expect("a packet");
    assert_eq!(packet.pipe, Some(OTHER));
}

#[test]
fn reliable_channels_cannot_be_pinned() {
    let mut script = with_two_pipes();
    let pinned = script
        .flow
        .open(script.now, Open::reliable("stream").pipe(OTHER));
    assert_eq!(pinned, Err(OpenError::Pinned));
    let nowhere = script
        .flow
        .open(script.now, Open::unreliable("path").pipe(PipeSlot(9)));
    assert_eq!(nowhere, Err(OpenError::NoSuchPipe));
    let id = script.open();
    let pinned = script
        .flow
        .send(script.now, id, Packet::default().pipe(OTHER));
    assert_eq!(pinned, Err(SendError::Pinned));
}

#[test]
fn what_was_under_way_on_a_lost_pipe_goes_by_the_next() {
    let mut script = with_two_pipes();
    let id = script.open();
    script
        .flow
        .write(script.now, id, &content(0, 5000))
        .expect("writes");
    let sent = script.sends();
    script.flow.pipe_closed(script.now, SLOT);
    assert_eq!(script.pass(ms(100)), []);
    script.flow.pipe_selected(script.now, OTHER);
    let again = script.sends_by(OTHER);
    assert_eq!(again.len(), sent.len());
    for ((_, before), (_, after)) in sent.iter().zip(&again) {
        assert_eq!(before, after);
    }
    assert_eq!(
        script.flow.pipe_stats(OTHER).lost,
        0,
        "no fault of the new pipe"
    );
}

#[test]
fn a_smaller_pipe_still_carries_what_was_cut_for_a_larger_one() {
    let mut script = with_two_pipes();
    let id = script.open();
    script
        .flow
        .write(script.now, id, &content(0, 5000))
        .expect("writes");
    let sent = script.sends();
    assert!(sent.len() >= 4);
    script.flow.pipe_closed(script.now, SLOT);
    script.flow.pipe_selected(script.now, OTHER);
    let mut out = Vec::new();
    let oversize = script
        .flow
        .poll_packet(script.now, OTHER, 500, &mut out)
        .expect("sends");
    assert!(oversize.len > 500 && oversize.len <= MAX_PLAIN);
    assert_eq!(decode(&out).1, sent[0].1, "not cut again");
}

#[test]
fn a_move_forgets_what_was_learnt_of_the_pipe() {
    let mut script = with_two_pipes();
    let id = script.open();
    script.send_messages(id, 5);
    script.sends();
    script.now += ms(50);
    script.gets(&json!({"c": 1, "ack": 6}));
    assert_eq!(script.flow.rtt(SLOT).expect("measured").latest, ms(50));
    script.flow.pipe_selected(script.now, OTHER);
    script.flow.pipe_selected(script.now, SLOT);
    assert_eq!(
        script.flow.rtt(SLOT).expect("the first measurement").latest,
        ms(20)
    );
    script.flow.pipe_selected(script.now, OTHER);
    assert_eq!(script.flow.rtt(OTHER), None);
}

#[test]
fn acks_credit_the_pipe_that_carried_the_packet() {
    let mut script = with_two_pipes();
    let id = script.open();
    script.send_messages(id, 5);
    script.sends();
    script.flow.pipe_selected(script.now, OTHER);
    script.now += ms(35);
    let before = script.flow.pipe_stats(SLOT);
    let ack = encode(&json!({"c": 1, "ack": 6}), b"");
    script
        .flow
        .handle_packet(script.now, OTHER, &ack)
        .expect("an ack");
    let after = script.flow.pipe_stats(SLOT);
    assert!(before.in_flight > 0 && after.in_flight == 0);
    assert!(after.acked > before.acked);
    assert_eq!(script.flow.rtt(SLOT).expect("measured").latest, ms(35));
    assert_eq!(script.flow.pipe_stats(OTHER).acked, 0);
}

#[test]
fn a_pipe_that_takes_the_place_of_another_inherits_nothing() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::reliable("stream"))
        .expect("opens");
    script.sends();
    script.flow.pipe_closed(script.now, SLOT);
    script
        .flow
        .pipe_opened(script.now, SLOT, PipeProfile::default());
    script.flow.pipe_selected(script.now, SLOT);
    let other = script
        .flow
        .open(script.now, Open::reliable("stream"))
        .expect("opens");
    script.sends();
    script.gets(&json!({"c": other.get(), "ack": 1}));
    script.send_messages(other, 3);
    script.sends();
    let in_flight = script.flow.pipe_stats(SLOT).in_flight;
    // The open left by the pipe that was there before.
    script.gets(&json!({"c": id.get(), "ack": 1}));
    assert_eq!(script.flow.pipe_stats(SLOT).in_flight, in_flight);
}

#[test]
fn our_congestion_control_stands_back_where_the_pipe_has_its_own() {
    for (reliable, own) in [(true, false), (false, true)] {
        let mut script = Script::new();
        let profile = PipeProfile {
            reliable,
            own_congestion_control: own,
            ..PipeProfile::default()
        };
        script.flow.pipe_opened(script.now, OTHER, profile);
        script.flow.pipe_selected(script.now, OTHER);
        let id = script
            .flow
            .open(script.now, Open::reliable("stream"))
            .expect("opens");
        script.sends_by(OTHER);
        script.gets(&json!({"c": 1, "ack": 1, "miss": [2000]}));
        script
            .flow
            .write(script.now, id, &content(0, 200_000))
            .expect("writes");
        let sent = script.sends_by(OTHER);
        assert_eq!(
            sent.iter().map(|(_, body)| body.len()).sum::<usize>(),
            200_000
        );
        assert_eq!(script.flow.pipe_stats(OTHER).pacing_rate, None);
    }
}

#[test]
fn a_reliable_pipe_is_hardly_ever_probed() {
    let mut script = Script::new();
    let profile = PipeProfile {
        reliable: true,
        ..PipeProfile::default()
    };
    script.flow.pipe_opened(script.now, OTHER, profile);
    script.flow.pipe_selected(script.now, OTHER);
    let id = script
        .flow
        .open(script.now, Open::reliable("stream"))
        .expect("opens");
    script.sends_by(OTHER);
    script.gets(&json!({"c": 1, "ack": 1}));
    script.flow.write(script.now, id, b"data").expect("writes");
    assert_eq!(script.sends_by(OTHER).len(), 1);
    let mut repeated = Vec::new();
    for _ in 0..20 {
        script.now += ms(500);
        script.flow.handle_timeout(script.now);
        repeated.extend(script.sends_by(OTHER));
    }
    assert!((1..=3).contains(&repeated.len()), "{repeated:?}");
}

#[test]
fn a_transfer_survives_its_pipes() {
    let mut world = World::new(Weather::default(), 9);
    let id = world.open();
    let (mut written, mut read, total) = (0, 0, 1_000_000);
    let mut moves = 0;
    while read < total {
        let data = content(written, (total - written).min(10_000));
        written += world.flows[0].write(world.now, id, &data).expect("writes");
        for byte in world.read_all(1, id) {
            assert_eq!(byte, pattern(read));
            read += 1;
        }
        world.drive(ms(10));
        if read / 100_000 > moves {
            moves += 1;
            world.wires[0].under_way.clear();
            world.flows[0].pipe_closed(world.now, SLOT);
            world.drive(ms(10));
            world.flows[0].pipe_opened(world.now, SLOT, PipeProfile::default());
            world.flows[0].pipe_selected(world.now, SLOT);
        }
        assert!(world.steps < 100_000);
    }
    assert!(moves >= 9);
}
