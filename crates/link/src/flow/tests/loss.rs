//! How losses are noticed, and what is retransmitted when.

use serde_json::{Value, json};

use super::{script::*, *};

/// A script in which `messages` packets (seq 2 …) are under way to a peer of ours.
fn under_way(messages: u32) -> (Script, ChannelId) {
    let mut script = Script::new();
    let id = script.open();
    script.gets(&json!({"c": 1, "ack": 1, "miss": [2000]}));
    script.send_messages(id, messages);
    assert_eq!(script.heads().len(), messages as usize);
    (script, id)
}

#[test]
fn a_packet_reported_missing_three_times_is_retransmitted() {
    let (mut script, _) = under_way(9);
    script.now += ms(20);
    for n in 0..3 {
        assert_eq!(seqs(&script.heads()), [] as [u64; 0], "after {n}");
        script.gets(&json!({"c": 1, "ack": 3, "miss": [1, 200]}));
    }
    assert_eq!(seqs(&script.heads()), [4]);
}

#[test]
fn a_packet_reported_missing_once_is_retransmitted_when_it_is_late() {
    let (mut script, _) = under_way(9);
    script.now += ms(20);
    script.gets(&json!({"c": 1, "ack": 3, "miss": [1, 200]}));
    let sent = script.pass(ms(10));
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].1["seq"], 4);
    // 9/8 of the round trip of 20 ms.
    assert!(sent[0].0 >= ms(2) && sent[0].0 <= ms(4), "{sent:?}");
}

#[test]
fn what_others_overtook_by_far_is_lost() {
    let (mut script, _) = under_way(9);
    script.now += ms(20);
    // 4 and 8 are missing, so 5, 6, 7 have arrived.
    script.gets(&json!({"c": 1, "ack": 3, "miss": [1, 4, 200]}));
    assert_eq!(seqs(&script.heads()), [4]);
}

#[test]
fn nothing_is_retransmitted_twice_within_a_round_trip() {
    let (mut script, _) = under_way(20);
    script.now += ms(20);
    let mut sent = Vec::new();
    for _ in 0..15 {
        script.gets(&json!({"c": 1, "ack": 3, "miss": [1, 200]}));
        sent.extend(script.pass(ms(1)));
    }
    assert_eq!(sent.len(), 1, "{sent:?}");
}

#[test]
fn a_retransmission_has_the_same_content() {
    let mut script = Script::new();
    let id = script.open();
    script
        .flow
        .write(script.now, id, &content(0, 5000))
        .expect("writes");
    let first = script.sends();
    script
        .flow
        .write(script.now, id, &content(5000, 3000))
        .expect("writes");
    script.sends();
    let again = script.pass(ms(70));
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0].1["seq"], 2);
    assert_eq!(again[0].1["frag"], first[0].0["frag"]);
    // The second attempt is lost too; the third is looked at.
    script.now += ms(1000);
    script.flow.handle_timeout(script.now);
    assert_eq!(script.sends()[0].1, first[0].1);
}

#[test]
fn the_last_packet_is_retransmitted_on_a_timer_that_backs_off() {
    let (mut script, _) = under_way(1);
    let sent = script.pass(ms(5000));
    let times: Vec<Duration> = sent.iter().map(|(at, _)| *at).collect();
    assert!(times.len() >= 5, "{times:?}");
    let pauses: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for pair in pauses.windows(2) {
        assert!(pair[1] >= pair[0] * 19 / 10, "{pauses:?}");
    }
}

#[test]
fn an_ack_starts_the_timer_anew() {
    let (mut script, _) = under_way(3);
    assert_eq!(script.pass(ms(1000)).len(), 4, "backed off");
    script.gets(&json!({"c": 1, "ack": 2}));
    assert!(!script.pass(ms(150)).is_empty(), "no longer");
}

#[test]
fn a_retransmission_gives_no_round_trip() {
    let (mut script, _) = under_way(1);
    let before = script.flow.rtt(SLOT);
    script.pass(ms(300));
    script.gets(&json!({"c": 1, "ack": 2}));
    assert_eq!(script.flow.rtt(SLOT), before);
    script.send_messages(ChannelId::new(1).expect("an id"), 1);
    script.sends();
    script.now += ms(30);
    script.gets(&json!({"c": 1, "ack": 3}));
    assert_eq!(script.flow.rtt(SLOT).expect("measured").latest, ms(30));
}

#[test]
fn an_open_gives_no_round_trip() {
    let mut script = Script::new();
    let before = script.flow.rtt(SLOT);
    script
        .flow
        .open(script.now, Open::reliable("sock"))
        .expect("opens");
    script.sends();
    script.now += ms(700);
    script.gets(&json!({"c": 1, "ack": 1}));
    assert_eq!(script.flow.rtt(SLOT), before);
}

#[test]
fn a_late_packet_makes_the_pipe_more_patient() {
    let (mut script, id) = under_way(9);
    script.now += ms(20);
    for _ in 0..3 {
        script.gets(&json!({"c": 1, "ack": 3, "miss": [1, 200]}));
    }
    assert_eq!(seqs(&script.heads()), [4]);
    let reduced = script.flow.pipe_stats(SLOT).window;
    // It was only late.
    script.now += ms(1);
    script.gets(&json!({"c": 1, "ack": 10}));
    let stats = script.flow.pipe_stats(SLOT);
    assert_eq!(stats.spurious, 1);
    assert!(stats.window > reduced, "the reduction is undone");
    script.send_messages(id, 9);
    script.sends();
    script.now += ms(20);
    for _ in 0..5 {
        script.gets(&json!({"c": 1, "ack": 12, "miss": [1, 200]}));
    }
    assert_eq!(seqs(&script.heads()), [] as [u64; 0]);
}

#[test]
fn when_the_open_was_lost_the_rest_goes_again_at_once() {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::reliable("stream"))
        .expect("opens");
    script.send_messages(id, 8);
    assert_eq!(script.heads().len(), 9);
    let sent = script.pass(ms(1010));
    assert_eq!(sent.len(), 1, "only the open is tried again: {sent:?}");
    // The peer dropped what belonged to no channel.
    script.now += ms(20);
    script.gets(&json!({"c": 1, "ack": 1, "miss": [128]}));
    let again = seqs(&script.heads());
    assert!(again.starts_with(&[2, 3, 4]), "{again:?}");
}

#[test]
fn acks_of_what_was_never_sent_are_ignored() {
    let (mut script, _) = under_way(3);
    let before = script.flow.pipe_stats(SLOT).acked;
    let result = script.receive(&json!({"c": 1, "ack": 5}), b"");
    assert!(matches!(result, Err(PacketError::AckBeyondSent(_))));
    assert_eq!(script.flow.pipe_stats(SLOT).acked, before);
    script.gets(&json!({"c": 1, "ack": 4}));
    assert!(script.flow.pipe_stats(SLOT).acked > before);
}

#[test]
fn old_acks_are_ignored() {
    let (mut script, _) = under_way(9);
    script.now += ms(20);
    script.gets(&json!({"c": 1, "ack": 9}));
    for _ in 0..9 {
        script.gets(&json!({"c": 1, "ack": 3, "miss": [1, 1, 1, 1, 0]}));
    }
    assert_eq!(seqs(&script.heads()), [] as [u64; 0]);
}

#[test]
fn a_list_of_what_was_never_sent_is_no_work() {
    let (mut script, _) = under_way(3);
    script.now += ms(30);
    let misses: Vec<Value> = (0..100).map(|_| json!(40_000_000)).collect();
    script.gets(&json!({"c": 1, "ack": 1, "miss": misses}));
    let misses: Vec<Value> = (0..100).map(|_| json!(0)).collect();
    script.gets(&json!({"c": 1, "ack": 1, "miss": misses}));
    assert!(script.heads().len() <= 3);
}

#[test]
fn losses_shrink_the_window_once() {
    let (mut script, _) = under_way(9);
    let before = script.flow.pipe_stats(SLOT).window;
    script.now += ms(30);
    script.gets(&json!({"c": 1, "ack": 1, "miss": [1, 1, 1, 1, 200]}));
    let after = script.flow.pipe_stats(SLOT).window;
    assert_eq!(after, before * 7 / 10);
}
