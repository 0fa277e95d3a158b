//! Two links and their path agents, without sockets or clocks.

mod world;

use std::time::Duration;

use serde_json::{Value, json};
use telehash_channel_path::limits::{MAX_CHECKS, MAX_OFFERED_PATHS, MAX_QUESTIONS, ROUND_INTERVAL};
use telehash_channel_path::{PathConfig, PathEvent, Share};
use telehash_hashname::Path;
use telehash_link::{ChannelEvent, Open, OpenError};

use self::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn dials(events: &[PathEvent]) -> Vec<Path> {
    let dial = |event: &PathEvent| match event {
        PathEvent::Dial(path) => Some(path.clone()),
        _ => None,
    };
    events.iter().filter_map(dial).collect()
}

fn udp(address: &str) -> Path {
    Path::udp(address.parse().unwrap())
}

fn paths(paths: &[Path]) -> Value {
    json!({ "paths": paths.iter().map(Path::to_json).collect::<Vec<_>>() })
}

#[test]
fn each_end_learns_how_the_other_sees_it() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND);
    for (side, address) in [(0, "192.0.2.1:1"), (1, "192.0.2.2:2")] {
        let seen = world.events[side]
            .iter()
            .any(|event| matches!(event, PathEvent::SeenAs { path, .. } if *path == udp(address)));
        assert!(seen, "{:?}", world.events[side]);
    }
}

/// A handshake, a round with its answer, and what proves the pipe, each way.
#[test]
fn a_link_comes_up_with_few_packets() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 4);
    let sent = ["192.0.2.1:1", "192.0.2.2:2"].map(|to| world.sent_to(to));
    assert_eq!(sent, [3, 3]);
}

#[test]
fn a_path_that_the_peer_offers_is_probed_and_proven_at_both_ends() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2", "198.51.100.2:2"]);
    world.run(SECOND * 5);
    assert_eq!(dials(&world.events[0]), [udp("198.51.100.2:2")]);
    for side in 0..2 {
        let pipes: Vec<_> = world.link(side).pipes().collect();
        assert_eq!(pipes.len(), 2, "{pipes:?}");
        assert!(
            pipes
                .iter()
                .all(|pipe| pipe.validated && pipe.rtt.is_some()),
            "{pipes:?}"
        );
    }
}

#[test]
fn an_offered_path_where_nobody_answers_is_checked_a_few_times_and_left_alone() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 2);
    let before = world.sent_to("203.0.113.9:9");
    world.offer(1, &paths(&[udp("203.0.113.9:9")]));
    world.run(SECOND * 60);
    let probes = world.sent_to("203.0.113.9:9") - before;
    // Our answer goes there, too.
    assert_eq!(probes, 1 + usize::from(MAX_CHECKS));
    let pipes: Vec<_> = world.link(0).pipes().collect();
    assert!(
        pipes.iter().all(|pipe| !pipe.active || pipe.validated),
        "{pipes:?}"
    );
}

#[test]
fn a_peer_cannot_aim_us_at_our_own_machine_or_at_groups() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 2);
    world.events[0].clear();
    let honest = udp("198.51.100.7:7");
    let offers = [
        "127.0.0.1:53",
        "239.42.42.42:42424",
        "0.0.0.0:1",
        "[::1]:22",
        "255.255.255.255:9",
    ];
    let mut offered: Vec<Path> = offers.map(udp).into();
    offered.push(honest.clone());
    offered.push(Path::http("http://192.0.2.80/"));
    world.offer(1, &paths(&offered));
    world.run(SECOND);
    assert_eq!(dials(&world.events[0]), [honest]);
}

#[test]
fn a_peer_cannot_vouch_for_an_address_from_another() {
    let victim = "203.0.113.9:9";
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 2);
    // Instead of guessing channel ids, the peer reads what goes to the victim.
    world.overhears(1, victim);
    world.offer(1, &paths(&[udp(victim)]));
    world.run(SECOND * 10);
    let pipes: Vec<_> = world.link(0).pipes().collect();
    let there = pipes.iter().find(|pipe| world.path(pipe.id) == udp(victim));
    assert!(there.is_some_and(|pipe| !pipe.validated), "{pipes:?}");
    assert!(world.sent_to(victim) <= 2 + usize::from(MAX_CHECKS));
}

#[test]
fn a_peer_on_this_machine_may_offer_addresses_of_it() {
    let mut world = World::linked(&["127.0.0.1:1"], &["127.0.0.1:2"]);
    world.run(SECOND * 2);
    world.events[0].clear();
    world.offer(1, &paths(&[udp("127.0.0.1:3")]));
    world.run(SECOND);
    assert_eq!(dials(&world.events[0]), [udp("127.0.0.1:3")]);
}

#[test]
fn more_offers_than_the_limit_and_more_often_than_once_a_second_are_ignored() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 2);
    world.events[0].clear();
    // As many as fit one packet.
    const TOLD: usize = 12;
    let offer = |from: usize| {
        let path = |port| udp(&format!("203.0.113.1:{port}"));
        paths(&(from..from + TOLD).map(path).collect::<Vec<_>>())
    };
    for round in 1..=10 {
        world.offer(1, &offer(1000 * round));
    }
    world.run(SECOND * 2);
    assert_eq!(
        dials(&world.events[0]).len(),
        TOLD,
        "one round of offers a second"
    );
    world.offer(1, &offer(30_000));
    world.run(SECOND * 10);
    assert_eq!(dials(&world.events[0]).len(), MAX_OFFERED_PATHS);
}

#[test]
fn more_paths_of_our_own_than_fit_a_packet_are_cut_to_those_that_do() {
    let many: Vec<String> = (1..=60)
        .map(|host| format!("[2001:db8::{host:x}]:42424"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut world = World::linked(&["192.0.2.1:1"], &many);
    world.run(SECOND * 3);
    let offered = dials(&world.events[0]);
    assert!(offered.len() > 5, "{offered:?}");
    assert!(offered.contains(&udp("[2001:db8::2]:42424")));
}

#[test]
fn a_ping_is_answered_on_every_pipe_and_ends() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2", "198.51.100.2:2"]);
    world.run(SECOND * 5);
    world.events[0].clear();
    let ping = world.ping(0, SECOND).unwrap();
    world.run(SECOND * 2);
    let pongs = world.events[0].iter().filter(|event| {
        matches!(event, PathEvent::Pong { ping: of, rtt, .. }
            if *of == ping && *rtt > Duration::ZERO)
    });
    assert_eq!(pongs.count(), 2, "{:?}", world.events[0]);
    assert_eq!(world.events[0].last(), Some(&PathEvent::PingOver(ping)));
}

#[test]
fn of_the_answers_to_a_ping_one_a_pipe_counts() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 20);
    world.events[0].clear();
    world.ping(0, SECOND).unwrap();
    let before = world.packets;
    for _ in 0..10 {
        world.run(SECOND / 100);
        world.answers_again(1);
    }
    world.run(SECOND);
    assert!(world.packets - before > 10, "the peer did answer again");
    let pongs = world.events[0]
        .iter()
        .filter(|event| matches!(event, PathEvent::Pong { .. }));
    assert_eq!(pongs.count(), 1);
}

#[test]
fn more_questions_than_the_limit_are_an_error_until_some_are_over() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 10);
    for _ in 0..MAX_QUESTIONS {
        world.ping(0, SECOND).unwrap();
    }
    assert!(matches!(
        world.ping(0, SECOND),
        Err(OpenError::TooMany {
            limit: MAX_QUESTIONS
        })
    ));
    world.run(SECOND * 2);
    world.ping(0, SECOND).unwrap();
}

#[test]
fn traffic_follows_a_peer_that_roams_once_a_round_trip_proved_the_new_address() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 10);
    world.moves(0, "198.51.100.1:9");
    // It says something from there; the other end checks before it answers there.
    world.ping(0, SECOND).unwrap();
    world.run(SECOND * 3);
    let pipes: Vec<_> = world.link(1).pipes().collect();
    let active = pipes.iter().find(|pipe| pipe.active).unwrap();
    assert!(active.validated);
    assert_eq!(world.path(active.id), udp("198.51.100.1:9"), "{pipes:?}");
}

#[test]
fn a_reliable_path_channel_is_refused() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 2);
    let id = world.open(1, Open::reliable("path"));
    world.run(SECOND);
    let failed = world.channel_events[1]
        .iter()
        .any(|event| matches!(event, ChannelEvent::Failed { id: failed, .. } if *failed == id));
    assert!(failed, "{:?}", world.channel_events[1]);
}

#[test]
fn path_channels_leave_nothing_behind() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2", "198.51.100.2:2"]);
    for _ in 0..20 {
        world.ping(0, SECOND).unwrap();
        world.run(SECOND);
    }
    world.run(SECOND * 60);
    for side in 0..2 {
        assert_eq!(world.link(side).stats().channels, 0);
    }
    assert_eq!(
        world.channel_events,
        [vec![], vec![]],
        "nobody else hears of them"
    );
}

#[test]
fn rounds_are_a_second_apart_however_often_they_are_asked_for() {
    let mut world = World::linked(&["192.0.2.1:1"], &["192.0.2.2:2"]);
    world.run(SECOND * 10);
    let before = world.packets;
    for _ in 0..50 {
        world.announce(0);
        world.run(ROUND_INTERVAL / 10);
    }
    world.run(ROUND_INTERVAL * 2);
    let packets = world.packets - before;
    // Five seconds: six rounds of an open, an answer, and an end each way after a while.
    assert!(packets <= 6 * 4, "{packets}");
}

#[test]
fn what_is_private_is_told_only_if_configured() {
    for (share, told) in [(Share::All, 1), (Share::Global, 0), (Share::Nothing, 0)] {
        let mut config = PathConfig::default();
        config.share = share;
        let mut world =
            World::linked_with(config, &["192.0.2.1:1"], &["192.0.2.2:2", "10.0.0.2:2"]);
        world.run(SECOND * 3);
        assert_eq!(dials(&world.events[0]).len(), told, "{share:?}");
    }
}

#[test]
fn loopback_paths_are_probed_for_a_peer_elsewhere_only_if_that_is_configured() {
    for (configured, expected) in [(false, 0), (true, 1)] {
        let mut config = PathConfig::default();
        config.loopback = configured;
        let mut world = World::linked_with(config, &["192.0.2.1:1"], &["192.0.2.2:2"]);
        world.run(SECOND * 2);
        world.offer(1, &paths(&[udp("127.0.0.1:53")]));
        world.run(SECOND);
        assert_eq!(dials(&world.events[0]).len(), expected, "{configured}");
    }
}
