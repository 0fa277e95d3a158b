//! Traffic moves between the pipes of a link, and fits its packets to the path.

mod scene;

use std::time::Duration;

use scene::{BYTES, Direction, Scene, TCP, UDP};
use telehash_link::{PROVEN_DATAGRAM, STREAM_PACKET};
use telehash_netsim::{Loss, Packet, Verdict};

const SECOND: Duration = Duration::from_secs(1);

/// What a stall may last.
const STALL: Duration = Duration::from_secs(2);

fn survives_a_cut(seed: u64, cut: Direction) {
    let mut scene = Scene::streaming(seed);
    scene.run_until_received(BYTES / 10);
    assert_eq!(
        scene.active(),
        [UDP, UDP],
        "seed {seed}: the better kind of pipe"
    );
    scene.cut(cut);
    let stall = scene.finish();
    assert!(
        stall < STALL,
        "seed {seed}, {cut:?}: nothing came for {stall:?}"
    );
}

#[test]
fn a_stream_goes_on_by_another_pipe_when_its_own_is_cut() {
    (0..5).for_each(|seed| survives_a_cut(seed, Direction::Both));
}

#[test]
fn a_stream_goes_on_when_only_its_data_is_cut_off() {
    (0..5).for_each(|seed| survives_a_cut(seed, Direction::There));
}

#[test]
fn a_stream_goes_on_when_only_its_acks_are_cut_off() {
    (0..5).for_each(|seed| survives_a_cut(seed, Direction::Back));
}

#[test]
#[ignore = "long: many seeds of the three above, and of a shrinking path"]
fn long_streams_go_on_whatever_is_cut() {
    for seed in 5..200 {
        for cut in [Direction::Both, Direction::There, Direction::Back] {
            survives_a_cut(seed, cut);
        }
        survives_a_shrinking_path(seed);
    }
}

#[test]
fn traffic_returns_to_the_better_pipe_when_it_works_again() {
    let mut scene = Scene::streaming(1);
    scene.run_until_received(BYTES / 10);
    scene.cut(Direction::Both);
    scene.run_until_received(BYTES / 5);
    let fled = scene.world.drive(SECOND, |world| {
        scene::active(world, scene.ends) == [TCP, TCP]
    });
    assert!(fled, "still {:?}", scene.active());
    scene.mend();
    let back = scene.world.drive(SECOND * 10, |world| {
        scene::active(world, scene.ends) == [UDP, UDP]
    });
    assert!(back, "still {:?}", scene.active());
    assert!(scene.finish() < STALL);
}

#[test]
fn traffic_moves_to_a_better_pipe_that_begins_to_work() {
    let mut scene = Scene::by_tcp_alone(7);
    scene.endless();
    scene.world.run(SECOND * 20);
    assert_eq!(scene.active(), [TCP, TCP]);
    scene.mend();
    let moved = scene.world.drive(SECOND * 40, |world| {
        scene::active(world, scene.ends) == [UDP, UDP]
    });
    assert!(moved, "still {:?}", scene.active());
}

/// All of them had been declared lost at once, and then some a second time, which were sent again
/// last: whatever else arrived let the peer acknowledge nothing.
#[test]
fn what_was_cut_for_a_byte_stream_goes_on_by_udp_in_fragments() {
    for seed in 0..5 {
        let mut scene = Scene::by_tcp_alone(seed);
        let largest = scene.narrow(1252);
        scene.mend();
        scene.cut_standby();
        let stall = scene.finish();
        let [udp, tcp] = *largest.lock().unwrap();
        assert_eq!(tcp, STREAM_PACKET, "seed {seed}");
        assert!(udp >= STREAM_PACKET, "seed {seed}: nothing was under way");
        assert_eq!(scene.active(), [UDP, UDP]);
        assert!(stall < STALL, "seed {seed}: nothing came for {stall:?}");
    }
}

#[test]
fn packets_stay_small_while_traffic_may_go_back_to_a_datagram_pipe() {
    let mut scene = Scene::streaming(4);
    let largest = scene.narrow(1452);
    scene.run_until_received(BYTES / 10);
    scene.cut(Direction::Both);
    scene.finish();
    assert_eq!(scene.active(), [TCP, TCP]);
    let [_, tcp] = *largest.lock().unwrap();
    assert!(tcp <= 1452, "{tcp}");
}

#[test]
fn packets_for_a_byte_stream_are_no_larger_where_nothing_is_fragmented() {
    let mut scene = Scene::by_tcp_without_fragments(3);
    let largest = scene.narrow(1252);
    scene.finish();
    assert_eq!(largest.lock().unwrap()[usize::from(TCP)], PROVEN_DATAGRAM);
}

#[test]
fn a_pipe_that_comes_and_goes_is_used_less_and_less() {
    let mut scene = Scene::streaming(2);
    scene.endless();
    let mut moves = Vec::new();
    for _ in 0..2 {
        let before = scene.moves();
        for _ in 0..30 {
            scene.mend();
            scene.world.run(SECOND);
            scene.cut(Direction::Both);
            scene.world.run(SECOND);
        }
        moves.push(scene.moves() - before);
    }
    assert!(
        moves[1] * 2 < moves[0],
        "moves in one minute and the next: {moves:?}"
    );
}

#[test]
fn loss_alone_breaks_no_stream() {
    for seed in 0..3 {
        let mut scene = Scene::streaming(seed);
        scene.lose(Loss::Random(0.1));
        scene.finish();
    }
}

#[test]
fn a_standby_pipe_that_is_dead_as_well_takes_nothing_over() {
    let mut scene = Scene::streaming(3);
    scene.run_until_received(BYTES / 10);
    scene.cut_standby();
    scene.cut(Direction::Both);
    scene.world.run(SECOND * 3);
    assert_eq!(scene.active(), [UDP, UDP]);
    scene.mend();
    scene.finish();
}

/// A path that carries packets up to this size, larger ones only in fragments.
fn carries(size: usize) -> impl FnMut(&mut Packet) -> Verdict + Send + 'static {
    move |packet| match packet.bytes.len() > size && !packet.fragment {
        true => Verdict::Lose,
        false => Verdict::Pass,
    }
}

#[test]
fn packets_become_as_large_as_the_path_carries() {
    for (path, found) in [
        (1200, 1200),
        (1299, 1200),
        (1300, 1300),
        (1400, 1400),
        (8951, 1452),
        (9000, 8952),
    ] {
        let mut scene = Scene::on_a_path(4, carries(path));
        scene.duplex();
        scene.world.run(SECOND * 3);
        assert_eq!(
            scene.packet_sizes(),
            [found, found],
            "a path of {path} bytes"
        );
    }
}

#[test]
fn only_who_fills_packets_asks_for_larger_ones() {
    let mut scene = Scene::on_a_path(4, carries(1452));
    scene.endless();
    scene.world.run(SECOND * 3);
    assert_eq!(scene.packet_sizes(), [1452, 1200]);
}

fn survives_a_shrinking_path(seed: u64) {
    let mut scene = Scene::without_standby(seed);
    scene.run_until_received(BYTES / 4);
    assert_eq!(scene.packet_sizes()[0], 1452, "seed {seed}");
    scene.world.network().add_filter(carries(1252));
    let stall = scene.finish();
    assert_eq!(scene.packet_sizes()[0], 1200, "seed {seed}");
    assert!(stall < STALL, "seed {seed}: nothing came for {stall:?}");
}

#[test]
fn packets_become_smaller_when_the_path_does() {
    (0..5).for_each(survives_a_shrinking_path);
}

#[test]
fn a_fast_path_that_becomes_smaller_with_much_under_way_is_no_long_stall() {
    for seed in 0..3 {
        let mut scene = Scene::nearby(seed);
        scene.duplex();
        scene.run_until_received(BYTES / 2);
        assert_eq!(scene.packet_sizes()[0], 1452, "seed {seed}");
        scene.world.network().add_filter(carries(1252));
        let stall = scene.finish();
        assert!(stall < STALL, "seed {seed}: nothing came for {stall:?}");
    }
}

#[test]
fn a_reader_that_pauses_costs_neither_packet_size_nor_pipe() {
    let mut scene = Scene::streaming(5);
    scene.run_until_received(BYTES / 10);
    let size = scene.packet_sizes();
    scene.pause_reader(SECOND * 10);
    scene.world.run(SECOND * 9);
    assert_eq!((scene.active(), scene.packet_sizes()), ([UDP, UDP], size));
    scene.finish();
}
