//! Endpoints on a simulated network, some of which route for others, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use telehash_channel_connect::{
    self as connect, Arrival, ConnectOpen, Introduction, Pairing, Presented,
};
use telehash_channel_path::{PathAgent, PathConfig, PathEvent, Whereabouts};
use telehash_channel_peer::{self as peer, PeerOpen, Target};
use telehash_e3x::{CipherSets, Exchange, Identity};
use telehash_hashname::{Csid, Hashname, KeySet, Path, base32};
use telehash_link::{
    ChannelEvent, ChannelId, Config, Dispatch, DropReason, Endpoint, Event, HandshakeMessage,
    Incoming, Instant, Introduced, Kind, Link, LinkKey, LinkOptions, LinkState, Packet, PathSource,
    PipeId, Remote, SessionId, TransportId,
};
use telehash_netsim::Network;
use telehash_uri::Fragment;

const UNIX: Duration = Duration::from_secs(1_800_000_000);

/// Names a node.
pub(crate) type Id = usize;

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    timers: BTreeSet<(Instant, Id, LinkKey)>,
    /// What leaves, as it is on the wire: sender, destination, bytes.
    pub(crate) recorded: Option<Vec<(Id, SocketAddr, Vec<u8>)>>,
    rng: ChaCha20Rng,
}

pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    identity: Identity,
    config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) links: BTreeMap<LinkKey, Held>,
    pub(crate) places: Places,
    /// Whom to accept besides those that it links to itself; everyone if `None`.
    pub(crate) accepts: Option<BTreeSet<Hashname>>,
    /// Whom it asked routers for, without their keys.
    wanted: BTreeSet<Hashname>,
    /// Goes to the routers that its peers name.
    pub(crate) follows: bool,
    /// Does not answer handshakes that come through routers with what they say, but lies.
    pub(crate) lies: Option<Lie>,
    /// Strangers that it was told of by routers.
    pub(crate) discovered: Vec<Hashname>,
    /// Bodies of `connect`s, as they came: the router, who it is from, the body.
    pub(crate) connects: Vec<(Hashname, Hashname, Bytes)>,
    pub(crate) drops: Vec<DropReason>,
    /// The URI that it shares, once, by its custom part.
    pub(crate) shares: Option<Fragment>,
    /// What it presents to whoever shared a URI, until that one answered.
    pub(crate) presents: Option<Fragment>,
    /// Who waits for a URI, or the other way round.
    pub(crate) pairing: Pairing<Fragment>,
    /// What it read of requests and paths, from each of its peers.
    heard: BTreeMap<Hashname, Vec<u8>>,
    /// Bytes received on reliable channels.
    pub(crate) received: Vec<u8>,
    pub(crate) restarted: usize,
    /// How often it worked on something.
    pub(crate) steps: usize,
}

/// What a hostile router does with requests.
#[derive(Clone, Debug)]
pub(crate) enum Lie {
    /// Hands everybody this in place of what was sent.
    Body(Bytes),
    /// Says that everything is from this one.
    Name(Hashname),
    /// Hands everything on this often.
    Repeats(usize),
}

pub(crate) struct Held {
    pub(crate) link: Link,
    agent: PathAgent,
    armed: Option<Instant>,
    streams: BTreeSet<ChannelId>,
}

/// Where a node says that it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) told: Vec<Path>,
}

impl Whereabouts for Places {
    fn local_paths(&self) -> Vec<Path> {
        self.told.clone()
    }

    fn path_of(&self, pipe: PipeId) -> Option<Path> {
        match pipe.remote {
            Remote::Socket(address) => Some(Path::udp(address)),
            Remote::Router(router) => Some(Path::peer(router)),
            Remote::Connection(_) => None,
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            network: Network::new(seed),
            now: Instant::from_micros(1_000_000_000),
            nodes: Vec::new(),
            timers: BTreeSet::new(),
            recorded: None,
            rng: ChaCha20Rng::seed_from_u64(seed),
        }
    }

    pub(crate) fn add(&mut self) -> Id {
        self.add_with(&[Csid::CS3A], Config::default())
    }

    pub(crate) fn add_with(&mut self, sets: &[Csid], config: Config) -> Id {
        let id = self.nodes.len();
        let identity = Identity::generate(&CipherSets::default(), sets, &mut self.rng).unwrap();
        let [.., a, b] = u32::try_from(id).unwrap().to_be_bytes();
        let address = SocketAddr::from((Ipv4Addr::new(10, a, b, 1), 42424));
        let node = Node {
            endpoint: endpoint(self.now, &config, &identity, id),
            identity,
            config,
            address,
            links: BTreeMap::new(),
            places: Places::default(),
            accepts: None,
            wanted: BTreeSet::new(),
            follows: true,
            lies: None,
            discovered: Vec::new(),
            connects: Vec::new(),
            drops: Vec::new(),
            shares: None,
            presents: None,
            pairing: Pairing::default(),
            heard: BTreeMap::new(),
            received: Vec::new(),
            restarted: 0,
            steps: 0,
        };
        self.nodes.push(node);
        id
    }

    pub(crate) fn name(&self, id: Id) -> Hashname {
        self.nodes[id].endpoint.hashname()
    }

    pub(crate) fn keys(&self, id: Id) -> KeySet {
        self.nodes[id].identity.keys().clone()
    }

    /// What a node has of its links, if they are those to these peers and began in this order: its
    /// keys, made as its endpoint makes them.
    pub(crate) fn exchanges(&self, id: Id, peers: &[Id]) -> Vec<Box<dyn Exchange>> {
        let mut rng = ChaCha20Rng::from_seed(seed_of(id));
        let local = self.nodes[id].identity.local(Csid::CS3A).unwrap();
        let exchange = |peer: &Id| {
            let keys = self.keys(*peer);
            let remote = keys.key(Csid::CS3A).unwrap();
            let exchange = local.clone().exchange(remote, &mut rng).unwrap();
            // The link has randomness of its own from then on.
            rng.fill_bytes(&mut [0; 32]);
            exchange
        };
        peers.iter().map(exchange).collect()
    }

    /// From now on the node tells its peers its address.
    pub(crate) fn tells_address(&mut self, id: Id) {
        let path = Path::udp(self.nodes[id].address);
        self.nodes[id].places.told.push(path);
    }

    pub(crate) fn link(&self, from: Id, to: Id) -> Option<&Link> {
        let key = self.nodes[from].endpoint.link_to(&self.name(to))?;
        self.nodes[from].links.get(&key).map(|held| &held.link)
    }

    /// Everything that a node was told by its link with another, as text.
    pub(crate) fn heard(&self, id: Id, from: Id) -> Vec<u8> {
        let heard = &self.nodes[id].heard;
        heard.get(&self.name(from)).cloned().unwrap_or_default()
    }

    pub(crate) fn is_up(&self, a: Id, b: Id) -> bool {
        let up = |from, to| {
            self.link(from, to)
                .is_some_and(|link: &Link| link.state() == LinkState::Up)
        };
        up(a, b) && up(b, a)
    }

    /// The pipe that the link from one to the other sends by, and whether it is proven.
    pub(crate) fn way(&self, from: Id, to: Id) -> Option<(PipeId, bool)> {
        let link = self.link(from, to)?;
        let pipe = link.pipes().find(|pipe| pipe.active)?;
        Some((pipe.id, pipe.validated))
    }

    pub(crate) fn is_direct(&self, a: Id, b: Id) -> bool {
        let direct = |from, to| {
            self.way(from, to)
                .is_some_and(|(pipe, proven)| proven && pipe.through().is_none())
        };
        direct(a, b) && direct(b, a)
    }

    /// Links to a node at its address.
    pub(crate) fn dial(&mut self, from: Id, to: Id) {
        let pipe = PipeId::socket(TransportId(0), self.nodes[to].address);
        self.dial_by(from, to, pipe);
    }

    /// Links to a node, whose keys are known, through a router.
    pub(crate) fn dial_through(&mut self, from: Id, to: Id, router: Id) {
        let pipe = PipeId::router(self.name(router));
        self.dial_by(from, to, pipe);
    }

    fn dial_by(&mut self, from: Id, to: Id, pipe: PipeId) {
        let keys = self.keys(to);
        let now = self.now;
        let Some(key) = self.nodes[from].connect(now, &keys) else {
            panic!("there is no link to make")
        };
        let held = self.nodes[from].links.get_mut(&key).unwrap();
        held.link.add_path(now, pipe, PathSource::Dialed);
        self.settle(from, vec![key]);
    }

    /// Asks a router for a node of which nothing but the name is known.
    pub(crate) fn look_for(&mut self, from: Id, to: Hashname, router: Id) {
        let router = self.name(router);
        let todo = self.nodes[from].introduce(to, router);
        self.settle(from, todo);
    }

    /// The session by which a router knows a peer.
    pub(crate) fn session(&mut self, router: Id, peer: Id) -> SessionId {
        let (now, name) = (self.now, self.name(peer));
        let endpoint = &mut self.nodes[router].endpoint;
        endpoint.session_for(now, &name).unwrap()
    }

    /// Presents a URI, and who we are, to whoever a router knows by this session.
    pub(crate) fn follow(&mut self, from: Id, router: Id, session: &SessionId, with: &Fragment) {
        let router = self.name(router);
        let now = self.now;
        let todo = self.nodes[from].follow_uri(now, router, session, with);
        self.settle(from, todo);
    }

    /// Does something with a link, and settles it.
    pub(crate) fn with_link<R>(
        &mut self,
        from: Id,
        to: Id,
        work: impl FnOnce(Instant, &mut Link) -> R,
    ) -> R {
        let key = self.nodes[from].endpoint.link_to(&self.name(to)).unwrap();
        let held = self.nodes[from].links.get_mut(&key).unwrap();
        let result = work(self.now, &mut held.link);
        self.settle(from, vec![key]);
        result
    }

    /// The process ends and starts again, without its links.
    pub(crate) fn restart(&mut self, id: Id) {
        let now = self.now;
        let node = &mut self.nodes[id];
        node.restarted += 1;
        node.links.clear();
        let seed = 10_000 + id * 100 + node.restarted;
        node.endpoint = endpoint(now, &node.config, &node.identity, seed);
        self.timers.retain(|(_, of, _)| *of != id);
    }

    /// Puts a datagram of anybody's making on the network.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: Id, bytes: Vec<u8>) {
        let to = self.nodes[to].address;
        self.network.send(self.now, from, to, bytes);
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.drive(time, |_| false);
    }

    /// Runs until `done`, at most `limit` long. Returns whether it is done.
    pub(crate) fn drive(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            let timer = self.timers.first().map(|(at, ..)| *at);
            let next = self.network.next_delivery().into_iter().chain(timer).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(next);
            self.deliver();
            self.time_out();
        }
    }

    fn deliver(&mut self) {
        while let Some(packet) = self.network.poll_delivery(self.now) {
            let SocketAddr::V4(to) = packet.to else {
                continue;
            };
            let [_, a, b, _] = to.ip().octets();
            let id = usize::from(a) * 256 + usize::from(b);
            if self
                .nodes
                .get(id)
                .is_none_or(|node| node.address != packet.to)
            {
                continue;
            }
            let pipe = PipeId::socket(TransportId(0), packet.from);
            let mut bytes = packet.bytes;
            let node = &mut self.nodes[id];
            let dispatch = node.endpoint.handle(self.now, pipe, &mut bytes);
            let todo = node.follow(self.now, pipe, dispatch, &mut bytes);
            self.settle(id, todo);
        }
    }

    fn time_out(&mut self) {
        while let Some((at, id, key)) = self.timers.first().copied()
            && at <= self.now
        {
            self.timers.pop_first();
            let node = &mut self.nodes[id];
            node.endpoint.handle_timeout(self.now);
            if let Some(held) = node.links.get_mut(&key) {
                held.armed = None;
                held.link.handle_timeout(self.now);
                held.agent
                    .handle_timeout(self.now, &mut held.link, &node.places);
            }
            self.settle(id, vec![key]);
        }
    }

    /// Drains links until nothing changes any more.
    fn settle(&mut self, id: Id, mut todo: Vec<LinkKey>) {
        self.nodes[id].steps += 1;
        let mut sent = Vec::new();
        let mut touched = BTreeSet::new();
        while let Some(key) = todo.pop() {
            touched.insert(key);
            todo.extend(self.nodes[id].drain(self.now, key, &mut sent));
        }
        let from = self.nodes[id].address;
        for (to, bytes) in sent {
            if let Some(recorded) = &mut self.recorded {
                recorded.push((id, to, bytes.clone()));
            }
            self.network.send(self.now, from, to, bytes);
        }
        for key in touched {
            self.arm(id, key);
        }
    }

    fn arm(&mut self, id: Id, key: LinkKey) {
        let Some(held) = self.nodes[id].links.get_mut(&key) else {
            return;
        };
        let due = [held.link.poll_timeout(), held.agent.poll_timeout()];
        let due = due.into_iter().flatten().min();
        if due != held.armed {
            let old = held.armed.take();
            old.map(|at| self.timers.remove(&(at, id, key)));
            held.armed = due;
            due.map(|at| self.timers.insert((at, id, key)));
        }
    }
}

impl Node {
    fn connect(&mut self, now: Instant, keys: &KeySet) -> Option<LinkKey> {
        let made = self.endpoint.connect(now, keys, LinkOptions::default());
        let (key, link) = made.ok()?;
        self.links.insert(key, Held::new(link));
        Some(key)
    }

    fn accepts(&self, who: &Hashname) -> bool {
        let accepted = self.accepts.as_ref();
        self.wanted.contains(who) || accepted.is_none_or(|accepted| accepted.contains(who))
    }

    /// Follows what the endpoint said about a packet; returns the links that changed.
    fn follow(
        &mut self,
        now: Instant,
        pipe: PipeId,
        dispatch: Dispatch,
        packet: &mut [u8],
    ) -> Vec<LinkKey> {
        match dispatch {
            Dispatch::Drop(reason) => {
                self.drops.push(reason);
                Vec::new()
            }
            Dispatch::Link(key, input) => {
                if let Some(held) = self.links.get_mut(&key) {
                    held.link.handle(now, pipe, input, packet);
                }
                vec![key]
            }
            Dispatch::Forward(key) => {
                let held = self.links.get_mut(&key);
                let _ = held.is_some_and(|held| held.link.forward(packet));
                vec![key]
            }
            Dispatch::Incoming(incoming) => {
                if !self.accepts(&incoming.hashname) && !self.is_answer(&incoming) {
                    self.endpoint.refuse(incoming.ticket);
                    return Vec::new();
                }
                let options = LinkOptions::default();
                let Ok((key, link)) = self.endpoint.accept(now, incoming.ticket, options) else {
                    return Vec::new();
                };
                self.links.insert(key, Held::new(link));
                vec![key]
            }
        }
    }

    /// Sends what a link has to send, and does what it reports; returns the links that changed.
    fn drain(
        &mut self,
        now: Instant,
        key: LinkKey,
        sent: &mut Vec<(SocketAddr, Vec<u8>)>,
    ) -> Vec<LinkKey> {
        let mut todo = Vec::new();
        let mut buf = Vec::new();
        loop {
            todo.extend(self.news(now, key));
            let Some(held) = self.links.get_mut(&key) else {
                return todo;
            };
            buf.clear();
            let Some(transmit) = held.link.poll_transmit(now, &mut buf, 16) else {
                return todo;
            };
            let target = held.link.hashname();
            let segment = transmit.segment_size.unwrap_or(buf.len()).max(1);
            for packet in buf.chunks(segment) {
                match transmit.pipe.remote {
                    Remote::Socket(to) => sent.push((to, packet.to_vec())),
                    Remote::Router(router) => todo.extend(self.carry(router, target, packet)),
                    Remote::Connection(_) => {}
                }
            }
        }
    }

    fn carry(&mut self, router: Hashname, target: Hashname, packet: &[u8]) -> Option<LinkKey> {
        let key = self.endpoint.link_to(&router)?;
        let held = self.links.get_mut(&key)?;
        peer::carry(&mut held.link, target, packet).ok()?;
        Some(key)
    }

    fn news(&mut self, now: Instant, key: LinkKey) -> Vec<LinkKey> {
        let mut todo = Vec::new();
        loop {
            let Some(held) = self.links.get_mut(&key) else {
                return todo;
            };
            while let Some(event) = held.link.poll_endpoint_event() {
                self.endpoint.handle_link_event(key, event);
            }
            if let Some(event) = held.link.poll_event() {
                let taken = held
                    .agent
                    .handle_event(now, &mut held.link, &event, &self.places);
                self.heard
                    .entry(held.link.hashname())
                    .or_default()
                    .extend(format!("{event:?}").bytes());
                if !taken && let Event::Channel(event) = event {
                    todo.extend(self.channel(now, key, event));
                }
            } else if let Some(event) = held.agent.poll_event() {
                if let PathEvent::Dial(path) = event {
                    todo.extend(self.dialed(now, key, &path));
                }
            } else {
                return todo;
            }
        }
    }

    fn dialed(&mut self, now: Instant, key: LinkKey, path: &Path) -> Vec<LinkKey> {
        let Some(held) = self.links.get_mut(&key) else {
            return Vec::new();
        };
        let pipe = match path {
            Path::Peer { hn } if *hn == self.endpoint.hashname() => return Vec::new(),
            Path::Peer { hn } if self.endpoint.link_to(hn).is_some() => PipeId::router(*hn),
            Path::Peer { .. } if !self.follows => return Vec::new(),
            // A newcomer reaches that router through whoever named it.
            Path::Peer { hn } => {
                let named_by = held.link.hashname();
                return self.introduce(*hn, named_by);
            }
            _ => PipeId::socket(TransportId(0), path.socket_addr().unwrap()),
        };
        held.agent.dialed(now, &mut held.link, path, pipe);
        Vec::new()
    }

    fn introduce(&mut self, to: Hashname, router: Hashname) -> Vec<LinkKey> {
        self.wanted.insert(to);
        let key = self.endpoint.link_to(&router);
        let Some((key, held)) = key.and_then(|key| Some((key, self.links.get_mut(&key)?))) else {
            return Vec::new();
        };
        for introduction in Introduction::of_each(self.identity.keys()) {
            let body = introduction.to_bytes().unwrap().into();
            let _ = peer::ask(&mut held.link, &PeerOpen::to(to), body);
        }
        vec![key]
    }

    fn follow_uri(
        &mut self,
        now: Instant,
        router: Hashname,
        session: &SessionId,
        with: &Fragment,
    ) -> Vec<LinkKey> {
        let key = self.endpoint.link_to(&router);
        let Some((key, held)) = key.and_then(|key| Some((key, self.links.get_mut(&key)?))) else {
            return Vec::new();
        };
        self.presents = Some(with.clone());
        let session = base32::encode(session);
        let at = now.as_micros() / 1_000_000;
        let presented = Presented::new(format!("link:///?sid={session}#{with}"), at);
        let mut bodies = vec![presented.to_bytes().unwrap()];
        for mut introduction in Introduction::of_each(self.identity.keys()) {
            introduction.at = Some(at);
            bodies.push(introduction.to_bytes().unwrap());
        }
        for body in bodies {
            let open = PeerOpen::by_uri(session.clone());
            let _ = peer::ask(&mut held.link, &open, body.into());
        }
        vec![key]
    }

    /// Whether a stranger proves to be whoever shared the URI that this node follows.
    fn is_answer(&mut self, incoming: &Incoming) -> bool {
        let Some(wanted) = &self.presents else {
            return false;
        };
        let mut messages = incoming.round.messages().iter();
        let said = messages.find(|message| message.kind == Kind::Uri);
        let said = said.and_then(|message| fragment_of(message.extra.get("uri")?.as_str()?));
        said.is_some_and(|said| wanted.is_answered_by(&said, &incoming.hashname))
    }

    /// Answers whoever presented the URI that this node shares, which is spent then.
    fn let_in(
        &mut self,
        now: Instant,
        router: Hashname,
        pair: Option<(Introduction, Fragment)>,
    ) -> Vec<LinkKey> {
        let Some((introduction, _)) = pair else {
            return Vec::new();
        };
        let shared = self.shares.take();
        let key = shared
            .is_some()
            .then(|| self.connect(now, &introduction.keys));
        let Some((key, whole)) = key.flatten().zip(shared) else {
            return Vec::new();
        };
        let mut message = HandshakeMessage::new(Kind::Uri, 1);
        let uri = format!("link:///#{whole}");
        message.extra.insert("uri".into(), uri.into());
        let held = self.links.get_mut(&key).unwrap();
        held.link.set_beside(vec![message]).unwrap();
        held.link
            .add_path(now, PipeId::router(router), PathSource::Dialed);
        vec![key]
    }

    fn channel(&mut self, now: Instant, key: LinkKey, event: ChannelEvent) -> Vec<LinkKey> {
        let Some(held) = self.links.get_mut(&key) else {
            return Vec::new();
        };
        let name = held.link.hashname();
        match event {
            ChannelEvent::Opened {
                id, kind, packet, ..
            } if kind == peer::TYPE => {
                held.link.forget(id);
                self.requested(now, key, name, &packet)
            }
            ChannelEvent::Opened {
                id, kind, packet, ..
            } if kind == connect::TYPE => {
                held.link.forget(id);
                self.connected(now, name, &packet)
            }
            ChannelEvent::Opened { id, .. } => {
                held.link.accept(now, id).unwrap();
                held.streams.insert(id);
                Vec::new()
            }
            ChannelEvent::Readable(id) => {
                while let Ok(Some(packet)) = held.link.read(now, id) {
                    self.received.extend_from_slice(&packet.body);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn requested(
        &mut self,
        now: Instant,
        from: LinkKey,
        sender: Hashname,
        packet: &Packet,
    ) -> Vec<LinkKey> {
        let head = packet.head.as_deref().cloned().unwrap_or_default();
        let Ok(open) = PeerOpen::from_head(&head) else {
            return Vec::new();
        };
        let relayed = match open.target {
            Target::Hashname(target) => self.endpoint.relay(now, from, &target, &packet.body),
            Target::Uri(session) => {
                assert!(!session.contains('#'), "fragments are for targets");
                let session = base32::decode(&session).unwrap().try_into().unwrap();
                self.endpoint
                    .relay_session(now, from, &session, &packet.body)
            }
        };
        let Ok(to) = relayed else {
            return Vec::new();
        };
        let (mut body, mut name, mut times) = (packet.body.clone(), sender, 1);
        match self.lies.clone() {
            Some(Lie::Body(other)) => body = other,
            Some(Lie::Name(other)) => name = other,
            Some(Lie::Repeats(often)) => times = often,
            None => {}
        }
        if let Some(held) = self.links.get_mut(&to) {
            for _ in 0..times {
                let _ = connect::pass_on(&mut held.link, name, body.clone());
            }
        }
        vec![to]
    }

    fn connected(&mut self, now: Instant, router: Hashname, packet: &Packet) -> Vec<LinkKey> {
        let head = packet.head.as_deref().cloned().unwrap_or_default();
        let Some(open) = ConnectOpen::from_head(&head) else {
            return Vec::new();
        };
        self.connects.push((router, open.peer, packet.body.clone()));
        let endpoint = &mut self.endpoint;
        match connect::arrive(now, endpoint, router, open, &packet.body) {
            None => Vec::new(),
            Some(Arrival::Packet(dispatch, mut bytes)) => {
                self.follow(now, PipeId::router(router), dispatch, &mut bytes)
            }
            Some(Arrival::Uri(presented)) => {
                let shared = self.shares.as_ref();
                let is_good = |offered: &Fragment| {
                    let name = self.identity.keys().hashname().unwrap();
                    shared.is_some_and(|shared| offered.is_answered_by(shared, &name))
                };
                let Some(good) = fragment_of(&presented.uri).filter(is_good) else {
                    return Vec::new();
                };
                let origin = (router, open.peer);
                let pair = self.pairing.presented(now, origin, presented.at, good);
                self.let_in(now, router, pair)
            }
            Some(Arrival::Introduction(_, introduction)) if introduction.at.is_some() => {
                let origin = (router, open.peer);
                let pair = self.pairing.introduced(now, origin, introduction);
                self.let_in(now, router, pair)
            }
            Some(Arrival::Introduction(who, introduction)) => {
                self.introduced(now, router, &who, &introduction)
            }
        }
    }

    fn introduced(
        &mut self,
        now: Instant,
        router: Hashname,
        who: &Introduced,
        introduction: &Introduction,
    ) -> Vec<LinkKey> {
        let key = match who {
            Introduced::Linked(key) => Some(*key),
            Introduced::Stranger(name) => {
                self.discovered.push(*name);
                let accepted = self.accepts(name);
                accepted
                    .then(|| self.connect(now, &introduction.keys))
                    .flatten()
            }
        };
        let held = key.and_then(|key| Some((key, self.links.get_mut(&key)?)));
        let Some((key, held)) = held.filter(|(_, held)| held.link.state() != LinkState::Up) else {
            return Vec::new();
        };
        held.link
            .add_path(now, PipeId::router(router), PathSource::Dialed);
        vec![key]
    }
}

/// What follows the `#` of a URI.
fn fragment_of(uri: &str) -> Option<Fragment> {
    uri.split_once('#')?.1.parse().ok()
}

impl Held {
    fn new(link: Link) -> Self {
        Self {
            link,
            agent: PathAgent::new(PathConfig::default()),
            armed: None,
            streams: BTreeSet::new(),
        }
    }
}

fn endpoint(now: Instant, config: &Config, identity: &Identity, seed: usize) -> Endpoint {
    let unix = UNIX + Duration::from_micros(now.as_micros());
    Endpoint::new(config.clone(), identity.clone(), now, unix, seed_of(seed))
}

fn seed_of(seed: usize) -> [u8; 32] {
    let mut bytes = [9; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}
