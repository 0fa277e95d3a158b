//! The operations of a plan, done.

use std::{net::SocketAddr, time::Duration};

use telehash_link::{LinkState, PipeId, TransportId};
use telehash_netsim::{Conditions, Loss};

use crate::{
    channels::End,
    ledger::Side,
    plan::{Id, Operation, Weather},
    world::{World, elsewhere, usual},
};

/// Packets that one reading takes at most.
const READ: usize = 8;

impl World {
    pub(crate) fn operate(&mut self, operation: &Operation) {
        match *operation {
            Operation::Pass { millis } => self.pass(Duration::from_millis(millis.into())),
            Operation::Link { from, to, routed } => self.link(from, to, routed),
            Operation::Close { from, to } => {
                self.with_link(from, to, |now, held, _| held.link.close(now));
                self.remove(from, to);
            }
            Operation::Remove { from, to } => self.remove(from, to),
            Operation::Open { from, to, reliable } => self.open(from, to, reliable),
            Operation::Weather {
                one,
                other,
                weather,
            } => self.weather(one, other, weather),
            Operation::Mtu { one, other, mtu } => {
                self.mtu.insert((one, other), mtu);
                self.mtu.insert((other, one), mtu);
            }
            Operation::Pause { node, seconds } => {
                let until = self.now + Duration::from_secs(seconds.into());
                self.nodes[node].paused_until.get_or_insert(until);
            }
            Operation::Restart { node, keeps } => self.restart(node, keeps),
            Operation::Move { node, told } => self.relocate(node, told),
            Operation::Jump { node, seconds } => self.nodes[node].jump(self.now, seconds),
            Operation::Knock { to } => self.knock(to),
            Operation::Garbage { to, bytes } => self.garbage(to, bytes),
            Operation::Replay { nth, moved } => self.replay(nth, moved),
            Operation::Write { node, nth, .. }
            | Operation::Send { node, nth, .. }
            | Operation::Read { node, nth }
            | Operation::End { node, nth }
            | Operation::Fail { node, nth }
            | Operation::Forget { node, nth } => self.channel(node, nth, operation),
        }
    }

    pub(crate) fn link(&mut self, from: Id, to: Id, routed: bool) {
        if self.nodes[from].paused_until.is_some() {
            return;
        }
        self.wanted.insert((from, to, routed));
        let pipe = if routed {
            PipeId::router(self.nodes[0].name())
        } else {
            PipeId::socket(TransportId(0), self.nodes[to].address)
        };
        let (now, peer) = (self.now, self.nodes[to].identity().clone());
        let key = self.nodes[from].dial(now, &peer, pipe);
        self.settle(from, key.into_iter().collect());
    }

    pub(crate) fn remove(&mut self, from: Id, to: Id) {
        let name = self.nodes[to].name();
        if let Some(key) = self.nodes[from].key_to(&name) {
            self.nodes[from].remove(key);
            self.settle(from, vec![key]);
        }
    }

    fn open(&mut self, from: Id, to: Id, reliable: bool) {
        if self.nodes[from].paused_until.is_some() || self.held(from, to).is_none() {
            return;
        }
        let number = self.ledger.open(from, to, reliable);
        let end = End::new(number, Side::Opener, reliable);
        self.with_link(from, to, |now, held, _| {
            if held.link.state() == LinkState::Up {
                let _ = held.open(now, end);
            }
        });
    }

    fn channel(&mut self, node: Id, nth: usize, operation: &Operation) {
        let all = self.nodes[node].channels();
        if all.is_empty() || self.nodes[node].paused_until.is_some() {
            return;
        }
        let (key, id) = all[nth % all.len()];
        let operation = *operation;
        self.with_key(node, key, |now, held, ledger| match operation {
            Operation::Write { bytes, .. } => held.write(now, id, bytes, ledger),
            Operation::Send { bytes, .. } => held.send(now, id, bytes, ledger),
            Operation::Read { .. } => held.read(now, id, READ, ledger),
            Operation::End { .. } => held.end(now, id, ledger),
            Operation::Fail { .. } => held.fail(now, id, ledger),
            // Whoever has nothing to say would wait for ever on a reliable one.
            _ if held.ends.get(&id).is_some_and(|end| !end.reliable) => {
                held.link.forget(id);
                held.ends.remove(&id);
            }
            _ => {}
        });
    }

    fn weather(&mut self, one: Id, other: Id, weather: Weather) {
        let conditions = match weather {
            Weather::Fine => usual(),
            Weather::Far => Conditions::perfect()
                .with_delay(Duration::from_millis(300))
                .with_jitter(Duration::from_millis(100)),
            Weather::Lossy => usual()
                .with_loss(Loss::Random(0.1))
                .with_loss(Loss::bursts(0.1, 5.0)),
            Weather::Wild => usual()
                .with_loss(Loss::Random(0.05))
                .with_duplication(0.2)
                .with_corruption(0.1)
                .with_reordering(0.3, Duration::from_millis(40)),
            Weather::Dead => usual().with_loss(Loss::Random(1.0)),
        };
        let [one, other] = [one, other].map(|id| self.nodes[id].address);
        self.network.set_between(one, other, &conditions);
    }

    fn restart(&mut self, node: Id, keeps: bool) {
        let seed = self.seed();
        self.nodes[node].paused_until = None;
        self.nodes[node].restart(self.now, keeps, seed);
        self.disarm(node);
    }

    /// The node has another address from now on, and may know that.
    fn relocate(&mut self, node: Id, told: bool) {
        let mut address = self.nodes[node].address;
        let SocketAddr::V4(old) = &mut address else {
            return;
        };
        let [a, b, c, d] = old.ip().octets();
        old.set_ip([a, b, c, d % 250 + 1].into());
        self.nodes[node].address = address;
        if told && self.nodes[node].paused_until.is_none() {
            let keys: Vec<_> = self.nodes[node].links.keys().copied().collect();
            for key in keys {
                self.with_key(node, key, |now, held, _| held.link.network_changed(now));
            }
        }
    }

    /// The stranger asks for a link.
    fn knock(&mut self, to: Id) {
        let stranger = self.stranger();
        let pipe = PipeId::socket(TransportId(0), self.nodes[to].address);
        let (now, peer) = (self.now, self.nodes[to].identity().clone());
        let key = self.nodes[stranger].dial(now, &peer, pipe);
        self.settle(stranger, key.into_iter().collect());
    }

    fn garbage(&mut self, to: Id, bytes: usize) {
        let bytes = self.random(bytes);
        let from = self.nodes[self.stranger()].address;
        let to = self.nodes[to].address;
        self.network.send(self.now, from, to, bytes);
    }

    fn replay(&mut self, nth: usize, moved: bool) {
        if self.captured.is_empty() {
            return;
        }
        let (from, to, bytes) = self.captured[nth % self.captured.len()].clone();
        // What the stranger sent is the stranger's.
        if moved && from != self.nodes[self.stranger()].address {
            let node = self.nodes.iter().find(|node| node.address == to);
            if let Some(node) = node {
                self.elsewhere.entry(node.id).or_default().0 += bytes.len();
            }
            self.network.send(self.now, elsewhere(), to, bytes);
        } else {
            self.network.send(self.now, from, to, bytes);
        }
    }
}
