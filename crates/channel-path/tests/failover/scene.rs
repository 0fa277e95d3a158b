//! Two endpoints with two pipes between them: one like UDP, one like TCP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_channel_path::{PathAgent, PathConfig, PathEvent, Whereabouts};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::{Csid, Path};
use telehash_link::{
    ChannelEvent, ChannelId, CloakPolicy, Config, Event, Instant, Link, LinkKey, Open, PathSource,
    PipeCapabilities, PipeId, TransportId,
};
use telehash_netsim::{App, Conditions, Filter, Loss, NodeId, Packet, Queue, Verdict, World};

pub(crate) const UDP: u8 = 0;
pub(crate) const TCP: u8 = 1;

/// Bytes of a stream, which take about four seconds.
pub(crate) const BYTES: usize = 1_500_000;
const RATE: u64 = 400_000;
const DELAY: Duration = Duration::from_millis(20);

/// What Ethernet's common frames carry of UDP.
const ETHERNET: usize = 1472;

/// What is cut off a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    There,
    Back,
    Both,
}

pub(crate) struct Scene {
    pub(crate) world: World,
    /// Who sends, and who receives.
    pub(crate) ends: [NodeId; 2],
    /// Their addresses, by transport.
    addresses: [[SocketAddr; 2]; 2],
    /// What went there, and what came back.
    log: Arc<Mutex<Log>>,
    back: Arc<Mutex<Log>>,
}

/// What went in one direction.
#[derive(Debug, Default)]
struct Log {
    total: Option<usize>,
    written: usize,
    received: usize,
    finished: bool,
    failed: Vec<String>,
    moves: usize,
    last: Option<Instant>,
    longest: Duration,
    reads_from: Option<Instant>,
    writes_at: Option<Instant>,
}

impl Log {
    /// Writes a little now and then.
    fn trickle(&mut self, now: Instant, link: &mut Link, id: ChannelId) {
        if self.writes_at.is_none_or(|at| at <= now) {
            let bytes: Vec<u8> = (self.written..).take(2000).map(pattern).collect();
            self.written += link.write(now, id, &bytes).unwrap_or(0);
            self.writes_at = Some(now + DELAY);
        }
    }
}

impl Scene {
    /// A link with two pipes and a stream that has begun.
    pub(crate) fn streaming(seed: u64) -> Self {
        let mut scene = Self::without_standby(seed);
        let standby = PipeId::socket(TransportId(TCP), scene.addresses[1][1]);
        let [sender, receiver] = scene.ends;
        scene.world.with_link(sender, receiver, |now, link| {
            link.add_path(now, standby, PathSource::Dialed);
        });
        let ends = scene.ends;
        let both = |world: &World| {
            let stands_by = |from, to| {
                let link: Option<&Link> = world.link(from, to);
                link.is_some_and(|link| link.pipes().filter(|pipe| pipe.validated).count() == 2)
            };
            stands_by(ends[0], ends[1]) && stands_by(ends[1], ends[0])
        };
        assert!(
            scene.world.drive(Duration::from_secs(5), both),
            "no second pipe"
        );
        scene
    }

    /// The same with the first pipe alone.
    pub(crate) fn without_standby(seed: u64) -> Self {
        Self::in_a_network(seed, &conditions())
    }

    /// The same on a path that treats packets like this.
    pub(crate) fn on_a_path(seed: u64, path: impl Filter + 'static) -> Self {
        let mut scene = Self::prepared(seed, &config(), &conditions());
        scene.world.network().add_filter(path);
        scene.link_up()
    }

    /// The same on a fast network nearby, with much under way.
    pub(crate) fn nearby(seed: u64) -> Self {
        let conditions = Conditions::perfect()
            .with_delay(Duration::from_micros(200))
            .with_rate(RATE * 100)
            .with_queue(Queue::UNLIMITED);
        Self::in_a_network(seed, &conditions)
    }

    /// A link by the second pipe, while the first does not work.
    pub(crate) fn by_tcp_alone(seed: u64) -> Self {
        Self::by_tcp_between(seed, &config())
    }

    /// The same between ends whose datagrams never leave in fragments.
    pub(crate) fn by_tcp_without_fragments(seed: u64) -> Self {
        let mut config = config();
        config.fragments = false;
        Self::by_tcp_between(seed, &config)
    }

    fn by_tcp_between(seed: u64, config: &Config) -> Self {
        let mut scene = Self::prepared(seed, config, &conditions());
        scene.narrow(ETHERNET);
        scene.cut(Direction::Both);
        let [sender, receiver] = scene.ends;
        scene.world.connect(sender, receiver).unwrap();
        let tcp = PipeId::socket(TransportId(TCP), scene.addresses[1][1]);
        scene.world.with_link(sender, receiver, |now, link| {
            link.add_path(now, tcp, PathSource::Dialed);
        });
        scene.come_up();
        scene
    }

    fn in_a_network(seed: u64, conditions: &Conditions) -> Self {
        let mut scene = Self::prepared(seed, &config(), conditions);
        scene.narrow(ETHERNET);
        scene.link_up()
    }

    fn link_up(mut self) -> Self {
        let [sender, receiver] = self.ends;
        self.world.connect(sender, receiver).unwrap();
        self.come_up();
        self
    }

    fn come_up(&mut self) {
        let [a, b] = self.ends;
        let limit = Duration::from_secs(5);
        let up = self.world.drive(limit, |world| world.is_up(a, b));
        assert!(up, "the link does not come up");
    }

    fn prepared(seed: u64, config: &Config, conditions: &Conditions) -> Self {
        let mut world = World::new(seed);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let log = Arc::new(Mutex::new(Log {
            total: Some(BYTES),
            ..Log::default()
        }));
        let back = Arc::new(Mutex::new(Log {
            total: Some(0),
            ..Log::default()
        }));
        let ends = [true, false].map(|opens| {
            let identity = Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng);
            let end = match opens {
                true => End::new(true, log.clone(), back.clone()),
                false => End::new(false, back.clone(), log.clone()),
            };
            world.add_with(identity.unwrap(), config.clone(), end)
        });
        let addresses = ends.map(|end| [world.address(end), world.add_address(end)]);
        world.network().set_conditions(conditions);
        // What delivers everything has neither loss nor a queue that overflows.
        let lossless = Conditions::perfect().with_delay(DELAY);
        let [here, there] = addresses.map(|address| address[usize::from(TCP)]);
        world.network().set_between(here, there, &lossless);
        Self {
            world,
            ends,
            addresses,
            log,
            back,
        }
    }

    /// As much comes back on the same stream.
    pub(crate) fn duplex(&self) {
        lock(&self.back).total = Some(BYTES);
    }

    /// The stream never ends, and trickles.
    pub(crate) fn endless(&self) {
        self.log().total = None;
    }

    pub(crate) fn run_until_received(&mut self, bytes: usize) {
        let log = self.log.clone();
        let limit = Duration::from_secs(60);
        let done = self.world.drive(limit, |_| lock(&log).received >= bytes);
        assert!(done, "{:?}, {:?}", self.log(), self.stats());
    }

    /// Runs to the end of the stream; the longest time in which nothing arrived.
    pub(crate) fn finish(&mut self) -> Duration {
        let (log, back) = (self.log.clone(), self.back.clone());
        let limit = Duration::from_secs(300);
        let done = self.world.drive_bounded(limit, 2_000_000, |_| {
            lock(&log).finished && lock(&back).finished
        });
        let (log, back) = (self.log(), lock(&self.back));
        let failed = log.failed.iter().chain(&back.failed).next();
        assert!(
            done && failed.is_none(),
            "{log:?}, {back:?}, {:?}",
            self.stats()
        );
        assert_eq!(log.received, BYTES);
        assert_eq!(Some(back.received), back.total);
        log.longest.max(back.longest)
    }

    pub(crate) fn cut(&mut self, cut: Direction) {
        let [here, there] = self.addresses.map(|address| address[usize::from(UDP)]);
        if cut != Direction::Back {
            self.world.network().block(here, there);
        }
        if cut != Direction::There {
            self.world.network().block(there, here);
        }
    }

    pub(crate) fn cut_standby(&mut self) {
        let [here, there] = self.addresses.map(|address| address[usize::from(TCP)]);
        self.world.network().block(here, there);
        self.world.network().block(there, here);
    }

    /// From now on the first pipe carries packets up to this size, larger ones only in fragments.
    /// Tells the largest packet that each of the pipes was given.
    pub(crate) fn narrow(&mut self, size: usize) -> Arc<Mutex<[usize; 2]>> {
        let largest = Arc::new(Mutex::new([0; 2]));
        let seen = largest.clone();
        let udp = self.addresses[0][usize::from(UDP)];
        let udp = [udp, self.addresses[1][usize::from(UDP)]];
        self.world.network().add_filter(move |packet: &mut Packet| {
            let is_udp = udp.contains(&packet.to);
            let slot = if is_udp { UDP } else { TCP };
            let largest = &mut seen.lock().unwrap()[usize::from(slot)];
            *largest = packet.bytes.len().max(*largest);
            match is_udp && packet.bytes.len() > size && !packet.fragment {
                true => Verdict::Lose,
                false => Verdict::Pass,
            }
        });
        largest
    }

    pub(crate) fn mend(&mut self) {
        let [here, there] = self.addresses.map(|address| address[usize::from(UDP)]);
        self.world.network().unblock(here, there);
        self.world.network().unblock(there, here);
    }

    pub(crate) fn lose(&mut self, loss: Loss) {
        let [here, there] = self.addresses.map(|address| address[usize::from(UDP)]);
        let conditions = conditions().with_loss(loss);
        self.world.network().set_between(here, there, &conditions);
    }

    pub(crate) fn pause_reader(&mut self, pause: Duration) {
        let until = self.world.now() + pause;
        self.log().reads_from = Some(until);
    }

    /// The transports that both ends send by.
    pub(crate) fn active(&self) -> [u8; 2] {
        active(&self.world, self.ends)
    }

    /// The packet sizes of the first pipe at both ends.
    pub(crate) fn packet_sizes(&self) -> [usize; 2] {
        let [a, b] = self.ends;
        [(a, b), (b, a)].map(|(from, to)| {
            let mut pipes = self.world.link(from, to).unwrap().pipes();
            pipes
                .find(|pipe| pipe.id.transport.0 == UDP)
                .unwrap()
                .packet_size
        })
    }

    /// How often traffic moved.
    pub(crate) fn moves(&self) -> usize {
        self.log().moves
    }

    fn stats(&self) -> Vec<telehash_link::PipeInfo> {
        let [a, b] = self.ends;
        let links = [(a, b), (b, a)].map(|(from, to)| self.world.link(from, to));
        links.into_iter().flatten().flat_map(Link::pipes).collect()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }
}

pub(crate) fn active(world: &World, [a, b]: [NodeId; 2]) -> [u8; 2] {
    [(a, b), (b, a)].map(|(from, to)| {
        let mut pipes = world.link(from, to).unwrap().pipes();
        pipes.find(|pipe| pipe.active).unwrap().id.transport.0
    })
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap()
}

/// A round trip of 40 ms, or twice that with a full queue.
fn conditions() -> Conditions {
    let queue = Queue {
        bytes: RATE as usize / 25,
        packets: 1000,
    };
    Conditions::perfect()
        .with_delay(DELAY)
        .with_rate(RATE)
        .with_queue(queue)
}

fn config() -> Config {
    let tcp = PipeCapabilities {
        reliable: true,
        own_congestion_control: true,
        cloak: CloakPolicy::MatchPeer,
        keepalive: Duration::from_secs(300),
        backpressure: true,
        ..PipeCapabilities::DATAGRAM
    };
    let mut config = Config::default();
    config.transports = vec![PipeCapabilities::DATAGRAM, tcp];
    config
}

/// One end: an agent for paths, and one side of a stream.
struct End {
    opens: bool,
    agent: PathAgent,
    channel: Option<ChannelId>,
    ended: bool,
    outgoing: Arc<Mutex<Log>>,
    incoming: Arc<Mutex<Log>>,
}

/// Nothing is offered: both ends know their paths.
struct Nowhere;

impl Whereabouts for Nowhere {
    fn local_paths(&self) -> Vec<Path> {
        Vec::new()
    }

    fn path_of(&self, _: PipeId) -> Option<Path> {
        None
    }
}

impl End {
    fn new(opens: bool, outgoing: Arc<Mutex<Log>>, incoming: Arc<Mutex<Log>>) -> Self {
        Self {
            opens,
            agent: PathAgent::new(PathConfig::default()),
            channel: None,
            ended: false,
            outgoing,
            incoming,
        }
    }

    fn work(&mut self, now: Instant, link: &mut Link) {
        while let Some(event) = self.agent.poll_event() {
            assert!(
                !matches!(event, PathEvent::Dial(_)),
                "nobody offers anything"
            );
        }
        if let Some(id) = self.channel {
            self.write(now, link, id);
            self.read(now, link, id);
        }
    }

    fn write(&mut self, now: Instant, link: &mut Link, id: ChannelId) {
        let mut log = lock(&self.outgoing);
        if log.total.is_none() {
            return log.trickle(now, link, id);
        }
        while !self.ended {
            let left = log.total.map_or(0, |total| total - log.written);
            if left == 0 {
                self.ended = link.end(now, id).is_ok();
                return;
            }
            let bytes: Vec<u8> = (log.written..).take(left.min(4096)).map(pattern).collect();
            match link.write(now, id, &bytes) {
                Ok(0) | Err(_) => return,
                Ok(taken) => log.written += taken,
            }
        }
    }

    fn read(&mut self, now: Instant, link: &mut Link, id: ChannelId) {
        let mut log = lock(&self.incoming);
        if log.reads_from.is_some_and(|from| now < from) {
            return;
        }
        if log.reads_from.take().is_some() {
            log.last = Some(now);
        }
        while let Ok(Some(packet)) = link.read(now, id) {
            if let Some(last) = log.last.replace(now) {
                log.longest = log.longest.max(now.saturating_duration_since(last));
            }
            let expected = (log.received..).take(packet.body.len()).map(pattern);
            let expected: Vec<u8> = expected.collect();
            assert!(packet.body == expected, "at {}", log.received);
            log.received += expected.len();
        }
    }
}

fn pattern(at: usize) -> u8 {
    ((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8
}

impl App for End {
    fn poll_timeout(&self) -> Option<Instant> {
        let own = [
            lock(&self.outgoing).writes_at,
            lock(&self.incoming).reads_from,
        ];
        let own = own.into_iter().flatten();
        self.agent.poll_timeout().into_iter().chain(own).min()
    }

    fn on_timeout(&mut self, now: Instant, _: LinkKey, link: &mut Link) {
        self.agent.handle_timeout(now, link, &Nowhere);
        self.work(now, link);
    }

    fn on_event(&mut self, now: Instant, _: LinkKey, link: &mut Link, event: Event) {
        let is_paths = self.agent.handle_event(now, link, &event, &Nowhere);
        match event {
            Event::Up if self.opens && self.channel.is_none() => {
                self.channel = Some(link.open(now, Open::reliable("stream")).unwrap());
            }
            Event::PipeSelected(_) => lock(&self.outgoing).moves += 1,
            Event::Channel(ChannelEvent::Opened { id, .. }) if !is_paths => {
                link.accept(now, id).unwrap();
                self.channel = Some(id);
            }
            Event::Channel(ChannelEvent::Finished(id)) if !is_paths => {
                self.read(now, link, id);
                lock(&self.incoming).finished = true;
            }
            Event::Channel(ChannelEvent::Failed { error, .. }) if !is_paths => {
                lock(&self.incoming).failed.push(error.to_string());
            }
            Event::Down(reason) => lock(&self.incoming).failed.push(format!("{reason:?}")),
            _ => {}
        }
        self.work(now, link);
    }
}
