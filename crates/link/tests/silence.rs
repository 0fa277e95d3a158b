//! Silence is the default (links.md, Trust): strangers, garbage and replays get nothing back.

mod common;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Only, Peer, pattern};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::Csid;
use telehash_link::{HandshakeMessage, MAX_HALF_OPEN};
use telehash_lob::cloak;
use telehash_netsim::{NodeId, World};

/// Packets of each kind.
const PACKETS: usize = 20_000;

/// A victim that accepts only its friend, linked to it, and what the friend ever sent to it.
/// One set that keeps its ephemerals, and one whose every round has a fresh one.
const SETS: [Csid; 2] = [Csid::CS3A, Csid::CS42];

struct Scene {
    world: World,
    victim: NodeId,
    friend: NodeId,
    history: Vec<Vec<u8>>,
    rng: ChaCha20Rng,
}

impl Scene {
    fn new(seed: u64, csid: Csid) -> Self {
        let mut world = World::new(seed).with_sets(&[csid]);
        let accepted = Arc::new(Mutex::new(BTreeSet::new()));
        let victim = world.add(Only(accepted.clone()));
        let friend = world.add(Peer::default());
        accepted
            .lock()
            .unwrap()
            .insert(world.identity(friend).hashname());
        world.record(friend);
        world.connect(friend, victim).unwrap();
        assert!(world.drive(Duration::from_secs(30), |world| world.is_up(victim, friend)));
        world.run(Duration::from_secs(200));
        let history = world
            .recorded(friend)
            .into_iter()
            .map(|(_, datagram)| datagram)
            .collect();
        world.record(friend);
        Self {
            world,
            victim,
            friend,
            history,
            rng: ChaCha20Rng::seed_from_u64(seed + 1000),
        }
    }

    /// An address that nobody uses; many prefixes, so that no bucket hides anything.
    fn stranger(&mut self) -> SocketAddr {
        let [a, b, c, d] = self.rng.next_u32().to_be_bytes();
        SocketAddr::from(([172, a, b, c], 1024 + u16::from(d)))
    }

    fn inject(&mut self, datagram: &[u8]) {
        let from = self.stranger();
        self.world.inject(from, self.victim, datagram);
    }

    /// Lets everything arrive, and checks that only the friend was ever sent to.
    fn assert_silence(mut self) {
        self.world.run(Duration::from_secs(60));
        let friend = self.world.address(self.friend);
        assert_eq!(self.world.contacted(self.victim), [friend]);
        assert!(self.world.endpoint(self.victim).stats().half_open <= MAX_HALF_OPEN);
        assert!(
            self.world.is_up(self.victim, self.friend),
            "the live link keeps working"
        );
    }
}

#[test]
fn valid_handshakes_of_strangers_get_no_answer() {
    for csid in SETS {
        let mut scene = Scene::new(1, csid);
        let sets = CipherSets::default();
        let victim = scene.world.identity(scene.victim).clone();
        let stranger = Identity::generate(&sets, &[csid], &mut scene.rng).unwrap();
        let local = stranger.local(csid).unwrap();
        let remote = victim.keys().key(csid).unwrap();
        let mut exchange = local.exchange(remote, &mut scene.rng).unwrap();
        for at in 0..PACKETS as u64 {
            if at % 100 == 0 {
                exchange = local.exchange(remote, &mut scene.rng).unwrap();
            }
            let message = HandshakeMessage::link(1_800_001_000 + at, stranger.keys().clone());
            let inner = message.to_bytes(csid).unwrap();
            let packet = exchange.seal(&inner, &mut scene.rng).unwrap();
            let mut datagram = cloak::make_nonce(at.to_le_bytes()).to_vec();
            datagram.extend_from_slice(&packet);
            cloak::cloak_in_place(&mut datagram);
            scene.inject(&datagram);
            scene.world.run(Duration::from_millis(2));
        }
        let stats = scene.world.endpoint(scene.victim).stats();
        assert!(
            stats.agreements > 1_000,
            "the handshakes were looked at: {stats:?}"
        );
        scene.assert_silence();
    }
}

#[test]
fn garbage_gets_no_answer() {
    for csid in SETS {
        let mut scene = Scene::new(2, csid);
        for n in 0..PACKETS {
            let mut datagram = vec![0; n % 1500];
            scene.rng.fill_bytes(&mut datagram);
            if n % 3 == 0 && datagram.len() > 3 {
                // Uncloaked: a handshake's or a channel packet's beginning.
                datagram[..3].copy_from_slice(if n % 2 == 0 {
                    &[0, 1, 0x3a]
                } else {
                    &[0, 0, 7]
                });
            }
            scene.inject(&datagram);
            scene.world.run(Duration::from_micros(500));
        }
        scene.assert_silence();
    }
}

#[test]
fn truncated_and_flipped_packets_of_the_friend_get_no_answer() {
    for csid in SETS {
        let mut scene = Scene::new(3, csid);
        for n in 0..PACKETS {
            let mut datagram = scene.history[n % scene.history.len()].clone();
            if n % 2 == 0 {
                datagram.truncate(n / 2 % datagram.len());
            } else {
                let at = n / 2 % datagram.len();
                datagram[at] ^= 1 << (n % 8);
            }
            scene.inject(&datagram);
            scene.world.run(Duration::from_micros(500));
        }
        scene.assert_silence();
    }
}

#[test]
fn replays_of_old_handshakes_and_channel_packets_get_no_answer() {
    for csid in SETS {
        let mut scene = Scene::new(4, csid);
        for n in 0..PACKETS {
            let datagram = scene.history[n % scene.history.len()].clone();
            scene.inject(&datagram);
            scene.world.run(Duration::from_micros(500));
        }
        scene.assert_silence();
    }
}

#[test]
fn a_replay_after_a_restart_moves_no_link() {
    for csid in SETS {
        let mut scene = Scene::new(5, csid);
        scene.world.restart(scene.friend, true);
        scene.world.connect(scene.friend, scene.victim).unwrap();
        assert!(scene.world.drive(Duration::from_secs(60), |world| {
            world.is_up(scene.victim, scene.friend)
        }));
        for n in 0..2_000 {
            let datagram = scene.history[n % scene.history.len()].clone();
            scene.inject(&datagram);
            scene.world.run(Duration::from_millis(5));
        }
        scene.assert_silence();
    }
}

#[test]
fn a_flood_does_not_stop_the_friends_stream() {
    for csid in SETS {
        let mut world = World::new(6).with_sets(&[csid]);
        let accepted = Arc::new(Mutex::new(BTreeSet::new()));
        let victim = world.add(Peer::default());
        let data = pattern(300_000);
        let (sender, _) = Peer::sending(data.clone());
        let friend = world.add(sender);
        accepted
            .lock()
            .unwrap()
            .insert(world.identity(friend).hashname());
        world.connect(friend, victim).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        for n in 0..2_000u32 {
            let mut datagram = vec![0; 100 + n as usize % 1000];
            rng.fill_bytes(&mut datagram);
            let [a, b, ..] = n.to_be_bytes();
            world.inject(SocketAddr::from(([172, 16, a, b], 9)), victim, &datagram);
            world.run(Duration::from_millis(1));
        }
        world.run(Duration::from_secs(20));
        assert!(world.is_up(victim, friend));
        let stats = world.link(victim, friend).unwrap().stats();
        assert!(stats.bytes_received > data.len() as u64, "{stats:?}");
    }
}
