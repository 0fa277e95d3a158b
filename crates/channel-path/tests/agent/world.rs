//! A world of two endpoints: packets take a millisecond, nothing gets lost, an address that nobody
//! has swallows what it is sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use telehash_channel_path::{PathAgent, PathConfig, PathEvent, PingId, Whereabouts};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::{Csid, KeySet, Path};
use telehash_link::{
    ChannelEvent, ChannelId, Config, Dispatch, Endpoint, Event, Instant, Link, LinkKey,
    LinkOptions, LinkState, Open, OpenError, Packet, PathSource, PipeCapabilities, PipeId, Remote,
    TransportId,
};

const FLIGHT: Duration = Duration::from_millis(1);
const UNIX: Duration = Duration::from_secs(1_800_000_000);

struct Side {
    endpoint: Endpoint,
    link: Option<(LinkKey, Link)>,
    agent: PathAgent,
    here: Here,
}

/// Addresses, one for each transport.
struct Here(Vec<SocketAddr>);

impl Whereabouts for Here {
    fn local_paths(&self) -> Vec<Path> {
        self.0.iter().copied().map(Path::udp).collect()
    }

    fn path_of(&self, pipe: PipeId) -> Option<Path> {
        Some(Path::udp(address(pipe)))
    }
}

struct Flight {
    arrives: Instant,
    from: SocketAddr,
    to: SocketAddr,
    packet: Vec<u8>,
}

pub(crate) struct World {
    now: Instant,
    sides: [Side; 2],
    flights: VecDeque<Flight>,
    /// Who receives what goes to an address that is not its own.
    overheard: Option<(usize, SocketAddr)>,
    /// Destinations of all packets.
    sent: Vec<SocketAddr>,
    pub(crate) packets: usize,
    pub(crate) events: [Vec<PathEvent>; 2],
    /// Events of channels that are not the agents'.
    pub(crate) channel_events: [Vec<ChannelEvent>; 2],
}

fn address(pipe: PipeId) -> SocketAddr {
    match pipe.remote {
        Remote::Socket(address) => address,
        Remote::Connection(_) | Remote::Router(_) => panic!("there are only addresses here"),
    }
}

impl World {
    /// The first links to the second's first address; both are up.
    pub(crate) fn linked(first: &[&str], second: &[&str]) -> Self {
        Self::linked_with(PathConfig::default(), first, second)
    }

    pub(crate) fn linked_with(config: PathConfig, first: &[&str], second: &[&str]) -> Self {
        let mut world = Self {
            now: Instant::from_micros(1),
            sides: [Side::new(1, config, first), Side::new(2, config, second)],
            flights: VecDeque::new(),
            overheard: None,
            sent: Vec::new(),
            packets: 0,
            events: Default::default(),
            channel_events: Default::default(),
        };
        let keys: KeySet = world.sides[1].endpoint.identity().keys().clone();
        let target = world.sides[1].here.0[0];
        let connected = world.sides[0]
            .endpoint
            .connect(world.now, &keys, LinkOptions::default());
        let (key, mut link) = connected.unwrap();
        link.add_path(
            world.now,
            PipeId::socket(TransportId(0), target),
            PathSource::Dialed,
        );
        world.sides[0].link = Some((key, link));
        for _ in 0..100 {
            world.run(Duration::from_millis(100));
            if (0..2).all(|side| world.is_up(side)) {
                return world;
            }
        }
        panic!("the link does not come up");
    }

    fn is_up(&self, side: usize) -> bool {
        let link = self.sides[side].link.as_ref();
        link.is_some_and(|(_, link)| link.state() == LinkState::Up)
    }

    pub(crate) fn link(&self, side: usize) -> &Link {
        &self.sides[side].link.as_ref().unwrap().1
    }

    pub(crate) fn path(&self, pipe: PipeId) -> Path {
        Path::udp(address(pipe))
    }

    pub(crate) fn sent_to(&self, address: &str) -> usize {
        let address: SocketAddr = address.parse().unwrap();
        self.sent.iter().filter(|to| **to == address).count()
    }

    /// From now on the side has this address instead of its first.
    pub(crate) fn moves(&mut self, side: usize, to: &str) {
        self.sides[side].here.0[0] = to.parse().unwrap();
    }

    /// From now on the side receives at its first address what goes to this one.
    pub(crate) fn overhears(&mut self, side: usize, address: &str) {
        self.overheard = Some((side, address.parse().unwrap()));
    }

    /// The side answers once more on every path channel that it may have.
    pub(crate) fn answers_again(&mut self, side: usize) {
        let link = &mut self.sides[side].link.as_mut().unwrap().1;
        for id in (1..100).filter_map(ChannelId::new) {
            let _ = link.send(self.now, id, Packet::new(&b"again"[..]));
        }
    }

    pub(crate) fn ping(&mut self, side: usize, wait: Duration) -> Result<PingId, OpenError> {
        let Side { agent, link, .. } = &mut self.sides[side];
        agent.ping(self.now, &mut link.as_mut().unwrap().1, wait)
    }

    pub(crate) fn announce(&mut self, side: usize) {
        let Side {
            agent, link, here, ..
        } = &mut self.sides[side];
        agent.announce(self.now, &mut link.as_mut().unwrap().1, here);
    }

    pub(crate) fn open(&mut self, side: usize, open: Open) -> ChannelId {
        self.sides[side]
            .link
            .as_mut()
            .unwrap()
            .1
            .open(self.now, open)
            .unwrap()
    }

    /// Opens a path channel past the side's own agent.
    pub(crate) fn offer(&mut self, side: usize, head: &Value) {
        let head = head.as_object().unwrap().clone();
        self.open(side, Open::unreliable("path").head(head));
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        loop {
            self.settle();
            let next = self.flights.front().map(|flight| flight.arrives);
            let timers = self.sides.iter().filter_map(Side::poll_timeout);
            let next = timers.chain(next).min().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            self.deliver();
            for side in &mut self.sides {
                side.handle_timeout(self.now);
            }
            steps += 1;
            assert!(steps < 100_000, "this never ends");
        }
        self.now = end;
    }

    fn settle(&mut self) {
        for number in 0..2 {
            let side = &mut self.sides[number];
            side.settle(
                self.now,
                &mut self.events[number],
                &mut self.channel_events[number],
            );
            for (from, to, packet) in side.transmits(self.now) {
                self.packets += 1;
                self.sent.push(to);
                self.flights.push_back(Flight {
                    arrives: self.now + FLIGHT,
                    from,
                    to,
                    packet,
                });
            }
        }
    }

    fn deliver(&mut self) {
        while self
            .flights
            .front()
            .is_some_and(|flight| flight.arrives <= self.now)
            && let Some(flight) = self.flights.pop_front()
        {
            let Flight {
                from,
                to,
                mut packet,
                ..
            } = flight;
            let to = match self.overheard {
                Some((side, address)) if address == to => self.sides[side].here.0[0],
                _ => to,
            };
            for side in &mut self.sides {
                if let Some(at) = side.here.0.iter().position(|here| *here == to) {
                    let pipe = PipeId::socket(TransportId(u8::try_from(at).unwrap()), from);
                    side.receive(self.now, pipe, &mut packet);
                }
            }
        }
    }
}

impl Side {
    fn new(seed: u8, config: PathConfig, addresses: &[&str]) -> Self {
        let addresses: Vec<SocketAddr> = addresses
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let identity = Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng).unwrap();
        let mut endpoint_config = Config::default();
        endpoint_config.transports = vec![PipeCapabilities::DATAGRAM; addresses.len()];
        let now = Instant::from_micros(0);
        Self {
            endpoint: Endpoint::new(endpoint_config, identity, now, UNIX, [seed; 32]),
            link: None,
            agent: PathAgent::new(config),
            here: Here(addresses),
        }
    }

    fn receive(&mut self, now: Instant, pipe: PipeId, packet: &mut [u8]) {
        match self.endpoint.handle(now, pipe, packet) {
            Dispatch::Link(_, input) => {
                self.link
                    .as_mut()
                    .unwrap()
                    .1
                    .handle(now, pipe, input, packet);
            }
            Dispatch::Incoming(incoming) => {
                let accepted = self
                    .endpoint
                    .accept(now, incoming.ticket, LinkOptions::default());
                self.link = Some(accepted.unwrap());
            }
            Dispatch::Drop(_) | Dispatch::Forward(_) => {}
        }
    }

    fn settle(
        &mut self,
        now: Instant,
        events: &mut Vec<PathEvent>,
        channel_events: &mut Vec<ChannelEvent>,
    ) {
        let Self {
            endpoint,
            link: Some((key, link)),
            agent,
            here,
        } = self
        else {
            return;
        };
        loop {
            let mut quiet = true;
            while let Some(event) = link.poll_event() {
                quiet = false;
                if !agent.handle_event(now, link, &event, here)
                    && let Event::Channel(event) = event
                {
                    channel_events.push(event);
                }
            }
            while let Some(event) = agent.poll_event() {
                quiet = false;
                if let PathEvent::Dial(path) = &event {
                    let to = path.socket_addr().unwrap();
                    agent.dialed(now, link, path, PipeId::socket(TransportId(0), to));
                }
                events.push(event);
            }
            if quiet {
                break;
            }
        }
        while let Some(event) = link.poll_endpoint_event() {
            endpoint.handle_link_event(*key, event);
        }
    }

    fn transmits(&mut self, now: Instant) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let Some((_, link)) = &mut self.link else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let mut buffer = Vec::new();
        while let Some(transmit) = link.poll_transmit(now, &mut buffer, 8) {
            let from = self.here.0[usize::from(transmit.pipe.transport.0)];
            let size = transmit.segment_size.unwrap_or(buffer.len());
            let packets = buffer.chunks(size);
            out.extend(packets.map(|packet| (from, address(transmit.pipe), packet.to_vec())));
            buffer.clear();
        }
        out
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let (_, link) = self.link.as_ref()?;
        [link.poll_timeout(), self.agent.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, link)) = &mut self.link {
            link.handle_timeout(now);
            self.agent.handle_timeout(now, link, &self.here);
        }
    }
}
