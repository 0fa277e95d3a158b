//! Cipher set 42 with a peer that is accepted and plays by no rules, and with ways that work in one
//! direction only. Packets are carried by hand.

mod common;

use std::{net::SocketAddr, time::Duration};

use common::sets::{Who, identity};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use telehash_e3x::{Exchange, Identity, LocalKey, Session, SessionContext, SessionId};
use telehash_hashname::Csid;
use telehash_link::{
    Config, Dispatch, Endpoint, Event, HandshakeMessage, Instant, Link, LinkKey, LinkOptions,
    LinkState, Open, PathSource, PipeId, TransportId,
};
use telehash_lob::{
    Lob,
    cloak::{self, WorkBudget},
};

const START: Instant = Instant::from_micros(1_000_000_000);
const UNIX: Duration = Duration::from_secs(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// `at` of the present: odd.
const AT: u64 = UNIX.as_millis() as u64 + 1;

fn pipe(host: u8) -> PipeId {
    PipeId::socket(TransportId(0), SocketAddr::from(([192, 0, 2, host], 1)))
}

/// An endpoint that accepts everybody, and its one link.
struct Node {
    endpoint: Endpoint,
    link: Option<(LinkKey, Link)>,
    now: Instant,
    events: Vec<Event>,
}

type Packets = Vec<(PipeId, Vec<u8>)>;

impl Node {
    fn new(who: Who) -> Self {
        let mut config = Config::default();
        config.head_only_cloak = false;
        config.strangers.per_prefix = 1_000_000;
        config.strangers.global = 1_000_000;
        let identity = identity(who, &[Csid::CS42]);
        Self {
            endpoint: Endpoint::new(config, identity, START, UNIX, [who as u8; 32]),
            link: None,
            now: START,
            events: Vec::new(),
        }
    }

    fn link(&self) -> &Link {
        &self.link.as_ref().unwrap().1
    }

    fn state(&self) -> LinkState {
        { self.link.as_ref() }.map_or(LinkState::Down, |(_, link)| link.state())
    }

    /// Does something with the link; returns what it sends.
    fn work(&mut self, work: impl FnOnce(Instant, &mut Link)) -> Packets {
        let now = self.now;
        work(now, &mut self.link.as_mut().unwrap().1);
        self.drain()
    }

    fn dial(&mut self, peer: &Identity, ways: &[PipeId]) -> Packets {
        let options = LinkOptions::default();
        let link = self.endpoint.connect(self.now, peer.keys(), options);
        self.link = Some(link.unwrap());
        self.work(|now, link| {
            for way in ways {
                link.add_path(now, *way, PathSource::Dialed).unwrap();
            }
        })
    }

    fn receive(&mut self, from: PipeId, packet: &[u8]) -> Packets {
        let mut packet = packet.to_vec();
        match self.endpoint.handle(self.now, from, &mut packet) {
            Dispatch::Drop(_) | Dispatch::Forward(_) => return Vec::new(),
            Dispatch::Link(key, input) => {
                let (own, link) = self.link.as_mut().unwrap();
                assert_eq!(*own, key);
                link.handle(self.now, from, input, &mut packet);
            }
            Dispatch::Incoming(incoming) => {
                let options = LinkOptions::default();
                let link = self.endpoint.accept(self.now, incoming.ticket, options);
                self.link = Some(link.unwrap());
            }
        }
        self.drain()
    }

    /// Time passes, without packets.
    fn pass(&mut self, duration: Duration) -> Packets {
        let end = self.now + duration;
        let mut packets = Vec::new();
        while let Some((_, link)) = &mut self.link
            && let Some(due) = link.poll_timeout().filter(|due| *due <= end)
        {
            self.now = self.now.max(due);
            link.handle_timeout(self.now);
            packets.extend(self.drain());
        }
        self.now = end;
        self.endpoint.handle_timeout(end);
        packets
    }

    fn drain(&mut self) -> Packets {
        let Some((key, link)) = &mut self.link else {
            return Vec::new();
        };
        while let Some(event) = link.poll_endpoint_event() {
            self.endpoint.handle_link_event(*key, event);
        }
        self.events.extend(std::iter::from_fn(|| link.poll_event()));
        std::iter::from_fn(|| {
            let mut packet = Vec::new();
            let transmit = link.poll_transmit(self.now, &mut packet, 1)?;
            Some((transmit.pipe, packet))
        })
        .collect()
    }

    /// How many tokens its tables have.
    fn tokens(&self) -> usize {
        format!("{:?}", self.endpoint).matches("Token(").count()
    }

    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }
}

fn uncloaked(mut packet: Vec<u8>) -> Vec<u8> {
    let start = cloak::decloak_in_place(&mut packet, &mut WorkBudget::default()).unwrap();
    packet.split_off(start)
}

/// Mallory: accepted, and plays by no rules. She does not cloak.
struct Mallory {
    local: std::sync::Arc<dyn LocalKey>,
    identity: Identity,
    victim: Identity,
    rng: ChaCha20Rng,
}

impl Mallory {
    fn new() -> Self {
        let identity = identity(Who::Alice, &[Csid::CS42]);
        Self {
            local: identity.local(Csid::CS42).unwrap().clone(),
            identity,
            victim: identity_of_bob(),
            rng: ChaCha20Rng::seed_from_u64(7),
        }
    }

    fn exchange(&mut self) -> Box<dyn Exchange> {
        let key = self.victim.keys().key(Csid::CS42).unwrap();
        self.local.exchange(key, &mut self.rng).unwrap()
    }

    fn is_odd(&mut self) -> bool {
        self.exchange().order().parity() == 1
    }

    /// The next `at` of her parity.
    fn at(&mut self, at: u64) -> u64 {
        at + u64::from((at % 2 == 1) != self.is_odd())
    }

    fn inner(&self, at: u64, cont: Option<SessionId>) -> Vec<u8> {
        let mut message = HandshakeMessage::link(at, self.identity.keys().clone());
        message.cont = [cont, None];
        message.to_bytes(Csid::CS42).unwrap()
    }

    /// What the answer among these packets says, and the session that it leads to.
    fn answered(
        &mut self,
        exchange: &mut dyn Exchange,
        packets: &Packets,
        resume: Option<&[u8; 32]>,
    ) -> (HandshakeMessage, Box<dyn Session>) {
        let context = SessionContext {
            local: self.identity.hashname(),
            remote: self.victim.hashname(),
            resume,
        };
        let packets = packets.iter().map(|(_, packet)| packet.clone());
        let answer = packets
            .map(plain)
            .find(|it| it.starts_with(&[0, 1]))
            .unwrap();
        let opened = exchange.open(Lob::parse(&answer).unwrap().body()).unwrap();
        let message = HandshakeMessage::parse(&opened.inner, Csid::CS42).unwrap();
        let session = exchange.session(&opened.remote, &context, &mut self.rng);
        (message, session.unwrap())
    }
}

impl Mallory {
    /// She comes to Bob, who answers: her `at`, and the session that she has not confirmed yet.
    fn introduced(&mut self, bob: &mut Node) -> (u64, Box<dyn Session>) {
        let at = self.at(AT);
        let mut exchange = self.exchange();
        let message = exchange.seal(&self.inner(at, None), &mut self.rng);
        let answers = bob.receive(pipe(1), &message.unwrap());
        let (_, session) = self.answered(&mut *exchange, &answers, None);
        (at, session)
    }
}

/// As it came, or what is under the cloak.
fn plain(packet: Vec<u8>) -> Vec<u8> {
    if packet.first() == Some(&0) {
        packet
    } else {
        uncloaked(packet)
    }
}

fn identity_of_bob() -> Identity {
    identity(Who::Bob, &[Csid::CS42])
}

/// A channel packet.
fn sealed(session: &mut dyn Session, now: Instant, plaintext: &[u8]) -> Vec<u8> {
    let overhead = session.overhead();
    let mut packet = vec![0; overhead.head];
    packet.extend_from_slice(plaintext);
    packet.resize(packet.len() + overhead.tail, 0);
    session.seal(now, &mut packet).unwrap();
    packet
}

#[test]
fn a_link_comes_up_when_the_first_way_is_dead_in_one_direction() {
    let (mut alice, mut bob) = (Node::new(Who::Alice), Node::new(Who::Bob));
    let mut to_bob = alice.dial(&identity_of_bob(), &[pipe(1), pipe(2)]);
    // What Alice sends on 1 or 2 comes in from 11 or 12; what Bob sends to 11 is lost.
    let ways = [(pipe(1), pipe(11)), (pipe(2), pipe(12))];
    for _ in 0..600 {
        let mut to_alice = Vec::new();
        to_bob.sort_by_key(|(way, _)| *way != pipe(1));
        for (way, packet) in to_bob.drain(..) {
            let (_, from) = ways.iter().find(|(to, _)| *to == way).unwrap();
            to_alice.extend(bob.receive(*from, &packet));
        }
        to_alice.extend(bob.pass(SECOND / 10));
        to_bob.extend(alice.pass(SECOND / 10));
        for (way, packet) in to_alice {
            if way == pipe(12) {
                to_bob.extend(alice.receive(pipe(2), &packet));
            }
        }
    }
    assert_eq!([alice.state(), bob.state()], [LinkState::Up; 2]);
}

#[test]
fn a_flood_of_rounds_of_an_accepted_peer_leaves_nothing_behind() {
    let (mut mallory, mut bob) = (Mallory::new(), Node::new(Who::Bob));
    let mut least = usize::MAX;
    let (mut received, mut sent) = (0, 0);
    for round in 0..2_000_u64 {
        let at = mallory.at(AT + 10 * round);
        let inner = mallory.inner(at, None);
        let message = { mallory.exchange() }
            .seal(&inner, &mut mallory.rng)
            .unwrap();
        received += message.len();
        let answers = bob.receive(pipe(1), &message);
        let answers = answers.into_iter().chain(bob.pass(SECOND / 100));
        sent += answers.map(|(_, packet)| packet.len()).sum::<usize>();
        if round == 10 {
            least = bob.tokens();
            assert_ne!(least, 0, "they are seen");
        }
        assert!(bob.tokens() <= least, "{} tokens", bob.tokens());
    }
    assert!(sent <= 3 * received, "{sent} bytes for {received}");
    assert_eq!(bob.state(), LinkState::Down);
    bob.pass(SECOND * 60);
    assert_eq!(bob.link().stats().handshakes_received, 2_000);
    assert!(bob.count(|event| matches!(event, Event::RememberAt(_))) == 0);
}

#[test]
fn sessions_that_are_confirmed_one_after_the_other_leave_nothing_behind() {
    let (mut mallory, mut bob) = (Mallory::new(), Node::new(Who::Bob));
    let mut least = usize::MAX;
    let mut id = None;
    let mut resume: Option<[u8; 32]> = None;
    for round in 0..300_u64 {
        let at = mallory.at(AT + 10 * round);
        // Every third time she plays a peer that started anew.
        let cont = id.filter(|_| round % 3 != 0);
        let inner = mallory.inner(at, cont);
        let mut exchange = mallory.exchange();
        let message = exchange.seal(&inner, &mut mallory.rng).unwrap();
        let answers = bob.receive(pipe(1), &message);
        let kept = resume.filter(|_| cont.is_some());
        let (answer, mut session) = mallory.answered(&mut *exchange, &answers, kept.as_ref());
        assert_eq!(
            answer.cont,
            [cont, None],
            "an answer repeats what is its session too"
        );
        bob.receive(pipe(1), &sealed(&mut *session, bob.now, &[0]));
        assert_eq!(bob.state(), LinkState::Up);
        (id, resume) = (Some(session.session_id()), session.resume().copied());
        bob.pass(SECOND / 10);
        if round == 10 {
            least = bob.tokens();
            assert_ne!(least, 0, "they are seen");
        }
        assert!(bob.tokens() <= least, "{} tokens", bob.tokens());
    }
    let restarts = bob.count(|event| matches!(event, Event::Restarted));
    assert_eq!(restarts, 99);
    assert_eq!(bob.link().stats().sessions, 300);
}

#[test]
fn a_session_that_is_not_this_links_is_not_continued() {
    let (mut mallory, mut bob) = (Mallory::new(), Node::new(Who::Bob));
    for (round, id) in [[0; 16], [7; 16], [0xff; 16]].into_iter().enumerate() {
        let at = mallory.at(AT + 10 * round as u64);
        let inner = mallory.inner(at, Some(SessionId::from_bytes(id)));
        let mut exchange = mallory.exchange();
        let message = exchange.seal(&inner, &mut mallory.rng).unwrap();
        let answers = bob.receive(pipe(1), &message);
        let (answer, _) = mallory.answered(&mut *exchange, &answers, None);
        assert_eq!(answer.cont, [None; 2]);
    }
    assert_eq!(bob.state(), LinkState::Down);
}

#[test]
fn what_is_inside_a_handshake_of_an_accepted_peer_may_be_anything() {
    let (mut mallory, mut bob) = (Mallory::new(), Node::new(Who::Bob));
    let (at, mut session) = mallory.introduced(&mut bob);
    bob.receive(pipe(1), &sealed(&mut *session, bob.now, &[0]));
    let before = bob.link().stats().handshakes_received;

    let good = mallory.inner(at + 2, None);
    let keys = Lob::parse(&good).unwrap().body().to_vec();
    let head = |head: &str| {
        let mut inner = u16::try_from(head.len()).unwrap().to_be_bytes().to_vec();
        inner.extend_from_slice(head.as_bytes());
        inner.extend_from_slice(&keys);
        inner
    };
    let mut inners: Vec<Vec<u8>> = [
        "",
        "{",
        "[]",
        "7",
        "null",
        "{}",
        r#"{"type":"link"}"#,
        r#"{"type":"link","at":0}"#,
        r#"{"type":"link","at":-1}"#,
        r#"{"type":"link","at":1.5}"#,
        r#"{"type":"link","at":"1"}"#,
        r#"{"type":"link","at":9007199254740992}"#,
        r#"{"type":7,"at":1}"#,
        r#"{"type":"","at":1}"#,
    ]
    .map(head)
    .into();
    inners.extend((0..good.len()).map(|len| good[..len].to_vec()));
    for inner in inners {
        let message = { mallory.exchange() }.seal(&inner, &mut mallory.rng);
        let Ok(message) = message else { continue };
        assert_eq!(bob.receive(pipe(1), &message), [], "{inner:?}");
    }
    assert_eq!(bob.link().stats().handshakes_received, before);
    // A `cont` that names nothing is none.
    for (more, cont) in [
        (10, "7"),
        (20, r#""""#),
        (30, r#""a""#),
        (40, "null"),
        (50, r#""aaaa""#),
    ] {
        let at = mallory.at(at + more);
        let inner = head(&format!(r#"{{"type":"link","at":{at},"cont":{cont}}}"#));
        let message = { mallory.exchange() }
            .seal(&inner, &mut mallory.rng)
            .unwrap();
        assert_ne!(bob.receive(pipe(1), &message), [], "{cont}");
    }
    assert_eq!(bob.state(), LinkState::Up);
    assert_eq!(bob.count(|event| matches!(event, Event::Restarted)), 0);
}

#[test]
fn plaintexts_of_an_accepted_peer_may_be_anything() {
    let (mut mallory, mut bob) = (Mallory::new(), Node::new(Who::Bob));
    let (_, mut session) = mallory.introduced(&mut bob);
    for len in 0..2_000 {
        let mut plaintext = vec![0; len % 100];
        mallory.rng.fill_bytes(&mut plaintext);
        if len % 3 == 0 {
            plaintext.iter_mut().take(2).for_each(|byte| *byte = 0);
        }
        let packet = sealed(&mut *session, bob.now, &plaintext);
        let answers = bob.receive(pipe(1), &packet);
        let sent: usize = answers.iter().map(|(_, packet)| packet.len()).sum();
        assert!(
            sent <= 3 * packet.len().max(400),
            "{sent} bytes: {plaintext:?}"
        );
    }
    assert_eq!(bob.state(), LinkState::Up);
}

#[test]
fn a_peer_that_never_confirms_takes_no_channel_down_with_it() {
    let (mut mallory, mut bob) = (Mallory::new(), Node::new(Who::Bob));
    let (_, mut session) = mallory.introduced(&mut bob);
    bob.receive(pipe(1), &sealed(&mut *session, bob.now, &[0]));
    bob.work(|now, link| assert!(link.open(now, Open::reliable("stays")).is_ok()));
    // Handshakes without confirmation, with and without the session's name, for five minutes.
    for minute in 1..=300_u64 {
        let at = mallory.at(AT + minute * 1_000);
        let cont = (minute % 2 == 0).then(|| session.session_id());
        let message = { mallory.exchange() }.seal(&mallory.inner(at, cont), &mut mallory.rng);
        bob.receive(pipe(1), &message.unwrap());
        bob.receive(pipe(1), &sealed(&mut *session, bob.now, &[0]));
        bob.pass(SECOND);
    }
    assert_eq!(bob.state(), LinkState::Up);
    let failed = |event: &Event| matches!(event, Event::Channel(event) if format!("{event:?}").starts_with("Failed"));
    assert_eq!(
        bob.count(|event| matches!(event, Event::Restarted | Event::Down(_))),
        0
    );
    assert!(bob.count(failed) <= 1, "but for its own timeout");
    assert_eq!(bob.link().stats().sessions, 1);
}

#[test]
fn packets_of_epochs_too_far_ahead_are_dropped_and_the_link_goes_on() {
    let (mut mallory, mut bob) = (Mallory::new(), Node::new(Who::Bob));
    let (_, mut session) = mallory.introduced(&mut bob);
    let pongs = |packets: Packets| packets.len();
    let first = sealed(&mut *session, bob.now, &[0]);
    bob.receive(pipe(1), &first);
    assert_eq!(bob.state(), LinkState::Up);
    // A sender may enter the next epoch every two minutes.
    let epochs: Vec<Vec<u8>> = (1..=10)
        .map(|epoch| sealed(&mut *session, bob.now + 120 * SECOND * epoch, &[0]))
        .collect();
    for far in &epochs[8..] {
        assert_eq!(pongs(bob.receive(pipe(1), far)), 0, "nine ahead or more");
    }
    // Eight ahead is allowed; then the first is one that it left.
    assert_eq!(pongs(bob.receive(pipe(1), &epochs[7])), 1);
    assert_eq!(pongs(bob.receive(pipe(1), &epochs[3])), 0, "behind");
    assert_eq!(pongs(bob.receive(pipe(1), &epochs[8])), 1);
    assert_eq!(pongs(bob.receive(pipe(1), &epochs[8])), 0, "a replay");
    assert_eq!(bob.state(), LinkState::Up);
}
