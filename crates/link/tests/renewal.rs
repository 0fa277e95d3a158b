//! Sessions of cipher set 42 are renewed under running channels.

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Peer, Seen, pattern};
use telehash_hashname::Csid;
use telehash_link::{Instant, Link};
use telehash_netsim::{Conditions, Loss, NodeId, Queue, World};

/// Takes more than an hour at [`RATE`].
const BYTES: usize = 40_000_000;

/// Bytes a second.
const RATE: u64 = 10_000;

/// Bytes that wait for the wire: two seconds' worth.
const QUEUE: Queue = Queue {
    bytes: 20_000,
    packets: 100,
};

#[test]
fn a_stream_outlives_the_hourly_renewal_on_a_lossy_network() {
    for seed in 0..3 {
        let mut world = World::new(seed).with_sets(&[Csid::CS42]);
        let (sending, _) = Peer::sending(pattern(BYTES));
        let receiving = Peer::default();
        let seen = receiving.seen.clone();
        let (sender, receiver) = (world.add(sending), world.add(receiving));
        world.network().set_conditions(
            &Conditions::perfect()
                .with_delay(Duration::from_millis(40))
                .with_loss(Loss::Random(0.02))
                .with_rate(RATE)
                .with_queue(QUEUE),
        );
        world.connect(sender, receiver).unwrap();
        let done = world.drive(Duration::from_secs(8 * 3600), |_| {
            seen.lock().unwrap().finished
        });
        let seen = seen.lock().unwrap();
        assert!(done, "seed {seed}: {} bytes", seen.received.len());
        assert!(seen.received == pattern(BYTES), "seed {seed}");
        assert_eq!((seen.downs, seen.restarts), (0, 0), "seed {seed}");
        assert!(seen.failed.is_empty(), "seed {seed}: {:?}", seen.failed);
        for (here, there) in [(sender, receiver), (receiver, sender)] {
            let stats = world.link(here, there).unwrap().stats();
            assert!(stats.sessions > 1, "seed {seed}: it was never renewed");
        }
    }
}

/// Takes some ten minutes at [`RATE`].
const SOME_BYTES: usize = 6_000_000;

/// A sender whose stream lasts, its receiver, and what both saw.
struct Stream {
    world: World,
    ends: [NodeId; 2],
    seen: [Arc<Mutex<Seen>>; 2],
}

/// So slow that streams outlast a test.
fn slow() -> Conditions {
    Conditions::perfect().with_rate(RATE).with_queue(QUEUE)
}

impl Stream {
    fn new(seed: u64, conditions: &Conditions) -> Self {
        Self::of(seed, conditions, pattern(SOME_BYTES))
    }

    /// A link without any.
    fn idle(seed: u64, conditions: &Conditions) -> Self {
        Self::of(seed, conditions, Vec::new())
    }

    fn of(seed: u64, conditions: &Conditions, outgoing: Vec<u8>) -> Self {
        let mut world = World::new(seed).with_sets(&[Csid::CS42]);
        let (sending, sent) = Peer::sending(outgoing);
        let receiving = Peer::default();
        let received = receiving.seen.clone();
        let ends = [world.add(sending), world.add(receiving)];
        world.network().set_conditions(conditions);
        world.connect(ends[0], ends[1]).unwrap();
        let seen = [sent, received];
        Self { world, ends, seen }
    }

    fn change_network(&mut self, end: usize) {
        let (here, there) = (self.ends[end], self.ends[1 - end]);
        let changed = |now: Instant, link: &mut Link| link.network_changed(now);
        self.world.with_link(here, there, changed).unwrap();
    }

    fn sessions(&self) -> u64 {
        self.world
            .link(self.ends[0], self.ends[1])
            .unwrap()
            .stats()
            .sessions
    }

    fn finished(&self) -> bool {
        self.seen[1].lock().unwrap().finished
    }

    /// It arrives whole, and nothing was noticed.
    fn assert_unharmed(mut self, context: &str) {
        let received = self.seen[1].clone();
        let done = |_: &World| received.lock().unwrap().finished;
        let done = self.world.drive(Duration::from_secs(3 * 3600), done);
        let bytes = received.lock().unwrap().received.len();
        assert!(done, "{context}: {bytes} bytes");
        for seen in &self.seen {
            let seen = seen.lock().unwrap();
            assert_eq!((seen.downs, seen.restarts), (0, 0), "{context}");
            assert!(seen.failed.is_empty(), "{context}: {:?}", seen.failed);
        }
        assert!(
            received.lock().unwrap().received == pattern(SOME_BYTES),
            "{context}"
        );
    }
}

#[test]
fn both_ends_renew_at_once_under_loss_and_reordering_and_no_channel_notices() {
    for seed in 0..4 {
        let conditions = slow()
            .with_delay(Duration::from_millis(80))
            .with_loss(Loss::Random(0.1))
            .with_duplication(0.05)
            .with_reordering(0.1, Duration::from_millis(300));
        let mut stream = Stream::new(seed, &conditions);
        stream.world.run(Duration::from_secs(5));
        while !stream.finished() {
            stream.change_network(0);
            stream.change_network(1);
            stream.world.run(Duration::from_millis(31_000 + seed * 100));
        }
        assert!(stream.sessions() > 15, "{} sessions", stream.sessions());
        stream.assert_unharmed(&format!("seed {seed}"));
    }
}

#[test]
fn long_round_trips_keep_a_link_and_its_channels_through_renewals() {
    for delay in [1_000, 3_000, 4_900] {
        let conditions = slow().with_delay(Duration::from_millis(delay));
        let mut stream = Stream::new(delay, &conditions);
        stream.world.run(Duration::from_secs(60));
        for _ in 0..5 {
            stream.change_network(0);
            stream.change_network(1);
            stream.world.run(Duration::from_secs(60));
        }
        assert!(stream.sessions() > 3, "{} sessions", stream.sessions());
        stream.assert_unharmed(&format!("{delay} ms"));
    }
}

#[test]
fn replays_before_during_and_after_a_renewal_harm_no_channel() {
    let conditions = slow().with_delay(Duration::from_millis(50));
    let mut stream = Stream::new(9, &conditions);
    let [alice, bob] = stream.ends;
    let addresses = stream.ends.map(|end| stream.world.address(end));
    let mut recorded = [Vec::new(), Vec::new()];
    stream.ends.iter().for_each(|end| stream.world.record(*end));
    stream.world.run(Duration::from_secs(40));
    for step in 0..400_u64 {
        if step % 120 == 0 {
            stream.change_network(0);
            stream.change_network(1);
        }
        for (recorded, (from, to)) in recorded.iter_mut().zip([(alice, bob), (bob, alice)]) {
            if step % 20 == 0 {
                recorded.extend(
                    stream
                        .world
                        .recorded(from)
                        .into_iter()
                        .map(|(_, packet)| packet),
                );
                stream.world.record(from);
                // Handshakes are small, and old ones matter most.
                let len = recorded.len();
                if len > 300 {
                    recorded.drain(100..len - 150);
                }
            }
            let address = addresses[usize::from(from == bob)];
            for packet in recorded.iter().skip(step as usize % 10).step_by(10) {
                stream.world.inject(address, to, packet);
            }
        }
        stream.world.run(Duration::from_millis(250));
    }
    // A challenge, and what the network asked for.
    assert!(stream.sessions() < 12, "{} sessions", stream.sessions());
    stream.assert_unharmed("replays");
}

#[test]
fn a_peer_that_restarts_in_the_middle_of_a_renewal_is_linked_again() {
    for millis in (20..400).step_by(20) {
        let conditions = Conditions::perfect().with_delay(Duration::from_millis(60));
        let mut stream = Stream::new(millis, &conditions);
        let [alice, bob] = stream.ends;
        stream.world.run(Duration::from_secs(140));
        stream.change_network(0);
        stream.change_network(1);
        stream.world.run(Duration::from_millis(millis));
        let (gone, other) = if millis % 40 == 0 {
            (alice, bob)
        } else {
            (bob, alice)
        };
        stream.world.restart(gone, millis % 80 < 40);
        stream.world.connect(gone, other).unwrap();
        stream.world.run(Duration::from_secs(5));
        assert!(stream.world.is_up(alice, bob), "{millis} ms");
        let ends = usize::from(gone == alice);
        assert!(
            stream.seen[ends].lock().unwrap().restarts <= 1,
            "{millis} ms"
        );
    }
}

/// Nothing arrives for longer than a session waits for its confirmation and old keys receive: where
/// that began, one end has the next session and the other does not.
#[test]
fn an_outage_that_begins_in_a_renewal_resets_no_idle_channel() {
    let mut split = 0;
    for millis in (0..300).step_by(10) {
        let conditions = Conditions::perfect().with_delay(Duration::from_millis(60));
        let mut stream = Stream::idle(millis, &conditions);
        let [alice, bob] = stream.ends;
        stream.world.run(Duration::from_secs(140));
        let first = stream.sessions();
        stream.change_network(millis as usize / 10 % 2);
        stream.world.run(Duration::from_millis(millis));
        let dead = conditions.clone().with_loss(Loss::Random(1.0));
        stream.world.network().set_conditions(&dead);
        stream.world.run(Duration::from_secs(35));
        stream.world.network().set_conditions(&conditions);
        stream.world.run(Duration::from_secs(60));
        assert!(stream.world.is_up(alice, bob), "{millis} ms");
        let seen = stream.seen.each_ref().map(|seen| seen.lock().unwrap());
        let downs = seen.iter().map(|seen| seen.downs).sum::<usize>();
        let restarts = seen.iter().map(|seen| seen.restarts).sum::<usize>();
        // A round that nobody answered for 30 s ends the link, and its channels with it.
        if downs == 0 {
            assert_eq!(restarts, 0, "{millis} ms");
            split += usize::from(stream.sessions() > first);
        }
    }
    assert!(split > 10, "{split} renewals survived");
}

#[test]
fn two_links_of_one_endpoint_are_renewed_at_once_and_keep_apart() {
    let mut world = World::new(3).with_sets(&[Csid::CS42]);
    let streams: Vec<Vec<u8>> = (0..2).map(|from| pattern(SOME_BYTES / 4 + from)).collect();
    let receivers = [(); 2].map(|()| Peer::default());
    let seen = receivers.each_ref().map(|peer| peer.seen.clone());
    let receivers = receivers.map(|peer| world.add(peer));
    let senders: Vec<NodeId> = { streams.iter() }
        .map(|bytes| world.add(Peer::sending(bytes.clone()).0))
        .collect();
    // Each receiver has two links: one to its sender and one to the other receiver.
    let links = [
        (senders[0], receivers[0]),
        (senders[1], receivers[1]),
        (receivers[0], receivers[1]),
    ];
    let conditions = slow()
        .with_delay(Duration::from_millis(50))
        .with_loss(Loss::Random(0.02));
    world.network().set_conditions(&conditions);
    for (here, there) in links {
        world.connect(here, there).unwrap();
    }
    world.run(Duration::from_secs(5));
    for _ in 0..5 {
        for (here, there) in links {
            let changed = |now: Instant, link: &mut Link| link.network_changed(now);
            world.with_link(here, there, changed).unwrap();
            world.with_link(there, here, changed).unwrap();
        }
        world.run(Duration::from_secs(32));
    }
    for (here, there) in links {
        let stats = world.link(here, there).unwrap().stats();
        assert!(stats.sessions > 3, "{} sessions", stats.sessions);
    }
    let finished = |seen: &Arc<Mutex<Seen>>| seen.lock().unwrap().finished;
    assert!(world.drive(Duration::from_secs(3600), |_| seen.iter().all(finished)));
    for (seen, sent) in seen.iter().zip(&streams) {
        let seen = seen.lock().unwrap();
        assert!(seen.received == *sent);
        assert_eq!((seen.downs, seen.restarts), (0, 0));
    }
}
