//! Many endpoints, one network, one virtual clock.

mod app;
mod node;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use telehash_e3x::{CipherSets, Identity, Instant};
use telehash_hashname::Csid;
use telehash_link::{
    Config, ConnectError, Endpoint, HandshakeMessage, Link, LinkKey, LinkState, Welcome,
};

pub use self::app::App;
use self::node::Node;
use crate::Network;

/// Names a node of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(usize);

/// Endpoints on a simulated network in virtual time. The same seed gives the same run, to the byte.
pub struct World {
    network: Network,
    now: Instant,
    nodes: Vec<Node>,
    rng: ChaCha20Rng,
    csids: Vec<Csid>,
    steps: u64,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            network: Network::new(seed),
            // Not 0: what looks at the past must not underflow.
            now: Instant::from_micros(1_000_000_000),
            nodes: Vec::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            csids: Vec::from([Csid::CS3A]),
            steps: 0,
        }
    }

    /// The same, with other cipher sets for the nodes that are [added](Self::add) from now on. Their
    /// features have to be enabled.
    #[must_use]
    pub fn with_sets(mut self, csids: &[Csid]) -> Self {
        self.csids = csids.to_vec();
        self
    }

    /// Adds a node with a new identity, of cipher set 3a unless others were
    /// [chosen](Self::with_sets), and an address of its own.
    ///
    /// # Panics
    /// If the identity cannot be made: a cipher set that is not enabled.
    pub fn add(&mut self, app: impl App + 'static) -> NodeId {
        let identity = Identity::generate(&CipherSets::default(), &self.csids, &mut self.rng)
            .expect("the cipher sets are enabled");
        self.add_with(identity, Config::default(), app)
    }

    /// Adds a node with this identity and configuration.
    pub fn add_with(
        &mut self,
        identity: Identity,
        config: Config,
        app: impl App + 'static,
    ) -> NodeId {
        let id = NodeId(self.nodes.len());
        let seed = self.seed();
        let address = address(self.nodes.len(), 1);
        let node = Node::new(self.now, identity, config, address, Box::new(app), seed);
        self.nodes.push(node);
        id
    }

    /// The network, to impair it or to look at it.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Wake-ups so far: how much was done, for bounds on it.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Where a node is.
    #[must_use]
    pub fn address(&self, node: NodeId) -> SocketAddr {
        self.nodes[node.0].address()
    }

    /// Gives a node one more address, for the next transport of its configuration. Packets of that
    /// transport come and go there.
    ///
    /// # Panics
    /// If the configuration has no further transport.
    pub fn add_address(&mut self, node: NodeId) -> SocketAddr {
        self.nodes[node.0].add_address()
    }

    /// Who a node is.
    #[must_use]
    pub fn identity(&self, node: NodeId) -> &Identity {
        self.nodes[node.0].identity()
    }

    /// The endpoint of a node.
    #[must_use]
    pub fn endpoint(&self, node: NodeId) -> &Endpoint {
        self.nodes[node.0].endpoint()
    }

    /// Datagrams that a node sent.
    #[must_use]
    pub fn sent(&self, node: NodeId) -> u64 {
        self.nodes[node.0].sent().values().sum()
    }

    /// Datagrams that a node sent to this address.
    #[must_use]
    pub fn sent_to(&self, node: NodeId, address: SocketAddr) -> u64 {
        self.nodes[node.0]
            .sent()
            .get(&address)
            .copied()
            .unwrap_or(0)
    }

    /// Addresses that a node sent datagrams to.
    #[must_use]
    pub fn contacted(&self, node: NodeId) -> Vec<SocketAddr> {
        self.nodes[node.0].sent().keys().copied().collect()
    }

    /// Keeps what a node sends from now on, for [`recorded`](Self::recorded).
    pub fn record(&mut self, node: NodeId) {
        self.nodes[node.0].record();
    }

    /// What a node sent since [`record`](Self::record), and where to. Ends the recording.
    pub fn recorded(&mut self, node: NodeId) -> Vec<(SocketAddr, Vec<u8>)> {
        self.nodes[node.0].recorded()
    }

    /// The link from one node to another.
    #[must_use]
    pub fn link(&self, from: NodeId, to: NodeId) -> Option<&Link> {
        let peer = self.identity(to).hashname();
        self.nodes[from.0]
            .links()
            .values()
            .find(|link| link.hashname() == peer)
    }

    /// Whether both ends of a link say that it is up.
    #[must_use]
    pub fn is_up(&self, a: NodeId, b: NodeId) -> bool {
        let up = |from, to| {
            self.link(from, to)
                .is_some_and(|link: &Link| link.state() == LinkState::Up)
        };
        up(a, b) && up(b, a)
    }

    /// Begins a link.
    ///
    /// # Errors
    /// What [`Endpoint::connect`] says.
    pub fn connect(&mut self, from: NodeId, to: NodeId) -> Result<LinkKey, ConnectError> {
        self.connect_with(from, to, Vec::new())
    }

    /// Begins a link whose handshakes carry these messages beside; see [`Link::set_beside`].
    ///
    /// # Errors
    /// What [`Endpoint::connect`] says.
    ///
    /// # Panics
    /// The messages cannot be sent.
    pub fn connect_with(
        &mut self,
        from: NodeId,
        to: NodeId,
        beside: Vec<HandshakeMessage>,
    ) -> Result<LinkKey, ConnectError> {
        let (peer, address) = (self.identity(to).clone(), self.address(to));
        self.nodes[from.0].connect(self.now, &peer, address, beside, &mut self.network)
    }

    /// Says which strangers a node is to listen to.
    pub fn set_welcome(&mut self, node: NodeId, welcome: Welcome) {
        self.nodes[node.0].endpoint.set_welcome(welcome);
    }

    /// Does something with the link from one node to another, and drains it. `None` without one.
    pub fn with_link<R>(
        &mut self,
        from: NodeId,
        to: NodeId,
        work: impl FnOnce(Instant, &mut Link) -> R,
    ) -> Option<R> {
        let peer = self.identity(to).hashname();
        let node = &mut self.nodes[from.0];
        let key = *node
            .links()
            .iter()
            .find(|(_, link)| link.hashname() == peer)?
            .0;
        let now = self.now;
        node.work(now, key, &mut self.network, |link| work(now, link))
    }

    /// Puts a datagram of anybody's making on the network.
    pub fn inject(&mut self, from: SocketAddr, to: NodeId, datagram: &[u8]) {
        let to = self.address(to);
        self.network.send(self.now, from, to, datagram.to_vec());
    }

    /// Ends a node's process and starts it anew: without `keep_state` it forgot every `at`.
    pub fn restart(&mut self, node: NodeId, keep_state: bool) {
        let seed = self.seed();
        let address = self.address(node);
        self.nodes[node.0].restart(self.now, keep_state, address, seed);
    }

    /// Sets a node's clock this many seconds ahead of (or behind) the others.
    pub fn set_skew(&mut self, node: NodeId, seconds: i64) {
        self.nodes[node.0].set_skew(self.now, seconds);
    }

    /// Jumps to the next wake-up and does what is due. False if there is nothing to wait for.
    pub fn step(&mut self) -> bool {
        let timeouts = self.nodes.iter().filter_map(Node::poll_timeout);
        let Some(next) = timeouts.chain(self.network.next_delivery()).min() else {
            return false;
        };
        self.now = self.now.max(next);
        self.steps += 1;
        while let Some(delivery) = self.network.poll_delivery(self.now) {
            let to = delivery.to;
            let mut owners = self.nodes.iter_mut();
            let owner = owners.find_map(|node| Some((node.transport_at(to)?, node)));
            if let Some((transport, node)) = owner {
                let from = (transport, delivery.from);
                node.receive(self.now, from, delivery.bytes, &mut self.network);
            }
        }
        for node in &mut self.nodes {
            if node.poll_timeout().is_some_and(|due| due <= self.now) {
                node.handle_timeout(self.now, &mut self.network);
            }
        }
        true
    }

    /// Runs until `done`, at most `limit` long. Returns whether it is done.
    pub fn drive(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step() || self.now > end {
                return done(self);
            }
        }
    }

    /// Runs for this long.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.next_wake_up().is_some_and(|next| next <= end) && self.step() {}
        self.now = self.now.max(end);
    }

    /// As [`drive`](Self::drive), but panics after `steps` wake-ups: catches livelock.
    ///
    /// # Panics
    /// If it takes more than `steps` wake-ups.
    pub fn drive_bounded(
        &mut self,
        limit: Duration,
        steps: u64,
        done: impl FnMut(&Self) -> bool,
    ) -> bool {
        let last = self.steps + steps;
        let mut done = done;
        self.drive(limit, |world| {
            assert!(world.steps <= last, "more than {steps} wake-ups: livelock");
            done(world)
        })
    }

    fn next_wake_up(&self) -> Option<Instant> {
        let timeouts = self.nodes.iter().filter_map(Node::poll_timeout);
        timeouts.chain(self.network.next_delivery()).min()
    }

    fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }
}

fn address(node: usize, host: u8) -> SocketAddr {
    let [.., a, b] = (node as u32).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, a, b, host), 42424))
}
