//! Endpoints and a stranger on a simulated network, in virtual time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    env,
    hash::{DefaultHasher, Hasher},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::{Csid, Hashname};
use telehash_link::{CloakPolicy, Config, Instant, LinkKey, LinkState};
use telehash_netsim::{Conditions, Network};

use crate::{
    keys::watched_sets,
    ledger::Ledger,
    node::{Held, Making, Node, Outgoing},
    plan::{Id, Plan, Sets, Shape},
};

/// What paths carry unless something else was said.
const MTU: usize = 1_500;

/// No packet is larger while no path carries more than usual.
const LARGEST_PACKET: usize = 1_500;

/// Datagrams that are remembered, to be sent again.
const CAPTURED: usize = 256;

/// Datagrams that a paused endpoint finds when it goes on.
const SOCKET_BUFFER: usize = 64;

/// Wake-ups at one moment: more than that, and time stands still.
const MAX_STEPS_AT_ONCE: u64 = 20_000;

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) now: Instant,
    /// The last one is the stranger.
    pub(crate) nodes: Vec<Node>,
    pub(crate) ledger: Ledger,
    /// Links that somebody dialled, and whether through the router.
    pub(crate) wanted: BTreeSet<(Id, Id, bool)>,
    pub(crate) captured: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub(crate) mtu: BTreeMap<(Id, Id), usize>,
    /// Bytes that each node got from the place that datagrams are sent from again, and sent there.
    pub(crate) elsewhere: BTreeMap<Id, (usize, usize)>,
    /// Datagrams so far, of everybody but the stranger.
    pub(crate) sent: u64,
    /// Of all datagrams so far.
    pub(crate) trace: DefaultHasher,
    /// What happens is printed.
    talks: bool,
    timers: BTreeSet<(Instant, Id, Option<LinkKey>)>,
    armed: BTreeMap<(Id, Option<LinkKey>), Instant>,
    steps_now: u64,
    sets: CipherSets,
    rng: ChaCha20Rng,
}

impl World {
    pub(crate) fn new(seed: u64, shape: &Shape) -> Self {
        let mut world = Self {
            network: Network::new(seed),
            now: Instant::from_micros(1_000_000_000),
            nodes: Vec::new(),
            ledger: Ledger::default(),
            wanted: BTreeSet::new(),
            captured: VecDeque::new(),
            mtu: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            sent: 0,
            trace: DefaultHasher::new(),
            talks: env::var_os("CHAOS_TRACE").is_some(),
            timers: BTreeSet::new(),
            armed: BTreeMap::new(),
            steps_now: 0,
            sets: watched_sets(),
            rng: ChaCha20Rng::seed_from_u64(seed),
        };
        world.network.set_conditions(&usual());
        for id in 0..=shape.nodes {
            world.add(id, shape);
        }
        let names: BTreeMap<Hashname, Id> = world.nodes[..shape.nodes]
            .iter()
            .map(|node| (node.name(), node.id))
            .collect();
        for node in &mut world.nodes {
            node.friends.clone_from(&names);
        }
        world
    }

    /// Does everything that a plan says, and then sees that all is well.
    ///
    /// # Panics
    /// If a promise is broken.
    pub(crate) fn run(plan: &Plan) -> Self {
        let mut world = Self::new(plan.seed, &plan.shape);
        for operation in &plan.operations {
            if world.talks {
                println!("{} {operation:?}", world.now.as_micros());
            }
            world.operate(operation);
            world.check_bounds();
        }
        world.come_to_rest();
        world
    }

    fn add(&mut self, id: Id, shape: &Shape) {
        let csids: &[Csid] = match shape.sets {
            Sets::Cs3a => &[Csid::CS3A],
            Sets::Cs42 => &[Csid::CS42],
            Sets::Both => &[Csid::CS3A, Csid::CS42],
        };
        let identity = Identity::generate(&self.sets, csids, &mut self.rng).unwrap();
        let making = Making {
            id,
            identity,
            config: config(shape),
            address: address(id, 1),
            routes: shape.router && id == 0,
            tells: shape.tells,
            seed: self.seed(),
        };
        self.nodes.push(Node::new(self.now, making));
    }

    pub(crate) fn stranger(&self) -> Id {
        self.nodes.len() - 1
    }

    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    pub(crate) fn random(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn held(&self, from: Id, to: Id) -> Option<&Held> {
        self.nodes[from].held_to(&self.nodes[to].name())
    }

    pub(crate) fn is_up(&self, a: Id, b: Id) -> bool {
        let up = |from, to| {
            let held = self.held(from, to);
            held.is_some_and(|held: &Held| held.link.state() == LinkState::Up)
        };
        up(a, b) && up(b, a)
    }

    /// Does something with the link from one node to another, and drains it.
    pub(crate) fn with_link(
        &mut self,
        from: Id,
        to: Id,
        work: impl FnOnce(Instant, &mut Held, &mut Ledger),
    ) {
        let name = self.nodes[to].name();
        if let Some(key) = self.nodes[from].key_to(&name) {
            self.with_key(from, key, work);
        }
    }

    pub(crate) fn with_key(
        &mut self,
        from: Id,
        key: LinkKey,
        work: impl FnOnce(Instant, &mut Held, &mut Ledger),
    ) {
        if let Some(held) = self.nodes[from].links.get_mut(&key) {
            work(self.now, held, &mut self.ledger);
        }
        self.settle(from, vec![key]);
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next_wake_up().is_some_and(|next| next <= end) {
            self.step();
        }
        self.now = end;
    }

    /// When something happens next. Timers of who is paused wait.
    pub(crate) fn next_wake_up(&self) -> Option<Instant> {
        let woken = self.nodes.iter().filter_map(|node| node.paused_until);
        let runs = |id: Id| self.nodes[id].paused_until.is_none();
        let timer = self.timers.iter().find(|(_, id, _)| runs(*id));
        let timer = timer.map(|(at, ..)| *at);
        woken.chain(timer).chain(self.network.next_delivery()).min()
    }

    /// Timers that are set.
    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }

    fn step(&mut self) {
        let Some(next) = self.next_wake_up() else {
            return;
        };
        self.steps_now = if next > self.now {
            0
        } else {
            self.steps_now + 1
        };
        assert!(
            self.steps_now < MAX_STEPS_AT_ONCE,
            "time stands still: {:?}",
            self.timers.first()
        );
        self.now = self.now.max(next);
        self.wake();
        while let Some(packet) = self.network.poll_delivery(self.now) {
            self.deliver(packet.from, packet.to, packet.bytes);
        }
        self.time_out();
    }

    /// Whoever was paused long enough finds what came meanwhile.
    fn wake(&mut self) {
        for id in 0..self.nodes.len() {
            let node = &mut self.nodes[id];
            if node.paused_until.is_some_and(|until| until <= self.now) {
                node.paused_until = None;
                for (from, bytes) in std::mem::take(&mut node.waiting) {
                    let todo = self.nodes[id].receive(self.now, from, bytes);
                    self.settle(id, todo);
                }
            }
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let mut nodes = self.nodes.iter_mut();
        let Some(node) = nodes.find(|node| node.address == to) else {
            return;
        };
        if node.paused_until.is_some() {
            if node.waiting.len() < SOCKET_BUFFER {
                node.waiting.push((from, bytes));
            }
            return;
        }
        let (id, todo) = (node.id, node.receive(self.now, from, bytes));
        self.settle(id, todo);
    }

    fn time_out(&mut self) {
        let due = |(at, id, _): &&(Instant, Id, Option<LinkKey>)| {
            *at <= self.now && self.nodes[*id].paused_until.is_none()
        };
        let due: Vec<_> = self
            .timers
            .iter()
            .take_while(|(at, ..)| *at <= self.now)
            .filter(due)
            .copied()
            .collect();
        for (at, id, key) in due {
            if self.timers.remove(&(at, id, key)) {
                self.armed.remove(&(id, key));
                let todo = self.nodes[id].handle_timeout(self.now, key);
                self.settle(id, todo);
            }
        }
    }

    /// Drains links until nothing changes any more.
    pub(crate) fn settle(&mut self, id: Id, mut todo: Vec<LinkKey>) {
        let mut sent = Vec::new();
        let mut touched = BTreeSet::new();
        while let Some(key) = todo.pop() {
            touched.insert(key);
            todo.extend(self.nodes[id].drain(self.now, key, &mut self.ledger, &mut sent));
        }
        for outgoing in sent {
            self.emit(id, outgoing);
        }
        for key in touched {
            let held = self.nodes[id].links.get(&key);
            self.arm(id, Some(key), held.and_then(Held::due));
        }
        self.arm(id, None, self.nodes[id].endpoint.poll_timeout());
    }

    /// Sets a timer, or none.
    fn arm(&mut self, id: Id, key: Option<LinkKey>, due: Option<Instant>) {
        let armed = self.armed.get(&(id, key)).copied();
        if armed == due {
            return;
        }
        if let Some(at) = armed {
            self.timers.remove(&(at, id, key));
            self.armed.remove(&(id, key));
        }
        if let Some(at) = due {
            self.timers.insert((at, id, key));
            self.armed.insert((id, key), at);
        }
    }

    /// The timers of a node are those of another process from now on.
    pub(crate) fn disarm(&mut self, id: Id) {
        self.timers.retain(|(_, of, _)| *of != id);
        self.armed.retain(|(of, _), _| *of != id);
    }

    /// A datagram leaves: nothing goes to whom nobody knows.
    fn emit(&mut self, id: Id, outgoing: Outgoing) {
        let Outgoing {
            to,
            bytes,
            fragment,
        } = outgoing;
        let stranger = self.stranger();
        assert!(
            to != self.nodes[stranger].address,
            "node {id} answered a stranger"
        );
        let from = self.nodes[id].address;
        if self.talks {
            println!(
                "{} {from} > {to}: {} bytes",
                self.now.as_micros(),
                bytes.len()
            );
        }
        self.trace.write(&bytes);
        if id != stranger {
            self.sent += 1;
        }
        if to == elsewhere() {
            return self.answer_elsewhere(id, bytes.len());
        }
        if self.captured.len() >= CAPTURED {
            self.captured.pop_front();
        }
        self.captured.push_back((from, to, bytes.clone()));
        if fragment || bytes.len() <= self.mtu_to(id, to) {
            self.network.send(self.now, from, to, bytes);
        }
    }

    /// Who has proved nothing gets three times what he sent, and the rest of one packet more.
    fn answer_elsewhere(&mut self, id: Id, bytes: usize) {
        let most_more = LARGEST_PACKET * self.nodes[id].links.len();
        let (received, answered) = self.elsewhere.entry(id).or_default();
        *answered += bytes;
        assert!(
            *answered <= 3 * *received + most_more,
            "{answered} bytes went to a place that sent {received}"
        );
    }

    fn mtu_to(&self, from: Id, to: SocketAddr) -> usize {
        let to = self.nodes.iter().find(|node| node.address == to);
        let mtu = to.and_then(|node| self.mtu.get(&(from, node.id)));
        mtu.copied().unwrap_or(MTU)
    }
}

/// Where datagrams are sent from again.
pub(crate) fn elsewhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 77), 7))
}

/// The `nth` address that a node has in its life.
pub(crate) fn address(id: Id, nth: u8) -> SocketAddr {
    let [.., a, b] = u32::try_from(id).unwrap().to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, a, b, nth), 42424))
}

pub(crate) fn usual() -> Conditions {
    Conditions::perfect().with_delay(Duration::from_millis(15))
}

fn config(shape: &Shape) -> Config {
    let mut config = Config::default();
    if !shape.cloak {
        config.transports[0].cloak = CloakPolicy::MatchPeer;
    }
    config.head_only_cloak = shape.head_only;
    if shape.small {
        let flow = &mut config.flow;
        flow.max_channels = 8;
        flow.recv_bytes = 20_000;
        flow.link_recv_bytes = 60_000;
        flow.send_bytes = 30_000;
        flow.unsent_bytes = 10_000;
        flow.unreliable_packets = 8;
    }
    config
}
