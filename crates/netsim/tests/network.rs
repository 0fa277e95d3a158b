//! The network as its users see it. The distributions of the model behind it are tested with the
//! model, in `telehash-transport`.

use std::{
    iter,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use telehash_netsim::{
    Clock, Conditions, Instant, Loss, LostTo, MAX_IN_FLIGHT, Network, Packet, PacketLog, Queue,
    TextTrace, Verdict, filter,
    trace::{Event, Record},
};

const MS: Duration = Duration::from_millis(1);

fn node(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 42_424))
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

/// Delivers everything that is under way: payloads with their moment.
fn drain(network: &mut Network) -> Vec<(Instant, Vec<u8>)> {
    let mut clock = Clock::new();
    let mut delivered = Vec::new();
    while let Some(next) = network.next_delivery() {
        clock.advance_to(next);
        let arrived = iter::from_fn(|| network.poll_delivery(clock.now()));
        delivered.extend(arrived.map(|packet| (next, packet.bytes)));
    }
    delivered
}

fn payloads(network: &mut Network) -> Vec<Vec<u8>> {
    drain(network)
        .into_iter()
        .map(|(_, payload)| payload)
        .collect()
}

/// Everything that can go wrong, at once.
fn awful() -> Conditions {
    Conditions::perfect()
        .with_loss(Loss::Random(0.1))
        .with_loss(Loss::bursts(0.05, 4.0))
        .with_corruption(0.05)
        .with_duplication(0.1)
        .with_reordering(0.1, 15 * MS)
        .with_delay(20 * MS)
        .with_jitter(10 * MS)
        .with_rate(100_000)
        .with_mtu(1_000)
}

#[test]
fn packets_arrive_once_and_in_order_on_a_perfect_network() {
    let mut network = Network::new(1);
    for n in 0..100 {
        network.send(at(0), node(1), node(2), vec![n]);
    }
    assert_eq!(network.in_flight(), 100);
    let packet = network.poll_delivery(at(0)).unwrap();
    let first = Packet {
        from: node(1),
        to: node(2),
        sent: at(0),
        bytes: vec![0],
        fragment: false,
    };
    assert_eq!(packet, first);
    assert_eq!(
        payloads(&mut network),
        (1..100).map(|n| vec![n]).collect::<Vec<_>>()
    );
    assert_eq!(network.next_delivery(), None);
}

#[test]
fn nothing_arrives_before_its_time() {
    let mut network = Network::new(1);
    network.set_conditions(&Conditions::perfect().with_delay(50 * MS));
    network.send(at(10), node(1), node(2), *b"x");
    assert_eq!(network.next_delivery(), Some(at(60)));
    assert_eq!(network.poll_delivery(Instant::from_micros(59_999)), None);
    assert!(network.poll_delivery(at(60)).is_some());
}

#[test]
fn the_same_seed_has_the_same_trace_and_another_seed_another() {
    let run = |seed| {
        let text = SharedText::default();
        let mut network = Network::new(seed);
        network.set_conditions(&awful());
        network.trace_to(TextTrace::new(text.clone()));
        let mut clock = Clock::new();
        for n in 0..500_u32 {
            clock.advance(MS);
            let (from, to) = (node((n % 3) as u8), node((n % 2 + 3) as u8));
            network.send(clock.now(), from, to, n.to_be_bytes().repeat(5));
            while let Some(packet) = network.poll_delivery(clock.now()) {
                network.send(clock.now(), packet.to, packet.from, packet.bytes);
            }
        }
        text.take()
    };
    for seed in 0..10 {
        let trace = run(seed);
        assert!(trace.lines().count() > 1_000);
        for mark in [
            "lost to Loss",
            "duplicated",
            "reordered",
            "corrupted",
            "delivered",
        ] {
            assert!(trace.contains(mark), "nothing was {mark}");
        }
        assert_eq!(trace, run(seed));
        assert_ne!(trace, run(seed + 1));
    }
}

#[test]
fn every_packet_is_accounted_for() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        network.set_conditions(&awful());
        for n in 0..1_000 {
            network.send(at(n), node(1), node(2), vec![0; 500 + n as usize]);
        }
        let delivered = payloads(&mut network).len() as u64;
        let total = network.total();
        assert_eq!(total.sent, 1_000);
        assert_eq!(total.too_large, 499);
        assert_eq!(delivered, total.arriving + total.duplicated);
        assert_eq!(
            total.sent,
            total.arriving + total.lost + total.too_large + total.queue_full
        );
        assert!(
            total.lost > 0 && total.duplicated > 0 && total.queue_full > 0,
            "{total:?}"
        );
    }
}

#[test]
fn without_reordering_every_direction_is_first_in_first_out() {
    for seed in 0..20 {
        let mut conditions = awful();
        (conditions.reorder.probability, conditions.corrupt) = (0.0, 0.0);
        let mut network = Network::new(seed);
        network.set_conditions(&conditions);
        for n in 0..1_000_u64 {
            network.send(at(n), node(1), node(2), n.to_be_bytes());
        }
        let delivered = payloads(&mut network);
        assert!(
            delivered.len() > 500 && delivered.is_sorted(),
            "seed {seed}"
        );
    }
}

#[test]
fn reordering_changes_the_order() {
    let mut network = Network::new(1);
    network.set_conditions(&Conditions::perfect().with_reordering(0.1, 5 * MS));
    for n in 0..1_000_u64 {
        network.send(at(n), node(1), node(2), n.to_be_bytes());
    }
    let delivered = payloads(&mut network);
    assert!(!delivered.is_sorted());
    assert_eq!(delivered.len(), 1_000);
}

#[test]
fn the_rate_holds_to_the_microsecond() {
    // 100 kB/s, packets of 10 ms each, a packet a millisecond.
    let room = Queue {
        bytes: usize::MAX,
        packets: 11,
    };
    let mut network = Network::new(1);
    network.set_conditions(&Conditions::perfect().with_rate(100_000).with_queue(room));
    for n in 0..200 {
        network.send(at(n), node(1), node(2), vec![0; 1_000]);
    }
    let moments: Vec<_> = drain(&mut network)
        .into_iter()
        .map(|(moment, _)| moment)
        .collect();
    let expected: Vec<_> = (1..=moments.len() as u64).map(|n| at(10 * n)).collect();
    assert_eq!(moments, expected);
    // While 200 ms pass, 19 packets leave, and 11 fit into the queue.
    assert_eq!(moments.len(), 30);
    assert_eq!(network.counters(node(1), node(2)).queue_full, 170);
}

#[test]
fn rates_of_two_directions_are_their_own() {
    let mut network = Network::new(1);
    network.set_between(node(1), node(2), &Conditions::perfect().with_rate(1_000));
    network.send(at(0), node(1), node(2), [0; 10]);
    network.send(at(0), node(2), node(1), [0; 10]);
    network.send(at(0), node(1), node(3), [0; 10]);
    let moments: Vec<_> = drain(&mut network)
        .into_iter()
        .map(|(moment, _)| moment)
        .collect();
    assert_eq!(moments, [at(0), at(10), at(10)]);
}

#[test]
fn a_fraction_of_a_microsecond_is_rounded_up() {
    let mut network = Network::new(1);
    network.set_conditions(&Conditions::perfect().with_rate(3_000_000));
    for _ in 0..3 {
        network.send(at(0), node(1), node(2), [0]);
    }
    let moments: Vec<_> = drain(&mut network)
        .into_iter()
        .map(|(m, _)| m.as_micros())
        .collect();
    assert_eq!(moments, [1, 1, 1]);
}

#[test]
fn a_direction_is_blocked_alone_and_opens_again() {
    let mut network = Network::new(1);
    network.block(node(1), node(2));
    network.send(at(0), node(1), node(2), *b"lost");
    network.send(at(0), node(2), node(1), *b"back");
    assert_eq!(payloads(&mut network), [b"back"]);
    network.unblock(node(1), node(2));
    network.send(at(0), node(1), node(2), *b"there");
    assert_eq!(payloads(&mut network), [b"there"]);
    assert_eq!(network.counters(node(1), node(2)).blocked, 1);
}

#[test]
fn what_is_under_way_keeps_its_arrival_when_conditions_change() {
    let mut network = Network::new(1);
    network.set_conditions(&Conditions::perfect().with_delay(50 * MS));
    network.send(at(0), node(1), node(2), *b"slow");
    network.set_conditions(&Conditions::perfect().with_loss(Loss::Random(1.0)));
    network.send(at(1), node(1), node(2), *b"lost");
    assert_eq!(drain(&mut network), [(at(50), b"slow".to_vec())]);
}

#[test]
fn filters_form_a_chain_that_the_first_loss_ends() {
    let mut network = Network::new(1);
    network.add_filter(filter::on(node(1), node(2), filter::lose_first(1)));
    network.add_filter(filter::lose_numbered([1, 3]));
    network.add_filter(filter::lose_if(|packet| packet.bytes == b"e"));
    for payload in [b"a", b"b", b"c", b"d", b"e", b"f"] {
        network.send(at(0), node(1), node(2), *payload);
    }
    // "a" never reached the second filter, which therefore lost "b" and "d".
    assert_eq!(payloads(&mut network), [b"c", b"f"]);
    network.clear_filters();
    network.send(at(0), node(1), node(2), *b"e");
    assert_eq!(payloads(&mut network), [b"e"]);
}

#[test]
fn filters_can_change_and_delay_packets() {
    let mut network = Network::new(1);
    network.add_filter(filter::delay_numbered([1], 10 * MS));
    network.add_filter(|packet: &mut Packet| {
        packet.bytes.push(b'!');
        Verdict::Pass
    });
    network.send(at(0), node(1), node(2), *b"first");
    network.send(at(0), node(1), node(2), *b"second");
    let expected = [(at(0), b"second!".to_vec()), (at(10), b"first!".to_vec())];
    assert_eq!(drain(&mut network), expected);
}

#[test]
fn a_network_holds_a_bounded_number_of_packets() {
    let mut network = Network::new(1);
    network.set_conditions(&Conditions::perfect().with_duplication(0.01));
    for _ in 0..MAX_IN_FLIGHT + 5 {
        network.send(at(0), node(1), node(2), Vec::new());
    }
    assert_eq!(network.in_flight(), MAX_IN_FLIGHT);
    assert!(network.total().receiver_full >= 5);
    network.poll_delivery(at(0));
    let full = network.total().receiver_full;
    network.send(at(0), node(1), node(2), Vec::new());
    assert_eq!(network.total().receiver_full, full);
}

#[test]
fn a_log_keeps_the_latest_packets_to_be_sent_again() {
    let log = PacketLog::new(2);
    let mut network = Network::new(1);
    network.trace_to(log.clone());
    for payload in [b"a", b"b", b"c"] {
        network.send(at(0), node(1), node(2), *payload);
    }
    let kept: Vec<_> = log
        .entries()
        .into_iter()
        .map(|entry| entry.packet.bytes)
        .collect();
    assert_eq!(kept, [b"b", b"c"]);
    let nothing = PacketLog::new(0);
    network.trace_to(nothing.clone());
    network.send(at(0), node(1), node(2), *b"d");
    assert!(nothing.entries().is_empty());
}

#[test]
fn a_trace_shows_every_fate() {
    let text = SharedText::default();
    let events = Arc::new(Mutex::new(Vec::new()));
    let mut network = Network::new(1);
    network.trace_to(TextTrace::new(text.clone()));
    let seen = events.clone();
    network.trace_to(move |record: &Record<'_>| seen.lock().unwrap().push(record.event));
    network.add_filter(filter::lose_first(1));
    network.set_conditions(&Conditions::perfect().with_mtu(20).with_duplication(1.0));
    for len in [1, 21, 20] {
        network.send(at(1_250), node(1), node(2), vec![0xab; len]);
    }
    network.poll_delivery(at(1_250));
    let route = "1.250000 10.0.0.1:42424 > 10.0.0.2:42424";
    let shown = "ab".repeat(16);
    assert_eq!(
        text.take(),
        format!(
            "{route} lost to a filter | 1 bytes ab\n\
             {route} lost to Mtu | 21 bytes {shown}..\n\
             {route} sent, arrives 1.250000, duplicated | 20 bytes {shown}..\n\
             {route} delivered | 20 bytes {shown}..\n"
        )
    );
    let events = events.lock().unwrap();
    assert_eq!(events[..2], [Event::Filtered, Event::Lost(LostTo::Mtu)]);
    assert_eq!(events[3], Event::Delivered);
}

#[test]
fn a_text_trace_survives_a_writer_that_fails() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut network = Network::new(1);
    network.trace_to(TextTrace::new(Full));
    for _ in 0..2 {
        network.send(at(0), node(1), node(2), *b"x");
    }
    assert_eq!(payloads(&mut network).len(), 2);
}

/// Text that a trace writes and the test reads.
#[derive(Clone, Default)]
struct SharedText(Arc<Mutex<Vec<u8>>>);

impl SharedText {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }
}

impl std::io::Write for SharedText {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn directions_that_share_a_road_queue_behind_each_other() {
    let mut network = Network::new(1);
    let slow = Conditions::perfect().with_rate(1_000);
    network.set_direction(node(1), node(2), slow);
    network.share_road((node(3), node(4)), (node(1), node(2)));
    network.send(at(0), node(1), node(2), vec![1; 100]);
    network.send(at(0), node(3), node(4), vec![2; 100]);
    network.send(at(0), node(3), node(2), vec![3; 100]);
    let arrived: Vec<(Instant, u8)> = drain(&mut network)
        .into_iter()
        .map(|(at, bytes)| (at, bytes[0]))
        .collect();
    assert_eq!(arrived, [(at(0), 3), (at(100), 1), (at(200), 2)]);
    assert_eq!(network.counters(node(1), node(2)).sent, 2);
}
