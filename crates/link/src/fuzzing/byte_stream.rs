//! What a byte stream does to an endpoint: bytes become packets, packets reach `Endpoint::handle`,
//! and what is answered becomes bytes again.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use core::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::Csid;
use telehash_lob::chunk::{self, Decoder, MAX_CHUNKED_PACKET, MAX_FRAGMENT};

use crate::{
    ChannelEvent, ChannelId, CloakPolicy, Config, Dispatch, Endpoint, Event, Instant, Link,
    LinkKey, LinkOptions, LinkState, Open, PathSource, PipeCapabilities, PipeId, Remote,
    TransportId,
};

/// The bytes come all at once.
const START: Instant = Instant::from_micros(1_000_000_000);

/// Then both ends have so many turns of so long to make up for what was lost.
const TURNS: usize = 8;
const TURN: Duration = Duration::from_millis(500);

/// The connection of the friend, the one that the bytes come by, and the friend's next one.
const FRIENDS: u64 = 1;
const STRANGERS: u64 = 2;
const FRIENDS_NEXT: u64 = 3;

/// What the friend writes before the bytes come, and after.
const BEFORE: &[u8] = b"before the storm ";
const AFTER: &[u8] = b"and after it";

/// Bits of the first byte.
const ACCEPTS: u8 = 1;
const ON_FRIENDS: u8 = 2;

/// Gives an endpoint that has a live link a byte stream, as a connection would bring it. The first
/// byte says whether strangers are accepted, whether the bytes come by the connection of the link or
/// by a new one, and how they are cut. However they are cut, the endpoint does the same; a connection
/// that proved nothing gets no answer, or three times what it sent; and the link lives on.
///
/// `stranger_limit` is how long a packet may be on a connection that no link uses, in bytes.
pub fn tcp_endpoint(data: &[u8], stranger_limit: usize) {
    let Some((&first, stream)) = data.split_first() else {
        return;
    };
    let whole = hear(first, stream, stranger_limit, usize::MAX);
    let cut = hear(first, stream, stranger_limit, 1 + usize::from(first >> 2));
    assert_eq!(whole, cut, "it depends on how the bytes were cut");
}

/// What came of a byte stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// Packets in it.
    packets: usize,
    /// Bytes that the endpoint wrote to the connection.
    answered: Vec<u8>,
    /// Links that are up in the end.
    up: usize,
    /// Streams that strangers opened.
    opened: usize,
}

fn hear(first: u8, stream: &[u8], stranger_limit: usize, piece: usize) -> Outcome {
    let accepts = first & ACCEPTS != 0;
    let by = [STRANGERS, FRIENDS][usize::from(first & ON_FRIENDS != 0)];
    let (mut host, mut friend, id) = linked(stranger_limit);
    let (&(key, _), _) = host.read.first_key_value().expect("the stream came");

    host.accepts = accepts;
    let packets = host.take(by, stream, piece);
    let answered = host.outgoing.remove(&by).unwrap_or_default();
    let opened = host.read.len() - 1;
    let is_up = |link: &&Link| link.state() == LinkState::Up;
    let up = host.links.values().filter(is_up).count();

    // The connection ends. A friend that spoke by it comes by another.
    host.close(by);
    let mut then = FRIENDS;
    if by == FRIENDS {
        then = FRIENDS_NEXT;
        friend.close(by);
        friend.link_to(&host, then);
        converse(&mut host, &mut friend, then);
    }
    friend.write(id, AFTER);
    for _ in 0..TURNS {
        converse(&mut host, &mut friend, then);
        host.pass(TURN);
        friend.pass(TURN);
    }
    assert!(!host.lost.contains(&key), "the link went down");
    assert_eq!(host.read[&(key, id)], [BEFORE, AFTER].concat());
    Outcome {
        packets,
        answered,
        up,
        opened,
    }
}

/// A host, and a friend with a link to it and a stream that has begun.
fn linked(stranger_limit: usize) -> (Host, Host, ChannelId) {
    let mut host = Host::new(1, CloakPolicy::MatchPeer, stranger_limit);
    let mut friend = Host::new(2, CloakPolicy::MatchPeer, stranger_limit);
    host.accepts = true;
    friend.link_to(&host, FRIENDS);
    converse(&mut host, &mut friend, FRIENDS);
    let id = friend.open().expect("a link takes a channel");
    friend.write(id, BEFORE);
    converse(&mut host, &mut friend, FRIENDS);
    (host, friend, id)
}

/// Carries bytes between both ends of a connection until neither has more to say.
fn converse(one: &mut Host, other: &mut Host, connection: u64) {
    loop {
        let there = one.outgoing.remove(&connection).unwrap_or_default();
        let back = other.outgoing.remove(&connection).unwrap_or_default();
        if there.is_empty() && back.is_empty() {
            return;
        }
        other.take(connection, &there, usize::MAX);
        one.take(connection, &back, usize::MAX);
    }
}

/// An endpoint with its links and its ends of connections.
struct Host {
    now: Instant,
    endpoint: Endpoint,
    links: BTreeMap<LinkKey, Link>,
    accepts: bool,
    stranger_limit: usize,
    decoders: BTreeMap<u64, Decoder>,
    /// Bytes of packets that came by a connection, and of those that went.
    traffic: BTreeMap<u64, [usize; 2]>,
    /// Bytes to be written to connections.
    outgoing: BTreeMap<u64, Vec<u8>>,
    /// What came by streams that peers opened.
    read: BTreeMap<(LinkKey, ChannelId), Vec<u8>>,
    /// Links that went down or began anew.
    lost: Vec<LinkKey>,
}

impl Host {
    /// Always the same for the same seed, so that recorded bytes mean something to it.
    fn new(seed: u8, cloak: CloakPolicy, stranger_limit: usize) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let identity = Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng)
            .expect("this cipher set makes keys of any random bytes");
        let config = Config {
            transports: vec![PipeCapabilities {
                reliable: true,
                own_congestion_control: true,
                cloak,
                keepalive: Duration::from_secs(300),
                backpressure: true,
                ..PipeCapabilities::DATAGRAM
            }],
            ..Config::default()
        };
        let unix = Duration::from_secs(1_800_000_000);
        Self {
            now: START,
            endpoint: Endpoint::new(config, identity, START, unix, [seed + 10; 32]),
            links: BTreeMap::new(),
            accepts: false,
            stranger_limit,
            decoders: BTreeMap::new(),
            traffic: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            read: BTreeMap::new(),
            lost: Vec::new(),
        }
    }

    /// Makes a link to `other` by this connection, or takes the one that there is there.
    fn link_to(&mut self, other: &Self, connection: u64) {
        let keys = other.endpoint.identity().keys();
        let made = self
            .endpoint
            .connect(self.now, keys, LinkOptions::default());
        self.links.extend(made);
        for link in self.links.values_mut() {
            link.add_path(self.now, pipe(connection), PathSource::Dialed);
            if link.state() == LinkState::Up {
                // As a path check would, it proves the new connection.
                link.network_changed(self.now);
            }
        }
        self.settle();
    }

    /// Opens a stream by the first link.
    fn open(&mut self) -> Option<ChannelId> {
        let link = self.links.values_mut().next()?;
        link.open(self.now, Open::reliable("stream")).ok()
    }

    fn write(&mut self, id: ChannelId, data: &[u8]) {
        for link in self.links.values_mut() {
            let taken = link.write(self.now, id, data);
            assert_eq!(taken, Ok(data.len()), "there is room for a few words");
        }
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.endpoint.handle_timeout(self.now);
        for link in self.links.values_mut() {
            link.handle_timeout(self.now);
        }
        self.settle();
    }

    /// The connection is gone.
    fn close(&mut self, connection: u64) {
        for link in self.links.values_mut() {
            link.pipe_closed(self.now, pipe(connection));
        }
        self.decoders.remove(&connection);
        self.settle();
    }

    /// Takes bytes of a connection, in pieces of so many. Returns how many packets were in them; one
    /// that is too long ends the stream.
    fn take(&mut self, connection: u64, bytes: &[u8], piece: usize) -> usize {
        let mut packets = 0;
        let fresh = || Decoder::with_limit(self.stranger_limit);
        let mut decoder = self.decoders.remove(&connection).unwrap_or_else(fresh);
        for mut input in bytes.chunks(piece) {
            loop {
                if self.uses(connection) {
                    decoder.set_limit(MAX_CHUNKED_PACKET);
                }
                let packet = match decoder.next_event(&mut input) {
                    Ok(Some(chunk::Event::Packet(packet))) => packet,
                    Ok(Some(chunk::Event::Keepalive)) => continue,
                    Ok(None) => break,
                    Err(_) => return packets,
                };
                packets += 1;
                self.receive(connection, packet);
            }
        }
        self.decoders.insert(connection, decoder);
        packets
    }

    fn receive(&mut self, connection: u64, packet: &mut [u8]) {
        self.traffic.entry(connection).or_default()[0] += packet.len();
        let from = pipe(connection);
        match self.endpoint.handle(self.now, from, packet) {
            Dispatch::Link(key, input) => {
                if let Some(link) = self.links.get_mut(&key) {
                    link.handle(self.now, from, input, packet);
                }
            }
            Dispatch::Incoming(incoming) if self.accepts => {
                let options = LinkOptions::default();
                let accepted = self.endpoint.accept(self.now, incoming.ticket, options);
                self.links.extend(accepted);
            }
            Dispatch::Incoming(incoming) => self.endpoint.refuse(incoming.ticket),
            Dispatch::Drop(_) | Dispatch::Forward(_) => {}
        }
        self.settle();
        self.check_answers(connection);
    }

    fn settle(&mut self) {
        for (key, link) in &mut self.links {
            while let Some(event) = link.poll_endpoint_event() {
                self.endpoint.handle_link_event(*key, event);
            }
            while let Some(event) = link.poll_event() {
                match event {
                    Event::Channel(ChannelEvent::Opened {
                        id, reliable: true, ..
                    }) if link.accept(self.now, id).is_ok() => {
                        self.read.insert((*key, id), Vec::new());
                    }
                    Event::Down(_) | Event::Restarted => self.lost.push(*key),
                    _ => {}
                }
            }
            let streams = self.read.iter_mut().filter(|((of, _), _)| of == key);
            for ((_, id), read) in streams {
                while let Ok(Some(packet)) = link.read(self.now, *id) {
                    read.extend_from_slice(&packet.body);
                }
            }
            let mut run = Vec::new();
            while let Some(transmit) = link.poll_transmit(self.now, &mut run, 8) {
                let Remote::Connection(to) = transmit.pipe.remote else {
                    panic!("there are only connections");
                };
                let stream = self.outgoing.entry(to).or_default();
                for packet in run.chunks(transmit.segment_size.unwrap_or(run.len()).max(1)) {
                    self.traffic.entry(to).or_default()[1] += packet.len();
                    chunk::encode_into(packet, MAX_FRAGMENT, stream);
                }
                run.clear();
            }
        }
    }

    /// Whether a link uses this connection.
    fn uses(&self, connection: u64) -> bool {
        let mut pipes = self.links.values().flat_map(Link::pipes);
        pipes.any(|known| known.id == pipe(connection))
    }

    /// Who proved nothing gets three times what it sent, and nothing at all unless it is a friend.
    fn check_answers(&self, connection: u64) {
        let of = |known: &crate::PipeInfo| known.id == pipe(connection);
        let pipes = || self.links.values().flat_map(Link::pipes).filter(of);
        let [received, sent] = self.traffic[&connection];
        let proved = pipes().any(|known| known.validated || known.source == PathSource::Dialed);
        assert!(
            proved || sent <= 3 * received,
            "{sent} bytes for {received}"
        );
        assert!(
            sent == 0 || pipes().next().is_some(),
            "a stranger got {sent} bytes"
        );
    }
}

fn pipe(connection: u64) -> PipeId {
    PipeId {
        transport: TransportId(0),
        remote: Remote::Connection(connection),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{env, fs, path::Path};

    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 8192;
    const CORPUS: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/corpus/tcp_endpoint"
    );

    /// All that a stranger writes which links and opens a stream, and goes on with it.
    fn stranger(cloak: CloakPolicy) -> Vec<u8> {
        let (mut host, ..) = linked(LIMIT);
        let mut stranger = Host::new(3, cloak, LIMIT);
        let mut wrote = Vec::new();
        stranger.link_to(&host, STRANGERS);
        let mut talk = |stranger: &mut Host| {
            while let Some(there) = stranger.outgoing.remove(&STRANGERS) {
                host.take(STRANGERS, &there, usize::MAX);
                wrote.extend_from_slice(&there);
                let back = host.outgoing.remove(&STRANGERS).unwrap_or_default();
                stranger.take(STRANGERS, &back, usize::MAX);
            }
        };
        talk(&mut stranger);
        let id = stranger.open().unwrap();
        stranger.write(id, b"hello");
        talk(&mut stranger);
        stranger.write(id, &[7; 3000]);
        talk(&mut stranger);
        wrote
    }

    /// What a friend wrote when it linked.
    fn friend() -> Vec<u8> {
        let host = Host::new(1, CloakPolicy::MatchPeer, LIMIT);
        let mut friend = Host::new(2, CloakPolicy::MatchPeer, LIMIT);
        friend.link_to(&host, FRIENDS);
        friend.outgoing.remove(&FRIENDS).unwrap()
    }

    /// A seed: its name, its bytes, and what they lead to.
    type Seed = (&'static str, Vec<u8>, bool, usize, usize);

    fn seeds() -> Vec<Seed> {
        let plain = stranger(CloakPolicy::MatchPeer);
        let cloaked = stranger(CloakPolicy::Always);
        let with = |first: u8, stream: &[u8]| [&[first], stream].concat();
        let mut broken = plain.clone();
        broken[40] ^= 1;
        let zeros = [&[0, 0][..], &plain, &[0, 0]].concat();
        let mut too_long = b"\x02no\0".to_vec();
        chunk::encode_into(&[9; LIMIT + 1], MAX_FRAGMENT, &mut too_long);
        too_long.extend_from_slice(&plain);
        vec![
            ("welcome", with(ACCEPTS, &plain), true, 2, 1),
            (
                "welcome-cloaked",
                with(ACCEPTS | 0x40, &cloaked),
                true,
                2,
                1,
            ),
            (
                "welcome-cut",
                with(ACCEPTS | 0x10, &plain[..plain.len() - 9]),
                true,
                2,
                1,
            ),
            ("unwelcome", with(0x20, &plain), false, 1, 0),
            ("broken", with(ACCEPTS, &broken), false, 1, 0),
            ("zeros", with(ACCEPTS | 0x80, &zeros), true, 2, 1),
            ("too-long", with(ACCEPTS, &too_long), false, 1, 0),
            (
                "by-the-friends-connection",
                with(ACCEPTS | ON_FRIENDS, &plain),
                true,
                2,
                1,
            ),
            ("replayed", with(0, &friend()), false, 1, 0),
            (
                "replayed-in-place",
                with(ON_FRIENDS, &friend()),
                false,
                1,
                0,
            ),
        ]
    }

    /// What the recorded bytes lead to: whether to an answer, links that are up, and streams.
    fn leads_to(recorded: &[u8]) -> Option<(bool, usize, usize)> {
        let (&first, stream) = recorded.split_first()?;
        let outcome = hear(first, stream, LIMIT, 7);
        assert!(outcome.packets > 0, "{outcome:?}");
        Some((!outcome.answered.is_empty(), outcome.up, outcome.opened))
    }

    #[test]
    fn what_was_recorded_still_means_something() {
        let fresh = env::temp_dir().join("tcp_endpoint");
        let mut stale = Vec::new();
        for (name, bytes, answered, up, opened) in seeds() {
            let expected = Some((answered, up, opened));
            assert_eq!(leads_to(&bytes), expected, "{name}");
            let recorded = fs::read(Path::new(CORPUS).join(name)).unwrap_or_default();
            if leads_to(&recorded) != expected {
                fs::create_dir_all(&fresh).unwrap();
                fs::write(fresh.join(name), &bytes).unwrap();
                stale.push(name);
            }
        }
        let fresh = fresh.display();
        assert!(
            stale.is_empty(),
            "the wire or the order of random draws changed, and {stale:?} of fuzz/corpus/tcp_endpoint \
             mean nothing any more: take the new ones from {fresh}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_bytes_break_a_promise(
            data in proptest::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..600)
        ) {
            tcp_endpoint(&data, LIMIT);
        }
    }
}
