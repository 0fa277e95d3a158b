//! Two endpoints that are linked, in virtual time, with a stream from one to the other.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity, Instant};
use telehash_hashname::Csid;
use telehash_link::{
    ChannelEvent, ChannelId, Config, Dispatch, Endpoint, Event, Link, LinkKey, LinkOptions,
    LinkState, Open, PathSource, PipeId, TransportId,
};

/// From one end to the other: short enough that nothing is paced.
const DELAY: Duration = Duration::from_micros(500);

/// Packets of one system call, as a driver would ask for.
const SEGMENTS: usize = 64;

/// What a handshake takes, and more.
const MAX_STEPS: usize = 100;

/// Round trips in which the window opens.
const WARM_UP: usize = 50;

/// Packets that each of them sends.
const EACH: usize = 32;

/// Alice (0) and Bob (1), linked over datagrams, with a stream that Alice opened.
///
/// A round: [`write`](Self::write) and [`send`](Self::send) as Alice, [`receive`](Self::receive) as Bob, then
/// [`answers`](Self::answers) as Bob, [`take`](Self::take) as Alice.
pub struct Links {
    now: Instant,
    ends: [End; 2],
    stream: ChannelId,
    content: Vec<u8>,
    buf: Vec<u8>,
}

/// One of them, as a driver has it.
struct End {
    endpoint: Endpoint,
    link: Option<(LinkKey, Link)>,
    /// Where the other is.
    there: PipeId,
    /// The channel that the other opened.
    opened: Option<ChannelId>,
}

impl Links {
    /// New identities with keys of this set, linked, and a stream that has run for a while.
    ///
    /// # Panics
    ///
    /// If they do not link.
    #[must_use]
    pub fn new(csid: Csid) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sets = CipherSets::default();
        let mut end = |number: u8| {
            let identity = Identity::generate(&sets, &[csid], &mut rng).expect("it is enabled");
            End::new(now, identity, number)
        };
        let ends = [end(0), end(1)];
        let mut links = Self {
            now,
            ends,
            stream: ChannelId::new(1).expect("1 is an id"),
            content: vec![7; 1 << 16],
            buf: Vec::new(),
        };
        links.link();
        links.stream = links.open();
        for _ in 0..WARM_UP {
            links.write(EACH * links.quota());
            let sent = links.datagrams(0);
            links.deliver(0, sent);
            let acks = links.datagrams(1);
            links.deliver(1, acks);
        }
        links
    }

    /// Bytes of content that one packet carries.
    #[must_use]
    pub fn quota(&self) -> usize {
        self.ends[0].up().quota(self.stream)
    }

    /// Alice writes so many bytes to her stream.
    ///
    /// # Panics
    ///
    /// If there is no room for them.
    pub fn write(&mut self, bytes: usize) {
        let (now, stream) = (self.now, self.stream);
        let content = &self.content[..bytes];
        let written = self.ends[0].up_mut().write(now, stream, content);
        assert_eq!(written, Ok(bytes), "the stream has room");
    }

    /// Alice's next datagrams leave, at most so many of them; their bytes.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn send(&mut self, segments: usize) -> usize {
        self.buf.clear();
        let (now, buf) = (self.now, &mut self.buf);
        let sent = self.ends[0].up_mut().poll_transmit(now, buf, segments);
        black_box(sent.expect("it was written"));
        self.buf.len()
    }

    /// The datagrams in what [`send`](Self::send) filled, of which each has so many bytes.
    #[must_use]
    pub fn sent(&self, size: usize) -> Vec<Vec<u8>> {
        self.buf.chunks(size).map(<[u8]>::to_vec).collect()
    }

    /// What either end has to send, until it has nothing more.
    pub fn datagrams(&mut self, end: usize) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        self.ends[end].settle(self.now);
        loop {
            self.buf.clear();
            let link = self.ends[end].up_mut();
            let Some(transmit) = link.poll_transmit(self.now, &mut self.buf, SEGMENTS) else {
                return datagrams;
            };
            let segment = transmit.segment_size.unwrap_or(self.buf.len());
            datagrams.extend(self.buf.chunks(segment).map(<[u8]>::to_vec));
        }
    }

    /// Time passes until what was sent arrives.
    pub fn wait(&mut self) {
        self.now += DELAY;
        for end in &mut self.ends {
            end.up_mut().handle_timeout(self.now);
            end.settle(self.now);
        }
    }

    /// Bob takes datagrams, and reads what they bring; the bytes of content.
    pub fn receive(&mut self, datagrams: &mut [Vec<u8>]) -> usize {
        let now = self.now;
        let bob = &mut self.ends[1];
        datagrams
            .iter_mut()
            .for_each(|packet| bob.take(now, packet));
        bob.settle(now);
        bob.read(now)
    }

    /// Bob's answers to what he received: acks.
    pub fn answers(&mut self) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        let mut packet = Vec::new();
        while let Some(transmit) = self.ends[1]
            .up_mut()
            .poll_transmit(self.now, &mut packet, 1)
        {
            black_box(transmit);
            answers.push(std::mem::take(&mut packet));
        }
        answers
    }

    /// Alice takes datagrams: acks.
    pub fn take(&mut self, datagrams: &mut [Vec<u8>]) {
        let now = self.now;
        let alice = &mut self.ends[0];
        datagrams
            .iter_mut()
            .for_each(|packet| alice.take(now, packet));
        alice.settle(now);
    }

    /// Everything that `from` sent arrives.
    pub fn deliver(&mut self, from: usize, mut datagrams: Vec<Vec<u8>>) {
        self.wait();
        match from {
            0 => _ = self.receive(&mut datagrams),
            _ => self.take(&mut datagrams),
        }
    }

    fn link(&mut self) {
        let bob = self.ends[1].endpoint.identity().keys().clone();
        let alice = &mut self.ends[0];
        let options = LinkOptions::default();
        let (key, mut link) = alice
            .endpoint
            .connect(self.now, &bob, options)
            .expect("they have a set in common");
        link.add_path(self.now, alice.there, PathSource::Dialed);
        alice.link = Some((key, link));
        let is_up = |end: &End| {
            end.linked()
                .is_some_and(|link| link.state() == LinkState::Up)
        };
        for step in 0.. {
            assert!(step < MAX_STEPS, "no link");
            if self.ends.iter().all(is_up) {
                break;
            }
            if !self.step() {
                self.idle();
            }
        }
        for end in &mut self.ends {
            end.prove(self.now);
        }
    }

    /// Carries what there is, and says whether there was anything.
    fn step(&mut self) -> bool {
        let mut any = false;
        for from in [0, 1] {
            if self.ends[from].linked().is_none() {
                continue;
            }
            let sent = self.datagrams(from);
            any |= !sent.is_empty();
            self.now += DELAY;
            for mut packet in sent {
                self.ends[1 - from].take(self.now, &mut packet);
                self.ends[1 - from].settle(self.now);
            }
        }
        any
    }

    /// Nothing is under way: jumps to what either end waits for.
    fn idle(&mut self) {
        let links = self.ends.iter().filter_map(End::linked);
        let next = links.filter_map(Link::poll_timeout).min();
        self.now = self.now.max(next.expect("they wait for something"));
        let now = self.now;
        let links = self.ends.iter_mut().filter_map(|end| end.link.as_mut());
        links.for_each(|(_, link)| link.handle_timeout(now));
    }

    fn open(&mut self) -> ChannelId {
        let stream = self.ends[0]
            .up_mut()
            .open(self.now, Open::reliable("stream"))
            .expect("a new link has room");
        self.stream = stream;
        self.write(1);
        let opened = self.datagrams(0);
        self.deliver(0, opened);
        let (now, bob) = (self.now, &mut self.ends[1]);
        let theirs = bob.opened.expect("it was opened");
        bob.up_mut().accept(now, theirs).expect("it is there");
        let acks = self.datagrams(1);
        self.deliver(1, acks);
        stream
    }
}

impl End {
    fn new(now: Instant, identity: Identity, number: u8) -> Self {
        let unix = Duration::from_secs(1_800_000_000);
        let endpoint = Endpoint::new(Config::default(), identity, now, unix, [number; 32]);
        let there = SocketAddr::from(([192, 0, 2, 2 - number], 1));
        Self {
            endpoint,
            link: None,
            there: PipeId::socket(TransportId(0), there),
            opened: None,
        }
    }

    fn linked(&self) -> Option<&Link> {
        self.link.as_ref().map(|(_, link)| link)
    }

    fn up(&self) -> &Link {
        self.linked().expect("they are linked")
    }

    fn up_mut(&mut self) -> &mut Link {
        let link = self.link.as_mut();
        &mut link.expect("they are linked").1
    }

    /// The path is proven, as a check would, and carries packets of the usual size.
    fn prove(&mut self, now: Instant) {
        let link = self.up_mut();
        let slot = link.active_pipe().expect("it is the only one");
        link.validate_pipe(now, slot, 2 * DELAY);
        link.size_proved(slot, 1400);
    }

    /// Takes a datagram, as a driver does.
    fn take(&mut self, now: Instant, packet: &mut [u8]) {
        match self.endpoint.handle(now, self.there, packet) {
            Dispatch::Link(key, input) => match &mut self.link {
                Some((own, link)) if *own == key => link.handle(now, self.there, input, packet),
                _ => {}
            },
            Dispatch::Incoming(incoming) => {
                let options = LinkOptions::default();
                let accepted = self.endpoint.accept(now, incoming.ticket, options);
                self.link = Some(accepted.expect("nobody else is linked"));
            }
            Dispatch::Drop(_) | Dispatch::Forward(_) => {}
        }
    }

    /// Drains the news, as a driver does.
    fn settle(&mut self, now: Instant) {
        let Some((key, link)) = &mut self.link else {
            return;
        };
        while let Some(event) = link.poll_endpoint_event() {
            self.endpoint.handle_link_event(*key, event);
        }
        while let Some(event) = link.poll_event() {
            if let Event::Channel(ChannelEvent::Opened { id, .. }) = event {
                self.opened = Some(id);
            }
        }
        black_box(link.poll_timeout().is_some_and(|at| at <= now));
    }

    /// Reads all there is; the bytes.
    fn read(&mut self, now: Instant) -> usize {
        let Some((opened, (_, link))) = self.opened.zip(self.link.as_mut()) else {
            return 0;
        };
        let mut bytes = 0;
        while let Ok(Some(packet)) = link.read(now, opened) {
            bytes += black_box(packet.body).len();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_arrives_and_is_acknowledged() {
        for csid in [Csid::CS3A, Csid::CS42] {
            let mut links = Links::new(csid);
            let (quota, before) = (links.quota(), links.ends[0].up().stats());
            assert!(quota > 1300, "{quota}");
            links.write(EACH * quota);
            let bytes = links.send(EACH);
            // Heads differ by some bytes, so that the last one is a little smaller.
            assert_eq!(bytes.div_ceil(1400), EACH, "one run of full packets");
            let mut datagrams = links.sent(1400);
            links.wait();
            assert_eq!(links.receive(&mut datagrams), EACH * quota);
            let answers = links.datagrams(1);
            assert!(!answers.is_empty());
            links.deliver(1, answers);
            let after = links.ends[0].up().stats();
            assert_eq!(after.datagrams_sent, before.datagrams_sent + EACH as u64);
            assert!(after.datagrams_received > before.datagrams_received);
        }
    }
}
