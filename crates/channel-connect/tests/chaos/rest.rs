//! What holds at any time, and what holds once everybody is left alone.

use std::{collections::BTreeSet, time::Duration};

use telehash_link::{MAX_HALF_OPEN, MAX_PIPES, MAX_STRANGER_PREFIXES};

use crate::{
    channels::End,
    ledger::Side,
    plan::Id,
    world::{World, usual},
};

/// By now links have noticed what happened to them, and are up again.
const HEALED: Duration = Duration::from_secs(200);

/// By now everything that was said has arrived.
const SAID: Duration = Duration::from_secs(60);

/// How often a channel is tried to be opened, and how long a full table is given to make room.
const TRIES: usize = 20;
const ROOM: Duration = Duration::from_secs(3);

/// How long links are watched that have nothing to do, and how many datagrams each of them may cost.
const IDLE: Duration = Duration::from_secs(600);
const IDLE_DATAGRAMS: u64 = 400;

/// By now nothing is left to wait for.
const SILENT: Duration = Duration::from_secs(400);

/// More bytes than the largest packet holds, at the charge of its channel.
const LARGEST_PACKET: usize = 9_000 + 1_000;

impl World {
    /// No table and no buffer is larger than it may be.
    pub(crate) fn check_bounds(&self) {
        for node in &self.nodes {
            let stats = node.endpoint.stats();
            assert!(stats.links < self.nodes.len(), "links: {stats:?}");
            assert!(stats.half_open <= MAX_HALF_OPEN, "half open: {stats:?}");
            let sources = 3 * MAX_STRANGER_PREFIXES;
            assert!(stats.sources <= sources, "sources: {stats:?}");
            let pairs = self.nodes.len() * self.nodes.len();
            assert!(stats.pairs <= pairs, "pairs: {stats:?}");
            let flow = &node.config().flow;
            for held in node.links.values() {
                assert!(held.link.pipes().count() <= MAX_PIPES, "pipes");
                let channels = held.link.stats().channels;
                assert!(channels <= 2 * flow.max_channels, "{channels} channels");
                let mut sum = 0;
                for id in held.ends.keys() {
                    let Some(stats) = held.link.channel_stats(*id) else {
                        continue;
                    };
                    sum += stats.held;
                    let most = flow.recv_bytes * 5 / 4 + LARGEST_PACKET;
                    assert!(stats.held <= most, "channel {id} holds too much: {stats:?}");
                    let most = flow.send_bytes + LARGEST_PACKET;
                    assert!(stats.buffered <= most, "channel {id} buffers: {stats:?}");
                }
                let most = flow.link_recv_bytes + held.ends.len() * LARGEST_PACKET;
                assert!(sum <= most, "a link holds {sum} bytes");
            }
        }
    }

    /// The network is well again and nobody disturbs: links come up, everything arrives, channels
    /// end, and in the end all is silent.
    pub(crate) fn come_to_rest(&mut self) {
        self.heal();
        let pairs: BTreeSet<(Id, Id)> = self.wanted.iter().map(|&(a, b, _)| (a, b)).collect();
        for (a, b) in &pairs {
            assert!(self.is_up(*a, *b), "the link of {a} and {b} is not up");
        }
        self.check_channels(&pairs);
        self.check_idleness();
        self.check_silence();
    }

    fn heal(&mut self) {
        let stranger = self.stranger();
        self.restart_stranger(stranger);
        self.network.set_conditions(&usual());
        self.mtu.clear();
        for node in &mut self.nodes {
            node.tidy = true;
            if let Some(until) = &mut node.paused_until {
                *until = self.now;
            }
        }
        self.pass(Duration::from_millis(1));
        self.tidy_up();
        let wanted = self.wanted.clone();
        let routed = wanted.iter().any(|&(.., routed)| routed);
        // Whoever goes through the router has to be linked to it.
        let through: BTreeSet<Id> = wanted
            .iter()
            .filter(|&&(.., routed)| routed)
            .flat_map(|&(from, to, _)| [from, to])
            .collect();
        through.into_iter().for_each(|id| self.link(id, 0, false));
        wanted
            .iter()
            .filter(|&&(.., routed)| !routed)
            .for_each(|&(from, to, _)| self.link(from, to, false));
        self.pass(HEALED);
        if routed {
            for &(from, to, routed) in &wanted {
                if routed {
                    self.link(from, to, true);
                }
            }
            self.pass(HEALED);
        }
        self.check_bounds();
    }

    fn restart_stranger(&mut self, stranger: Id) {
        let seed = self.seed();
        let now = self.now;
        self.nodes[stranger].restart(now, false, seed);
        self.disarm(stranger);
    }

    fn tidy_up(&mut self) {
        for id in 0..self.nodes.len() {
            let keys: Vec<_> = self.nodes[id].links.keys().copied().collect();
            for key in keys {
                self.with_key(id, key, |now, held, ledger| held.work(now, true, ledger));
            }
        }
    }

    /// New channels carry everything to their ends, and no old one is left.
    fn check_channels(&mut self, pairs: &BTreeSet<(Id, Id)>) {
        let mut numbers = Vec::new();
        for &(from, to) in pairs {
            // What is refused for its number says nothing.
            let number = loop {
                let number = self.ledger.open(from, to, true);
                if number % 11 != 10 {
                    break number;
                }
            };
            // The link itself may be using the little room there is, to look for its pipes.
            let mut opened = false;
            for _ in 0..TRIES {
                let end = End::new(number, Side::Opener, true).saying(20_000);
                self.with_link(from, to, |now, held, ledger| {
                    opened = held.open(now, end);
                    held.work(now, true, ledger);
                });
                if opened {
                    break;
                }
                self.pass(ROOM);
            }
            assert!(
                opened,
                "there is never room for a channel of {from} and {to}"
            );
            numbers.push((number, from, to));
        }
        self.pass(SAID);
        for (number, from, to) in numbers {
            for (one, other) in [(from, to), (to, from)] {
                let held = self.held(one, other).expect("the link is up");
                assert!(
                    held.has_closed(number),
                    "channel {number} of {from} and {to} has not closed at {one}: {:?}",
                    held.ends
                );
            }
            self.ledger.assert_complete(number);
        }
        for node in &self.nodes {
            for held in node.links.values() {
                let left = held.left(&self.ledger);
                assert!(left.is_empty(), "channels are left: {left:?}");
                assert_eq!(held.remembered(), 0, "a link remembers: {:?}", held.ends);
            }
        }
    }

    /// Links that have nothing to do only say that they live.
    fn check_idleness(&mut self) {
        let before = self.sent;
        self.pass(IDLE);
        let ends: usize = self.nodes.iter().map(|node| node.links.len()).sum();
        let sent = self.sent - before;
        let most = IDLE_DATAGRAMS * ends as u64;
        assert!(sent <= most, "{ends} idle ends of links sent {sent}");
    }

    /// Nothing is said and nothing is waited for once all links are closed.
    fn check_silence(&mut self) {
        let before = self.sent;
        for id in 0..self.nodes.len() {
            let keys: Vec<_> = self.nodes[id].links.keys().copied().collect();
            for key in keys {
                self.with_key(id, key, |now, held, _| held.link.close(now));
            }
        }
        self.pass(SILENT);
        assert_eq!(self.sent, before, "closed links speak");
        assert_eq!(self.next_wake_up(), None, "something is still waited for");
        for node in &mut self.nodes {
            let keys: Vec<_> = node.links.keys().copied().collect();
            keys.into_iter().for_each(|key| node.remove(key));
            let stats = node.endpoint.stats();
            let left = (stats.links, stats.half_open, stats.bridges, stats.pairs);
            assert_eq!(left, (0, 0, 0, 0), "tables are not empty");
        }
    }
}
