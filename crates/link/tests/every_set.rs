//! What a link does in every cipher set, whatever that is made of: one suite, run for each.

mod common;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{
    Peer, Seen, pattern,
    sets::{SETS, Who, identity},
};
use telehash_hashname::Csid;
use telehash_link::{
    Config, Dispatch, DropReason, Endpoint, Instant, Link, LinkStats, Open, PipeId, TransportId,
};
use telehash_lob::cloak::{self, WorkBudget};
use telehash_netsim::{Conditions, Loss, NodeId, World};

/// Bytes that each side sends as soon as it sees the link come up.
const BYTES: usize = 30_000;

/// Simulated time that any stream takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two endpoints that stream to each other.
struct Scene {
    world: World,
    alice: NodeId,
    bob: NodeId,
    at_alice: Arc<Mutex<Seen>>,
    at_bob: Arc<Mutex<Seen>>,
}

impl Scene {
    fn new(seed: u64, csid: Csid) -> Self {
        let mut world = World::new(seed);
        let (alice, at_alice) = Peer::sending(pattern(BYTES));
        let (bob, at_bob) = Peer::sending(pattern(BYTES));
        let alice = world.add_with(identity(Who::Alice, &[csid]), generous(), alice);
        let bob = world.add_with(identity(Who::Bob, &[csid]), generous(), bob);
        Self {
            world,
            alice,
            bob,
            at_alice,
            at_bob,
        }
    }

    /// The same, linked, and what each side sent until both were quiet. The last word is a channel
    /// packet of Alice's: from then on links.md has nobody answer an old handshake.
    fn linked(seed: u64, csid: Csid) -> (Self, [Vec<Vec<u8>>; 2]) {
        let mut scene = Self::new(seed, csid);
        let Self { alice, bob, .. } = scene;
        scene.world.record(alice);
        scene.world.record(bob);
        scene.world.connect(alice, bob).unwrap();
        scene.assert_delivers(alice);
        scene.assert_delivers(bob);
        // With a keepalive or two.
        scene.world.run(Duration::from_secs(65));
        scene.write(b"the last word");
        scene.world.run(Duration::from_secs(1));
        scene.at_bob.lock().unwrap().received.clear();
        let sent = [alice, bob].map(|node| {
            let packets = scene.world.recorded(node).into_iter();
            packets.map(|(_, datagram)| datagram).collect()
        });
        (scene, sent)
    }

    /// What a node sends arrives whole at the other.
    fn assert_delivers(&mut self, from: NodeId) {
        let seen = if from == self.alice {
            &self.at_bob
        } else {
            &self.at_alice
        };
        let done = |_: &World| seen.lock().unwrap().received.len() >= BYTES;
        assert!(self.world.drive_bounded(PATIENCE, 100_000, done));
        assert!(std::mem::take(&mut seen.lock().unwrap().received) == pattern(BYTES));
    }

    /// Alice opens one more channel to Bob and writes to it.
    fn write(&mut self, data: &[u8]) {
        let write = |now, link: &mut Link| {
            let id = link.open(now, Open::reliable("more")).unwrap();
            link.write(now, id, data).unwrap();
        };
        self.world.with_link(self.alice, self.bob, write).unwrap();
    }

    fn stats(&self, at: NodeId) -> LinkStats {
        let other = if at == self.alice {
            self.bob
        } else {
            self.alice
        };
        self.world.link(at, other).map(Link::stats).unwrap()
    }

    /// What Bob made of all he got: anything that moves here was believed.
    fn believed(&self) -> (u64, u64, usize, usize, usize) {
        let stats = self.stats(self.bob);
        let seen = self.at_bob.lock().unwrap();
        let LinkStats {
            handshakes_received,
            sessions,
            channels,
            ..
        } = stats;
        (
            handshakes_received,
            sessions,
            channels,
            seen.opened,
            seen.received.len(),
        )
    }

    /// Puts datagrams on the network as if Alice, or a stranger, had sent them to Bob.
    fn inject(&mut self, from: SocketAddr, datagrams: impl IntoIterator<Item = Vec<u8>>) {
        for datagram in datagrams {
            self.world.inject(from, self.bob, &datagram);
            self.world.run(Duration::from_micros(20));
        }
        self.world.run(Duration::from_millis(10));
    }

    /// A channel packet and a handshake, uncloaked, that Alice sent and Bob never got. Alice is gone
    /// then, and hears nothing of Bob either.
    fn withheld(&mut self) -> [Vec<u8>; 2] {
        let (from, to) = (self.world.address(self.alice), self.world.address(self.bob));
        self.world.network().block(from, to);
        self.world.record(self.alice);
        self.write(b"never seen before");
        self.world.run(Duration::from_millis(20));
        let changed = |now, link: &mut Link| link.network_changed(now);
        self.world.with_link(self.alice, self.bob, changed).unwrap();
        self.world.run(Duration::from_millis(20));
        let packets: Vec<_> = self
            .world
            .recorded(self.alice)
            .into_iter()
            .map(|(_, datagram)| uncloaked(datagram))
            .collect();
        self.world.restart(self.alice, true);
        self.world.network().unblock(from, to);
        self.world.network().block(to, from);
        [0, 1].map(|head| {
            let is_one = |packet: &&Vec<u8>| packet.starts_with(&[0, head]);
            packets.iter().find(is_one).unwrap().clone()
        })
    }
}

/// No budget hides a packet from the cipher set, and no cloak.
fn generous() -> Config {
    let mut config = Config::default();
    config.head_only_cloak = false;
    config.strangers.per_prefix = 1_000_000;
    config.strangers.global = 1_000_000;
    config
}

fn uncloaked(mut datagram: Vec<u8>) -> Vec<u8> {
    let start = cloak::decloak_in_place(&mut datagram, &mut WorkBudget::default()).unwrap();
    datagram.split_off(start)
}

/// The packet cut off at every byte, and with one bit flipped in every byte.
fn damaged(packet: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..packet.len()).map(|len| packet[..len].to_vec());
    let flipped = (0..packet.len()).map(|at| {
        let mut copy = packet.to_vec();
        copy[at] ^= 1 << (at % 8);
        copy
    });
    cut.chain(flipped)
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([172, 16, 0, 9], 9))
}

#[test]
fn a_link_comes_up_and_streams_both_ways_through_loss() {
    for csid in SETS {
        let mut scene = Scene::new(1, csid);
        scene.world.network().set_conditions(
            &Conditions::perfect()
                .with_loss(Loss::Random(0.05))
                .with_duplication(0.02)
                .with_reordering(0.05, Duration::from_millis(20))
                .with_delay(Duration::from_millis(15)),
        );
        scene.world.connect(scene.alice, scene.bob).unwrap();
        scene.assert_delivers(scene.alice);
        scene.assert_delivers(scene.bob);
        assert!(scene.world.is_up(scene.alice, scene.bob));
        for link in [(scene.alice, scene.bob), (scene.bob, scene.alice)] {
            assert_eq!(scene.world.link(link.0, link.1).unwrap().csid(), csid);
        }
    }
}

#[test]
fn who_restarts_is_linked_again_and_streams() {
    for csid in SETS {
        let (mut scene, _) = Scene::linked(2, csid);
        let Scene { alice, bob, .. } = scene;
        for (gone, other, keep_state) in [(alice, bob, true), (bob, alice, false)] {
            scene.world.restart(gone, keep_state);
            scene.world.connect(gone, other).unwrap();
            scene.assert_delivers(gone);
            assert!(scene.world.is_up(alice, bob), "{csid}");
        }
    }
}

#[test]
fn replays_of_everything_that_was_sent_move_nothing() {
    for csid in SETS {
        let (mut scene, [of_alice, of_bob]) = Scene::linked(3, csid);
        let Scene { alice, bob, .. } = scene;
        let friend = scene.world.address(alice);
        let (before, sent, start) = (scene.believed(), scene.world.sent(bob), scene.world.now());
        let replayed = scene.stats(bob).replayed;
        let pipe = scene.world.link(bob, alice).unwrap().active_pipe();

        // Alice's packets, and Bob's own thrown back at him.
        scene.inject(stranger(), of_alice.clone());
        scene.inject(friend, of_alice);
        scene.inject(stranger(), of_bob.clone());
        scene.inject(friend, of_bob);

        let after = scene.believed();
        assert_eq!(
            (before.1, before.2, before.3, before.4),
            (after.1, after.2, after.3, after.4),
            "{csid}"
        );
        assert!(scene.stats(bob).replayed > replayed, "{csid}");
        assert_eq!(scene.world.link(bob, alice).unwrap().active_pipe(), pipe);
        assert_eq!(scene.world.contacted(bob), [friend], "{csid}");
        // "An older round": ours anew, at once the first time, to where the link lives.
        assert!(scene.world.now() < start + Duration::from_secs(1));
        let answers = scene.world.sent(bob) - sent;
        assert!(answers <= 1, "{csid}: {answers}");
        scene.world.run(Duration::from_secs(60));
        assert!(scene.world.is_up(alice, bob), "{csid}");
        assert_eq!(scene.at_bob.lock().unwrap().restarts, 0, "{csid}");
    }
}

#[test]
fn a_damaged_packet_of_a_live_link_is_not_believed_nor_answered() {
    for csid in SETS {
        let (mut scene, _) = Scene::linked(4, csid);
        let friend = scene.world.address(scene.alice);
        for (what, packet) in ["channel packet", "handshake"].iter().zip(scene.withheld()) {
            let (before, sent) = (scene.believed(), scene.world.sent(scene.bob));
            scene.inject(friend, damaged(&packet));
            assert_eq!(scene.believed(), before, "{what} of {csid}");
            assert_eq!(scene.world.sent(scene.bob), sent, "{what} of {csid}");
            scene.inject(friend, [packet]);
            assert_ne!(scene.believed(), before, "{what} of {csid}, undamaged");
        }
        assert_eq!(scene.world.endpoint(scene.bob).stats().throttled, 0);
    }
}

#[test]
fn a_damaged_packet_of_a_stranger_gets_no_further_than_the_endpoint() {
    for csid in SETS {
        let (_, [of_alice, _]) = Scene::linked(5, csid);
        let mut packets = of_alice.into_iter().map(uncloaked);
        let handshake = packets.next().unwrap();
        let channel = packets.find(|packet| packet.starts_with(&[0, 0])).unwrap();
        let now = Instant::from_micros(1_000_000_000);
        let unix = Duration::from_secs(1_800_000_000);
        let bob = identity(Who::Bob, &[csid]);
        let mut bob = Endpoint::new(generous(), bob, now, unix, [1; 32]);
        let pipe = PipeId::socket(TransportId(0), stranger());
        for mut packet in damaged(&handshake).chain(damaged(&channel)) {
            let dispatch = bob.handle(now, pipe, &mut packet);
            assert!(
                matches!(dispatch, Dispatch::Drop(why) if why != DropReason::Throttled),
                "{csid}: {dispatch:?}"
            );
        }
        assert!(bob.stats().agreements > handshake.len() as u64, "{csid}");
        let dispatch = bob.handle(now, pipe, &mut handshake.clone());
        assert!(matches!(dispatch, Dispatch::Incoming(_)), "{csid}");
    }
}
