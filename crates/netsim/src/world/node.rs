//! One host of a world: an endpoint, its links, its application.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use telehash_e3x::{Identity, Instant};
use telehash_hashname::Hashname;
use telehash_link::{
    Config, ConnectError, Dispatch, Endpoint, Event, HandshakeMessage, Link, LinkKey, LinkOptions,
    PathSource, PipeId, Remote, TransportId,
};

use super::App;
use crate::{Network, Packet};

/// Packets of one system call, as a driver would ask for.
const SEGMENTS: usize = 16;

pub(super) struct Node {
    identity: Identity,
    config: Config,
    /// One for each transport, the first one first.
    addresses: Vec<SocketAddr>,
    pub(super) endpoint: Endpoint,
    links: BTreeMap<LinkKey, Link>,
    app: Box<dyn App>,
    /// What survives a restart: the highest `at` for each peer.
    remembered: BTreeMap<Hashname, u64>,
    /// The node's clock is this many seconds ahead of 1 800 000 000 at the world's beginning.
    skew: i64,
    sent: BTreeMap<SocketAddr, u64>,
    recording: Option<Vec<(SocketAddr, Vec<u8>)>>,
    buf: Vec<u8>,
}

impl Node {
    pub(super) fn new(
        now: Instant,
        identity: Identity,
        config: Config,
        address: SocketAddr,
        app: Box<dyn App>,
        seed: [u8; 32],
    ) -> Self {
        let endpoint = Endpoint::new(config.clone(), identity.clone(), now, unix(now, 0), seed);
        Self {
            identity,
            config,
            addresses: Vec::from([address]),
            endpoint,
            links: BTreeMap::new(),
            app,
            remembered: BTreeMap::new(),
            skew: 0,
            sent: BTreeMap::new(),
            recording: None,
            buf: Vec::new(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Gives the next transport an address: another port of the same host.
    pub(super) fn add_address(&mut self) -> SocketAddr {
        assert!(
            self.addresses.len() < self.config.transports.len(),
            "the configuration has no transport for one more address"
        );
        let mut next = self.addresses[self.addresses.len() - 1];
        next.set_port(next.port() + 1);
        self.addresses.push(next);
        next
    }

    /// The transport that an address is that of.
    pub(super) fn transport_at(&self, address: SocketAddr) -> Option<TransportId> {
        let at = self.addresses.iter().position(|own| *own == address)?;
        u8::try_from(at).ok().map(TransportId)
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn links(&self) -> &BTreeMap<LinkKey, Link> {
        &self.links
    }

    pub(super) fn sent(&self) -> &BTreeMap<SocketAddr, u64> {
        &self.sent
    }

    pub(super) fn record(&mut self) {
        self.recording = Some(Vec::new());
    }

    pub(super) fn recorded(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.recording.take().unwrap_or_default()
    }

    /// The process ends and starts again: links are gone, addresses may change.
    pub(super) fn restart(
        &mut self,
        now: Instant,
        keep_state: bool,
        address: SocketAddr,
        seed: [u8; 32],
    ) {
        if !keep_state {
            self.remembered.clear();
        }
        self.links.clear();
        self.addresses[0] = address;
        let unix = unix(now, self.skew);
        self.endpoint = Endpoint::new(self.config.clone(), self.identity.clone(), now, unix, seed);
    }

    pub(super) fn set_skew(&mut self, now: Instant, seconds: i64) {
        self.skew = seconds;
        let unix = unix(now, seconds);
        self.endpoint.set_clock(now, unix);
        for link in self.links.values_mut() {
            link.set_clock(now, unix);
        }
    }

    /// Links to the endpoint with this identity at this address.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        peer: &Identity,
        address: SocketAddr,
        beside: Vec<HandshakeMessage>,
        network: &mut Network,
    ) -> Result<LinkKey, ConnectError> {
        let options = self.options(peer.hashname());
        let (key, mut link) = self.endpoint.connect(now, peer.keys(), options)?;
        link.set_beside(beside)
            .expect("the caller promised that they can be sent");
        self.links.insert(key, link);
        self.work(now, key, network, |link| {
            link.add_path(now, pipe(address), PathSource::Dialed);
        });
        Ok(key)
    }

    /// Does `work` on a link, then drains it.
    pub(super) fn work<R>(
        &mut self,
        now: Instant,
        key: LinkKey,
        network: &mut Network,
        work: impl FnOnce(&mut Link) -> R,
    ) -> Option<R> {
        let result = work(self.links.get_mut(&key)?);
        self.settle(now, key, network);
        Some(result)
    }

    /// A datagram arrived.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        (transport, from): (TransportId, SocketAddr),
        mut packet: Vec<u8>,
        network: &mut Network,
    ) {
        let pipe = PipeId::socket(transport, from);
        match self.endpoint.handle(now, pipe, &mut packet) {
            Dispatch::Drop(_) => {}
            Dispatch::Link(key, input) => {
                if let Some(link) = self.links.get_mut(&key) {
                    link.handle(now, pipe, input, &mut packet);
                }
                self.settle(now, key, network);
            }
            Dispatch::Forward(key) => {
                if let Some(link) = self.links.get_mut(&key) {
                    link.forward(&packet);
                }
                self.settle(now, key, network);
            }
            Dispatch::Incoming(incoming) => {
                if !self.app.accept(now, &incoming) {
                    return self.endpoint.refuse(incoming.ticket);
                }
                let options = self.options(incoming.hashname);
                if let Ok((key, link)) = self.endpoint.accept(now, incoming.ticket, options) {
                    self.links.insert(key, link);
                    self.settle(now, key, network);
                }
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let links = self.links.values().filter_map(Link::poll_timeout);
        links
            .chain(self.endpoint.poll_timeout())
            .chain(self.app.poll_timeout())
            .min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, network: &mut Network) {
        self.endpoint.handle_timeout(now);
        let app_due = self.app.poll_timeout().is_some_and(|due| due <= now);
        let keys: Vec<LinkKey> = self.links.keys().copied().collect();
        for key in keys {
            let Some(link) = self.links.get_mut(&key) else {
                continue;
            };
            if app_due {
                self.app.on_timeout(now, key, link);
            }
            if link.poll_timeout().is_some_and(|due| due <= now) {
                link.handle_timeout(now);
            } else if !app_due {
                continue;
            }
            self.settle(now, key, network);
        }
    }

    /// Drains a link, as every driver must after it changed one.
    fn settle(&mut self, now: Instant, key: LinkKey, network: &mut Network) {
        let Some(link) = self.links.get_mut(&key) else {
            return;
        };
        loop {
            while let Some(event) = link.poll_endpoint_event() {
                self.endpoint.handle_link_event(key, event);
            }
            while let Some(event) = link.poll_event() {
                if let Event::RememberAt(at) = event {
                    self.remembered.insert(link.hashname(), at);
                }
                self.app.on_event(now, key, link, event);
            }
            self.buf.clear();
            let Some(transmit) = link.poll_transmit(now, &mut self.buf, SEGMENTS) else {
                break;
            };
            let Remote::Socket(to) = transmit.pipe.remote else {
                continue;
            };
            let segment = transmit.segment_size.unwrap_or(self.buf.len()).max(1);
            for datagram in self.buf.chunks(segment) {
                *self.sent.entry(to).or_default() += 1;
                if let Some(recording) = &mut self.recording {
                    recording.push((to, datagram.to_vec()));
                }
                let from = self.addresses[usize::from(transmit.pipe.transport.0)];
                let packet = Packet {
                    from,
                    to,
                    sent: now,
                    bytes: datagram.to_vec(),
                    fragment: transmit.fragment,
                };
                network.send_packet(now, packet);
            }
        }
    }

    fn options(&self, peer: Hashname) -> LinkOptions {
        LinkOptions::default().last_at(self.remembered.get(&peer).copied().unwrap_or(0))
    }
}

fn pipe(address: SocketAddr) -> PipeId {
    PipeId::socket(TransportId(0), address)
}

fn unix(now: Instant, skew: i64) -> Duration {
    let start = Duration::from_secs(1_800_000_000_u64.saturating_add_signed(skew));
    start + Duration::from_micros(now.as_micros())
}
