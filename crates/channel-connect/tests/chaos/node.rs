//! One endpoint of a world: its links, what drives them, and the routes that it makes for others.

use std::{collections::BTreeMap, env, net::SocketAddr, time::Duration};

use telehash_channel_connect::{self as connect, Arrival, ConnectOpen};
use telehash_channel_path::{PathAgent, PathConfig, PathEvent, Whereabouts};
use telehash_channel_peer::{self as peer, PeerOpen, Target};
use telehash_e3x::Identity;
use telehash_hashname::{Hashname, Path};
use telehash_link::{
    ChannelEvent, ChannelId, Config, Dispatch, Endpoint, Event, Instant, Link, LinkKey,
    LinkOptions, Open, Packet, PathSource, PipeId, Remote, RouterPolicy, TransportId,
};

use crate::{
    channels::End,
    ledger::{Ledger, Side},
    plan::Id,
};

/// The time of day when time begins.
const UNIX: u64 = 1_800_000_000;

/// Packets of one system call.
const SEGMENTS: usize = 16;

pub(crate) struct Node {
    pub(crate) id: Id,
    pub(crate) endpoint: Endpoint,
    identity: Identity,
    config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) links: BTreeMap<LinkKey, Held>,
    /// Who is who; nobody else is accepted.
    pub(crate) friends: BTreeMap<Hashname, Id>,
    /// What survives a restart, if anything does: the highest `at` for each peer.
    remembered: BTreeMap<Hashname, u64>,
    skew: i64,
    pub(crate) routes: bool,
    tells: bool,
    pub(crate) paused_until: Option<Instant>,
    /// Datagrams that came while it was paused.
    pub(crate) waiting: Vec<(SocketAddr, Vec<u8>)>,
    /// Everything is read as it comes, and every channel ended.
    pub(crate) tidy: bool,
    /// Its news are printed.
    talks: bool,
}

/// A link, and what its driver keeps beside it.
pub(crate) struct Held {
    pub(crate) link: Link,
    pub(crate) agent: PathAgent,
    pub(crate) ends: BTreeMap<ChannelId, End>,
}

/// A datagram that leaves.
pub(crate) struct Outgoing {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fragment: bool,
}

/// How a node is made.
pub(crate) struct Making {
    pub(crate) id: Id,
    pub(crate) identity: Identity,
    pub(crate) config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) routes: bool,
    pub(crate) tells: bool,
    pub(crate) seed: [u8; 32],
}

struct Here {
    told: Vec<Path>,
}

impl Whereabouts for Here {
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

impl Node {
    pub(crate) fn new(now: Instant, making: Making) -> Self {
        let Making {
            id,
            identity,
            config,
            address,
            routes,
            tells,
            seed,
        } = making;
        let endpoint = Endpoint::new(config.clone(), identity.clone(), now, unix(now, 0), seed);
        let mut node = Self {
            id,
            endpoint,
            identity,
            config,
            address,
            links: BTreeMap::new(),
            friends: BTreeMap::new(),
            remembered: BTreeMap::new(),
            skew: 0,
            routes,
            tells,
            paused_until: None,
            waiting: Vec::new(),
            tidy: false,
            talks: env::var_os("CHAOS_TRACE").is_some(),
        };
        node.set_policy();
        node
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn name(&self) -> Hashname {
        self.identity.hashname()
    }

    /// The process ends and starts again.
    pub(crate) fn restart(&mut self, now: Instant, keeps: bool, seed: [u8; 32]) {
        if !keeps {
            self.remembered.clear();
        }
        self.links.clear();
        self.waiting.clear();
        let (config, identity) = (self.config.clone(), self.identity.clone());
        self.endpoint = Endpoint::new(config, identity, now, unix(now, self.skew), seed);
        self.set_policy();
    }

    fn set_policy(&mut self) {
        if self.routes {
            *self.endpoint.router_policy() = RouterPolicy::everyone();
        }
    }

    pub(crate) fn jump(&mut self, now: Instant, seconds: i64) {
        self.skew += seconds;
        let unix = unix(now, self.skew);
        self.endpoint.set_clock(now, unix);
        for held in self.links.values_mut() {
            held.link.set_clock(now, unix);
        }
    }

    pub(crate) fn key_to(&self, name: &Hashname) -> Option<LinkKey> {
        self.endpoint.link_to(name)
    }

    pub(crate) fn held_to(&self, name: &Hashname) -> Option<&Held> {
        self.links.get(&self.key_to(name)?)
    }

    /// Says that a link is wanted, and by which way.
    pub(crate) fn dial(&mut self, now: Instant, peer: &Identity, pipe: PipeId) -> Option<LinkKey> {
        let options = self.options(&peer.hashname());
        let key = match self.endpoint.connect(now, peer.keys(), options) {
            Ok((key, link)) => {
                self.links.insert(key, Held::new(link));
                key
            }
            Err(_) => self.key_to(&peer.hashname())?,
        };
        let held = self.links.get_mut(&key)?;
        held.link.add_path(now, pipe, PathSource::Dialed);
        Some(key)
    }

    /// Forgets a link.
    pub(crate) fn remove(&mut self, key: LinkKey) {
        self.endpoint.remove(key);
        self.links.remove(&key);
    }

    /// A datagram arrived. Returns the links that changed.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        mut bytes: Vec<u8>,
    ) -> Vec<LinkKey> {
        let pipe = PipeId::socket(TransportId(0), from);
        let dispatch = self.endpoint.handle(now, pipe, &mut bytes);
        self.follow(now, pipe, dispatch, &mut bytes)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, key: Option<LinkKey>) -> Vec<LinkKey> {
        let Some(key) = key else {
            self.endpoint.handle_timeout(now);
            return Vec::new();
        };
        let here = self.here();
        if let Some(held) = self.links.get_mut(&key) {
            held.link.handle_timeout(now);
            held.agent.handle_timeout(now, &mut held.link, &here);
        }
        vec![key]
    }

    fn follow(
        &mut self,
        now: Instant,
        pipe: PipeId,
        dispatch: Dispatch,
        packet: &mut [u8],
    ) -> Vec<LinkKey> {
        match dispatch {
            Dispatch::Drop(_) => Vec::new(),
            Dispatch::Link(key, input) => {
                if let Some(held) = self.links.get_mut(&key) {
                    held.link.handle(now, pipe, input, packet);
                }
                vec![key]
            }
            Dispatch::Forward(key) => {
                if let Some(held) = self.links.get_mut(&key) {
                    held.link.forward(packet);
                }
                vec![key]
            }
            Dispatch::Incoming(incoming) => {
                if !self.friends.contains_key(&incoming.hashname) {
                    self.endpoint.refuse(incoming.ticket);
                    return Vec::new();
                }
                let options = self.options(&incoming.hashname);
                let accepted = self.endpoint.accept(now, incoming.ticket, options);
                let Ok((key, link)) = accepted else {
                    return Vec::new();
                };
                self.links.insert(key, Held::new(link));
                vec![key]
            }
        }
    }

    /// Sends what a link has to send, and does what it reports. Returns other links that changed.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        key: LinkKey,
        ledger: &mut Ledger,
        sent: &mut Vec<Outgoing>,
    ) -> Vec<LinkKey> {
        let mut todo = Vec::new();
        let mut buf = Vec::new();
        loop {
            todo.extend(self.news(now, key, ledger));
            let Some(held) = self.links.get_mut(&key) else {
                return todo;
            };
            buf.clear();
            let Some(transmit) = held.link.poll_transmit(now, &mut buf, SEGMENTS) else {
                return todo;
            };
            let target = held.link.hashname();
            let segment = transmit.segment_size.unwrap_or(buf.len()).max(1);
            for packet in buf.chunks(segment) {
                match transmit.pipe.remote {
                    Remote::Socket(to) => sent.push(Outgoing {
                        to,
                        bytes: packet.to_vec(),
                        fragment: transmit.fragment,
                    }),
                    Remote::Router(router) => todo.extend(self.carry(router, target, packet)),
                    Remote::Connection(_) => {}
                }
            }
        }
    }

    fn carry(&mut self, router: Hashname, target: Hashname, packet: &[u8]) -> Option<LinkKey> {
        let key = self.key_to(&router)?;
        let held = self.links.get_mut(&key)?;
        peer::carry(&mut held.link, target, packet).ok()?;
        Some(key)
    }

    fn news(&mut self, now: Instant, key: LinkKey, ledger: &mut Ledger) -> Vec<LinkKey> {
        let here = self.here();
        let mut todo = Vec::new();
        loop {
            let Some(held) = self.links.get_mut(&key) else {
                return todo;
            };
            while let Some(event) = held.link.poll_endpoint_event() {
                self.endpoint.handle_link_event(key, event);
            }
            if let Some(event) = held.link.poll_event() {
                let name = held.link.hashname();
                if self.talks {
                    let peer = self.friends.get(&name);
                    println!("{} {}: {peer:?} {event:?}", now.as_micros(), self.id);
                }
                if held.agent.handle_event(now, &mut held.link, &event, &here) {
                    continue;
                }
                match event {
                    Event::RememberAt(at) => _ = self.remembered.insert(name, at),
                    Event::Down(_) | Event::Restarted => held.forget_channels(),
                    Event::Channel(event) => todo.extend(self.channel(now, key, event, ledger)),
                    _ => {}
                }
            } else if let Some(event) = held.agent.poll_event() {
                if let PathEvent::Dial(path) = event {
                    self.dialed(now, key, &path);
                }
            } else {
                return todo;
            }
        }
    }

    fn dialed(&mut self, now: Instant, key: LinkKey, path: &Path) {
        let name = self.name();
        let pipe = match path {
            Path::Peer { hn } if *hn == name || self.key_to(hn).is_none() => return,
            Path::Peer { hn } => PipeId::router(*hn),
            _ => match path.socket_addr() {
                Some(address) => PipeId::socket(TransportId(0), address),
                None => return,
            },
        };
        if let Some(held) = self.links.get_mut(&key) {
            held.agent.dialed(now, &mut held.link, path, pipe);
        }
    }

    fn channel(
        &mut self,
        now: Instant,
        key: LinkKey,
        event: ChannelEvent,
        ledger: &mut Ledger,
    ) -> Vec<LinkKey> {
        let (at, tidy) = (self.id, self.tidy);
        let Some(held) = self.links.get_mut(&key) else {
            return Vec::new();
        };
        let name = held.link.hashname();
        match event {
            ChannelEvent::Opened {
                id, kind, packet, ..
            } if kind == peer::TYPE => {
                held.link.forget(id);
                return self.requested(now, key, name, &packet);
            }
            ChannelEvent::Opened {
                id, kind, packet, ..
            } if kind == connect::TYPE => {
                held.link.forget(id);
                return self.connected(now, name, &packet);
            }
            ChannelEvent::Opened {
                id,
                reliable,
                packet,
                ..
            } => {
                let number = number_of(&packet);
                ledger.arrived(number, at, self.friends[&name], reliable);
                held.accept(now, id, End::new(number, Side::Acceptor, reliable));
            }
            event => held.heard(now, &event, ledger),
        }
        held.work(now, tidy, ledger);
        Vec::new()
    }

    fn requested(
        &mut self,
        now: Instant,
        from: LinkKey,
        sender: Hashname,
        packet: &Packet,
    ) -> Vec<LinkKey> {
        let head = packet.head.as_deref().cloned().unwrap_or_default();
        let Ok(PeerOpen {
            target: Target::Hashname(target),
            ..
        }) = PeerOpen::from_head(&head)
        else {
            return Vec::new();
        };
        let Ok(to) = self.endpoint.relay(now, from, &target, &packet.body) else {
            return Vec::new();
        };
        if let Some(held) = self.links.get_mut(&to) {
            let _ = connect::pass_on(&mut held.link, sender, packet.body.clone());
        }
        vec![to]
    }

    fn connected(&mut self, now: Instant, router: Hashname, packet: &Packet) -> Vec<LinkKey> {
        let head = packet.head.as_deref().cloned().unwrap_or_default();
        let Some(open) = ConnectOpen::from_head(&head) else {
            return Vec::new();
        };
        match connect::arrive(now, &mut self.endpoint, router, open, &packet.body) {
            Some(Arrival::Packet(dispatch, mut bytes)) => {
                self.follow(now, PipeId::router(router), dispatch, &mut bytes)
            }
            _ => Vec::new(),
        }
    }

    fn here(&self) -> Here {
        Here {
            told: if self.tells {
                vec![Path::udp(self.address)]
            } else {
                Vec::new()
            },
        }
    }

    fn options(&self, peer: &Hashname) -> LinkOptions {
        LinkOptions::default().last_at(self.remembered.get(peer).copied().unwrap_or(0))
    }

    /// The links of channels that are not over, and their ids.
    pub(crate) fn channels(&self) -> Vec<(LinkKey, ChannelId)> {
        let links = self.links.iter();
        links
            .flat_map(|(key, held)| held.ends.keys().map(|id| (*key, *id)))
            .collect()
    }
}

impl Held {
    fn new(link: Link) -> Self {
        Self {
            link,
            agent: PathAgent::new(PathConfig::default()),
            ends: BTreeMap::new(),
        }
    }

    /// Opens a channel, if there is room for it.
    pub(crate) fn open(&mut self, now: Instant, end: End) -> bool {
        let open = if end.reliable {
            Open::reliable("stream")
        } else {
            Open::unreliable("noise")
        };
        let mut head = serde_json::Map::new();
        head.insert("n".into(), end.number.into());
        let opened = self.link.open(now, open.head(head));
        let is_opened = opened.is_ok();
        if let Ok(id) = opened {
            self.put(id, end);
        }
        is_opened
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        let due = [self.link.poll_timeout(), self.agent.poll_timeout()];
        due.into_iter().flatten().min()
    }
}

fn number_of(packet: &Packet) -> usize {
    let head = packet.head.as_deref();
    let number = head.and_then(|head| head.get("n")?.as_u64());
    usize::try_from(number.expect("channels are numbered")).unwrap()
}

fn unix(now: Instant, skew: i64) -> Duration {
    Duration::from_secs(UNIX.saturating_add_signed(skew)) + Duration::from_micros(now.as_micros())
}
