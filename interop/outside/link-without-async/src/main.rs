//! Two endpoints link and talk in one plain loop: the core is driven by hand, as on a microcontroller.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::Csid;
use telehash_link::{
    ChannelEvent, Config, Dispatch, Endpoint, Event, Instant, Link, LinkKey, LinkOptions, Open,
    PathSource, PipeId, TransportId,
};

type Error = Box<dyn core::error::Error>;

/// An endpoint, its link once it has one, and what it read.
struct Node {
    name: u8,
    endpoint: Endpoint,
    link: Option<(LinkKey, Link)>,
    read: Vec<u8>,
}

/// Datagrams under way: where to, and what.
type Wire = VecDeque<(u8, Vec<u8>)>;

fn main() -> Result<(), Error> {
    let mut now = Instant::from_micros(0);
    let mut alice = Node::new(1, now)?;
    let mut bob = Node::new(2, now)?;
    let mut wire = Wire::new();

    let keys = bob.endpoint.identity().keys().clone();
    let (key, mut link) = alice.endpoint.connect(now, &keys, LinkOptions::default())?;
    link.add_path(now, pipe(bob.name), PathSource::Dialed);
    alice.link = Some((key, link));

    let mut opened = false;
    for _ in 0..1000 {
        for node in [&mut alice, &mut bob] {
            node.advance(now, &mut wire)?;
        }
        while let Some((to, datagram)) = wire.pop_front() {
            let node = if to == alice.name { &mut alice } else { &mut bob };
            node.receive(now, datagram)?;
        }
        if let Some((_, link)) = &mut alice.link
            && !opened
            && let Ok(id) = link.open(now, Open::reliable("greeting"))
        {
            link.write(now, id, b"hello")?;
            opened = true;
        }
        if bob.read == b"hello" {
            println!("bob read alice's greeting after {} ms", now.as_micros() / 1000);
            return Ok(());
        }
        now += Duration::from_millis(10);
    }
    Err("the greeting did not arrive within ten seconds".into())
}

impl Node {
    fn new(name: u8, now: Instant) -> Result<Self, Error> {
        let mut rng = ChaCha20Rng::from_seed([name; 32]);
        let identity = Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng)?;
        let unix = Duration::from_secs(1_800_000_000);
        let endpoint = Endpoint::new(Config::default(), identity, now, unix, [name; 32]);
        Ok(Self { name, endpoint, link: None, read: Vec::new() })
    }

    fn receive(&mut self, now: Instant, mut datagram: Vec<u8>) -> Result<(), Error> {
        let from = pipe(if self.name == 1 { 2 } else { 1 });
        match self.endpoint.handle(now, from, &mut datagram) {
            Dispatch::Link(_, input) => {
                if let Some((_, link)) = &mut self.link {
                    link.handle(now, from, input, &mut datagram);
                }
            }
            Dispatch::Incoming(stranger) => {
                self.link = Some(self.endpoint.accept(now, stranger.ticket, LinkOptions::default())?);
            }
            // It routes for nobody.
            Dispatch::Drop(_) | Dispatch::Forward(_) => {}
        }
        Ok(())
    }

    /// Lets time pass, then drains: news first, packets last.
    fn advance(&mut self, now: Instant, wire: &mut Wire) -> Result<(), Error> {
        self.endpoint.handle_timeout(now);
        let Some((key, link)) = &mut self.link else { return Ok(()) };
        link.handle_timeout(now);
        while let Some(event) = link.poll_endpoint_event() {
            self.endpoint.handle_link_event(*key, event);
        }
        while let Some(event) = link.poll_event() {
            match event {
                Event::Channel(ChannelEvent::Opened { id, .. }) => link.accept(now, id)?,
                Event::Channel(ChannelEvent::Readable(id)) => {
                    while let Some(packet) = link.read(now, id)? {
                        self.read.extend_from_slice(&packet.body);
                    }
                }
                _ => {}
            }
        }
        let to = if self.name == 1 { 2 } else { 1 };
        let mut run = Vec::new();
        while let Some(transmit) = link.poll_transmit(now, &mut run, 1) {
            let size = transmit.segment_size.unwrap_or(run.len());
            wire.extend(run.chunks(size).map(|datagram| (to, datagram.to_vec())));
            run.clear();
        }
        Ok(())
    }
}

/// Where a node is: anything that tells one place from another.
fn pipe(name: u8) -> PipeId {
    PipeId::socket(TransportId(0), SocketAddr::from(([10, 0, 0, name], 42424)))
}
