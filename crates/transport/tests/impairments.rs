//! Every distribution of the network model, over seeds.

use std::time::Duration;

use telehash_transport::impair::{
    Arrival, Conditions, Counters, Fate, Lane, Lanes, Loss, LostTo, Queue,
};

const SEEDS: u8 = 20;
const PACKETS: u64 = 10_000;
const MS: Duration = Duration::from_millis(1);

fn lane(seed: u8, conditions: Conditions) -> Lane {
    Lane::new([seed; 32], conditions)
}

/// Sends `packets` packets of `len` bytes, one a millisecond.
fn send(lane: &mut Lane, packets: u64, len: usize) -> Vec<Fate> {
    let mut packet = vec![0; len];
    (0..packets)
        .map(|n| lane.pass(Duration::from_millis(n), &mut packet))
        .collect()
}

fn arrivals(fates: &[Fate]) -> Vec<Arrival> {
    let arrives = |fate: &Fate| match *fate {
        Fate::Arrives(arrival) => Some(arrival),
        Fate::Lost(_) => None,
    };
    fates.iter().filter_map(arrives).collect()
}

fn times(fates: &[Fate]) -> Vec<Duration> {
    arrivals(fates).iter().map(|arrival| arrival.at).collect()
}

fn assert_close(actual: u64, expected: f64, tolerance: f64) {
    let off = (actual as f64 - expected).abs() / expected;
    assert!(
        off <= tolerance,
        "{actual} is not within {tolerance} of {expected}"
    );
}

#[test]
fn a_perfect_lane_delivers_everything_at_once_and_unchanged() {
    let mut lane = lane(1, Conditions::perfect());
    let mut packet = *b"packet";
    for n in 0..100 {
        let now = n * MS;
        let arrival = Arrival {
            at: now,
            duplicated: false,
            reordered: false,
            corrupted: false,
        };
        assert_eq!(lane.pass(now, &mut packet), Fate::Arrives(arrival));
    }
    assert_eq!(&packet, b"packet");
}

#[test]
fn random_loss_has_its_rate() {
    for seed in 0..SEEDS {
        for rate in [0.01, 0.05, 0.2, 0.5] {
            let mut lane = lane(seed, Conditions::perfect().with_loss(Loss::Random(rate)));
            send(&mut lane, PACKETS, 100);
            let counters = lane.counters();
            assert_close(counters.lost, rate * PACKETS as f64, 0.35);
            assert_eq!(counters.lost + counters.arriving, PACKETS);
        }
    }
}

#[test]
fn random_loss_is_independent_from_packet_to_packet() {
    for seed in 0..SEEDS {
        let mut lane = lane(seed, Conditions::perfect().with_loss(Loss::Random(0.2)));
        let lost = send(&mut lane, PACKETS, 100);
        let after_loss = lost.windows(2).filter(|pair| is_lost(pair[0])).count();
        let both = lost
            .windows(2)
            .filter(|p| is_lost(p[0]) && is_lost(p[1]))
            .count();
        assert_close(both as u64, after_loss as f64 * 0.2, 0.2);
    }
}

#[test]
fn bursty_loss_has_its_rate_and_its_burst_length() {
    for seed in 0..SEEDS {
        let mut lane = lane(
            seed,
            Conditions::perfect().with_loss(Loss::bursts(0.1, 5.0)),
        );
        let fates = send(&mut lane, 10 * PACKETS, 100);
        let begins = |pair: &&[Fate]| !is_lost(pair[0]) && is_lost(pair[1]);
        let bursts = fates.windows(2).filter(begins).count();
        let lost = lane.counters().lost;
        assert_close(lost, 0.1 * 10.0 * PACKETS as f64, 0.15);
        assert_close(lost, bursts as f64 * 5.0, 0.15);
    }
}

#[test]
fn packets_within_a_burst_survive_as_often_as_told() {
    for seed in 0..SEEDS {
        let loss = Loss::Bursty {
            enter: 1.0,
            exit: 0.0,
            inside: 0.3,
        };
        let mut lane = lane(seed, Conditions::perfect().with_loss(loss));
        send(&mut lane, PACKETS, 100);
        assert_close(lane.counters().lost, 0.3 * PACKETS as f64, 0.1);
    }
}

#[test]
fn periodic_loss_takes_every_nth() {
    let mut lane = lane(1, Conditions::perfect().with_loss(Loss::Periodic(3)));
    let fates = send(&mut lane, 7, 100);
    let lost: Vec<_> = fates.into_iter().map(is_lost).collect();
    assert_eq!(lost, [false, false, true, false, false, true, false]);
}

#[test]
fn losses_add_up_and_each_sees_every_packet() {
    let both = Conditions::perfect()
        .with_loss(Loss::Periodic(2))
        .with_loss(Loss::Periodic(3));
    let mut lane = lane(1, both);
    let fates = send(&mut lane, 6, 100);
    let lost: Vec<_> = fates.into_iter().map(is_lost).collect();
    assert_eq!(lost, [false, true, true, true, false, true]);
}

#[test]
fn certain_loss_loses_everything_and_no_loss_nothing() {
    for (probability, expected) in [(1.0, 100), (0.0, 0), (7.0, 100), (-1.0, 0)] {
        let mut lane = lane(
            1,
            Conditions::perfect().with_loss(Loss::Random(probability)),
        );
        send(&mut lane, 100, 10);
        assert_eq!(lane.counters().lost, expected, "{probability}");
    }
}

#[test]
fn delay_is_exact() {
    let mut lane = lane(1, Conditions::perfect().with_delay(30 * MS));
    let fates = send(&mut lane, 100, 100);
    assert_eq!(
        times(&fates),
        (0..100).map(|n| (30 + n) * MS).collect::<Vec<_>>()
    );
}

#[test]
fn jitter_stays_within_bounds_and_keeps_order() {
    for seed in 0..SEEDS {
        let conditions = Conditions::perfect()
            .with_delay(30 * MS)
            .with_jitter(20 * MS);
        let fates = send(&mut lane(seed, conditions), PACKETS, 100);
        let times = times(&fates);
        assert!(times.is_sorted());
        let delays = times
            .iter()
            .enumerate()
            .map(|(n, &time)| time - n as u32 * MS);
        let (shortest, longest) = (delays.clone().min().unwrap(), delays.max().unwrap());
        assert!(
            shortest >= 30 * MS && longest <= 50 * MS,
            "{shortest:?} {longest:?}"
        );
        assert!(longest > 45 * MS, "{longest:?}");
    }
}

#[test]
fn jitter_alone_is_even() {
    for seed in 0..SEEDS {
        // Packets far apart: none waits for another.
        let mut lane = lane(seed, Conditions::perfect().with_jitter(20 * MS));
        let late = (0..PACKETS as u32).filter(|&n| {
            let now = n * Duration::from_secs(1);
            let Fate::Arrives(arrival) = lane.pass(now, &mut [0]) else {
                panic!("lost")
            };
            arrival.at - now >= 15 * MS
        });
        assert_close(late.count() as u64, 0.25 * PACKETS as f64, 0.1);
    }
}

#[test]
fn reordered_packets_fall_behind_by_the_extra_delay_and_no_others_do() {
    for seed in 0..SEEDS {
        let conditions = Conditions::perfect()
            .with_delay(10 * MS)
            .with_reordering(0.1, 5 * MS);
        let mut lane = lane(seed, conditions);
        let fates = arrivals(&send(&mut lane, PACKETS, 100));
        for (n, arrival) in fates.iter().enumerate() {
            let expected = if arrival.reordered { 15 * MS } else { 10 * MS };
            assert_eq!(arrival.at - n as u32 * MS, expected);
        }
        assert_close(lane.counters().reordered, 0.1 * PACKETS as f64, 0.15);
    }
}

#[test]
fn duplication_has_its_rate() {
    for seed in 0..SEEDS {
        let mut lane = lane(seed, Conditions::perfect().with_duplication(0.1));
        let fates = arrivals(&send(&mut lane, PACKETS, 100));
        let twice = fates.iter().filter(|arrival| arrival.duplicated).count() as u64;
        assert_eq!(twice, lane.counters().duplicated);
        assert_close(twice, 0.1 * PACKETS as f64, 0.15);
    }
}

#[test]
fn corruption_flips_one_bit_anywhere() {
    for seed in 0..SEEDS {
        let mut lane = lane(seed, Conditions::perfect().with_corruption(0.5));
        let mut flipped_bytes = [0_u32; 8];
        for _ in 0..PACKETS {
            let mut packet = [0; 8];
            let Fate::Arrives(arrival) = lane.pass(Duration::ZERO, &mut packet) else {
                panic!("lost")
            };
            let ones: u32 = packet.iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(ones, u32::from(arrival.corrupted));
            for (sum, byte) in flipped_bytes.iter_mut().zip(packet) {
                *sum += byte.count_ones();
            }
        }
        assert_close(lane.counters().corrupted, 0.5 * PACKETS as f64, 0.1);
        for flips in flipped_bytes {
            assert_close(u64::from(flips), PACKETS as f64 / 16.0, 0.25);
        }
    }
}

#[test]
fn an_empty_packet_cannot_be_corrupted() {
    let mut lane = lane(1, Conditions::perfect().with_corruption(1.0));
    assert!(matches!(lane.pass(MS, &mut []), Fate::Arrives(arrival) if !arrival.corrupted));
}

#[test]
fn the_rate_is_exact_over_a_busy_period() {
    // 3 bytes a second: a third of a second a byte never comes out even.
    let room = Queue::UNLIMITED;
    let mut lane = lane(1, Conditions::perfect().with_rate(3).with_queue(room));
    let start = Duration::from_secs(5);
    let mut last = Duration::ZERO;
    for _ in 0..PACKETS {
        let Fate::Arrives(arrival) = lane.pass(start, &mut [0]) else {
            panic!("lost")
        };
        assert!(arrival.at > last);
        last = arrival.at;
    }
    let expected = Duration::from_nanos((PACKETS * 1_000_000_000).div_ceil(3));
    assert_eq!(last, start + expected);
}

#[test]
fn an_idle_bottleneck_saves_nothing_up() {
    let mut lane = lane(1, Conditions::perfect().with_rate(1_000));
    let mut at = |now: Duration| match lane.pass(now, &mut [0; 10]) {
        Fate::Arrives(arrival) => arrival.at,
        Fate::Lost(cause) => panic!("lost to {cause:?}"),
    };
    assert_eq!(at(Duration::ZERO), 10 * MS);
    assert_eq!(at(500 * MS), 510 * MS);
    assert_eq!(at(505 * MS), 520 * MS);
}

#[test]
fn a_changed_rate_applies_to_what_comes_after_it() {
    let mut lane = lane(1, Conditions::perfect().with_rate(1_000));
    assert_eq!(
        times(&[lane.pass(Duration::ZERO, &mut [0; 100])]),
        [100 * MS]
    );
    lane.set_conditions(Conditions::perfect().with_rate(10_000));
    assert_eq!(
        times(&[lane.pass(Duration::ZERO, &mut [0; 100])]),
        [110 * MS]
    );
    lane.set_conditions(Conditions::perfect());
    assert_eq!(
        times(&[lane.pass(Duration::ZERO, &mut [0; 100])]),
        [110 * MS]
    );
    assert_eq!(
        times(&[lane.pass(Duration::from_secs(1), &mut [0; 100])]),
        [1_000 * MS]
    );
}

#[test]
fn a_full_queue_loses_what_comes() {
    let by_bytes = Queue {
        bytes: 250,
        ..Queue::UNLIMITED
    };
    let by_packets = Queue {
        packets: 2,
        ..Queue::UNLIMITED
    };
    for room in [by_bytes, by_packets] {
        let mut lane = lane(1, Conditions::perfect().with_rate(1_000).with_queue(room));
        let mut pass = |now: Duration| lane.pass(now, &mut [0; 100]);
        assert!(!is_lost(pass(Duration::ZERO)));
        assert!(!is_lost(pass(Duration::ZERO)));
        assert_eq!(pass(99 * MS), Fate::Lost(LostTo::Queue));
        assert!(!is_lost(pass(100 * MS)), "one has left");
        assert_eq!(lane.counters().queue_full, 1);
    }
}

#[test]
fn a_packet_larger_than_the_queue_goes_alone() {
    let room = Queue {
        bytes: 10,
        packets: 0,
    };
    let mut lane = lane(1, Conditions::perfect().with_rate(1_000).with_queue(room));
    assert!(!is_lost(lane.pass(Duration::ZERO, &mut [0; 100])));
    assert!(is_lost(lane.pass(Duration::ZERO, &mut [0; 1])));
    assert!(!is_lost(lane.pass(100 * MS, &mut [0; 1])));
}

#[test]
fn a_queue_of_the_default_size_is_bounded() {
    let mut lane = lane(1, Conditions::perfect().with_rate(1));
    send(&mut lane, 2 * Queue::DEFAULT_PACKETS as u64, 1);
    // One packet leaves in the second that sending takes, and another at its end.
    assert_close(
        lane.counters().arriving,
        Queue::DEFAULT_PACKETS as f64,
        0.01,
    );
    let mut lane = self::lane(1, Conditions::perfect().with_rate(1));
    send(&mut lane, 300, 1_024);
    assert_eq!(
        lane.counters().arriving,
        Queue::DEFAULT_BYTES as u64 / 1_024
    );
}

#[test]
fn the_mtu_is_the_largest_size_that_passes() {
    let mut lane = lane(1, Conditions::perfect().with_mtu(1_200));
    assert!(!is_lost(lane.pass(MS, &mut [0; 1_200])));
    assert_eq!(lane.pass(MS, &mut [0; 1_201]), Fate::Lost(LostTo::Mtu));
}

#[test]
fn a_blocked_lane_loses_everything_until_it_opens() {
    let mut lane = lane(1, Conditions::perfect());
    lane.set_blocked(true);
    assert_eq!(lane.pass(MS, &mut [0]), Fate::Lost(LostTo::Block));
    assert_eq!(lane.carry(MS, 1), None);
    lane.set_blocked(false);
    assert!(!is_lost(lane.pass(MS, &mut [0])));
    assert_eq!(lane.carry(MS, 1), Some(MS));
    assert_eq!((lane.counters().sent, lane.counters().blocked), (3, 1));
}

#[test]
fn a_connection_feels_only_rate_delay_and_jitter() {
    let awful = Conditions::perfect()
        .with_loss(Loss::Random(1.0))
        .with_reordering(1.0, Duration::from_secs(9))
        .with_duplication(1.0)
        .with_corruption(1.0)
        .with_mtu(0)
        .with_queue(Queue {
            bytes: 0,
            packets: 0,
        })
        .with_rate(1_000)
        .with_delay(5 * MS);
    let mut lane = lane(1, awful);
    let arrivals: Vec<_> = (0..3)
        .filter_map(|_| lane.carry(Duration::ZERO, 10))
        .collect();
    assert_eq!(arrivals, [15 * MS, 25 * MS, 35 * MS]);
}

#[test]
fn the_same_seed_has_the_same_fate_and_another_seed_another() {
    let conditions = Conditions::perfect()
        .with_loss(Loss::Random(0.1))
        .with_loss(Loss::bursts(0.1, 4.0))
        .with_corruption(0.1)
        .with_duplication(0.1)
        .with_reordering(0.1, 7 * MS)
        .with_jitter(3 * MS);
    let run = |seed| send(&mut lane(seed, conditions.clone()), 1_000, 50);
    for seed in 0..SEEDS {
        assert_eq!(run(seed), run(seed));
        assert_ne!(run(seed), run(seed + 1));
    }
}

#[test]
fn directions_have_chances_of_their_own() {
    let (a, b) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:1".parse().unwrap());
    let conditions = Conditions::perfect().with_loss(Loss::Random(0.5));
    let fates = |lane: &mut Lane| send(lane, 200, 1);
    let mut lanes = Lanes::new(7);
    lanes.set_conditions(&conditions);
    let there = fates(lanes.lane(a, b));
    assert_ne!(there, fates(lanes.lane(b, a)));

    // What happens in one direction changes nothing in the other.
    let mut alone = Lanes::new(7);
    alone.set_conditions(&conditions);
    assert_eq!(there, fates(alone.lane(a, b)));
}

#[test]
fn counters_add_up_over_directions() {
    let (a, b) = (
        "10.0.0.1:1".parse().unwrap(),
        "[fd00::2]:1".parse().unwrap(),
    );
    let mut lanes = Lanes::new(1);
    lanes.set_conditions(
        &Conditions::perfect()
            .with_loss(Loss::Periodic(2))
            .with_mtu(10),
    );
    send(lanes.lane(a, b), 4, 10);
    send(lanes.lane(b, a), 3, 11);
    lanes.lane(b, a).refuse(5);
    let total = lanes.total();
    assert_eq!((total.sent, total.sent_bytes), (8, 78));
    let fates = [
        total.arriving,
        total.lost,
        total.too_large,
        total.receiver_full,
    ];
    assert_eq!(fates, [2, 2, 3, 1]);
    assert_eq!(lanes.counters(a, b).sent, 4);
    assert_eq!(lanes.counters(a, a), Counters::default());
}

fn is_lost(fate: Fate) -> bool {
    matches!(fate, Fate::Lost(_))
}
