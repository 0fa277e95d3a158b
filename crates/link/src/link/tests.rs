//! What one link keeps, at its limits.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity, Instant, RemoteEphemeral, Token};
use telehash_hashname::Csid;

use super::{Link, Sessions, transmit::Queued};
use crate::{
    ChannelError, ChannelEvent, Config, Endpoint, Event, LinkOptions, Open, PathSource, PipeId,
    PipeSlot, TransportId,
    config::{MAX_CONTROL_QUEUE, MAX_LINK_EVENTS, MAX_REMOTE_EPHEMERALS},
};

const NOW: Instant = Instant::from_micros(1);
const UNIX: Duration = Duration::from_secs(1_800_000_000);

fn identities(rng: &mut ChaCha20Rng) -> [Identity; 2] {
    [(); 2].map(|()| Identity::generate(&CipherSets::default(), &[Csid::CS3A], rng).unwrap())
}

/// A link with one pipe, whose first handshake has left.
fn link() -> (Link, PipeSlot) {
    let [ours, theirs] = identities(&mut ChaCha20Rng::seed_from_u64(1));
    let mut endpoint = Endpoint::new(Config::default(), ours, NOW, UNIX, [7; 32]);
    let options = LinkOptions::default();
    let (_, mut link) = endpoint.connect(NOW, theirs.keys(), options).unwrap();
    let there = PipeId::socket(TransportId(0), SocketAddr::from(([192, 0, 2, 1], 1)));
    let slot = link.add_path(NOW, there, PathSource::Dialed).unwrap();
    assert_eq!(transmits(&mut link).len(), 1);
    while link.poll_event().is_some() {}
    (link, slot)
}

fn transmits(link: &mut Link) -> Vec<Vec<u8>> {
    core::iter::from_fn(|| {
        let mut packet = Vec::new();
        link.poll_transmit(NOW, &mut packet, 8).map(|_| packet)
    })
    .collect()
}

#[test]
fn one_handshake_packet_more_than_the_queue_takes_pushes_out_the_oldest() {
    let (mut link, slot) = link();
    let packet = |number: usize| vec![u8::try_from(number).unwrap(); 9];
    for number in 0..MAX_CONTROL_QUEUE {
        link.queue(slot, Queued::Wire(packet(number), false));
    }
    assert_eq!(link.control.len(), MAX_CONTROL_QUEUE);
    link.queue(slot, Queued::Wire(packet(MAX_CONTROL_QUEUE), false));
    let left: Vec<_> = (1..=MAX_CONTROL_QUEUE).map(packet).collect();
    assert_eq!(transmits(&mut link), left);
}

#[test]
fn news_beyond_the_limit_are_dropped_unless_the_state_changed() {
    let (mut link, slot) = link();
    for _ in 0..=MAX_LINK_EVENTS {
        link.push_event(Event::PipeCandidate(slot));
    }
    link.push_event(Event::Up);
    let events: Vec<_> = core::iter::from_fn(|| link.poll_event()).collect();
    assert_eq!(events.len(), MAX_LINK_EVENTS + 1);
    assert!(matches!(events.last(), Some(Event::Up)));
    link.push_event(Event::PipeCandidate(slot));
    assert!(link.poll_event().is_some(), "there is room again");
}

/// Whoever opened a channel on news of a pipe had it fail with news of the former session, in which
/// another channel had its id.
#[test]
fn news_of_pipes_come_after_those_of_a_session_that_is_over() {
    let (mut link, slot) = link();
    link.came_up();
    let id = link.open(NOW, Open::reliable("stream")).unwrap();
    link.push_event(Event::PipeCandidate(slot));
    link.flow.reset(NOW, ChannelError::Reset);
    link.push_event(Event::Restarted);
    let events: Vec<_> = core::iter::from_fn(|| link.poll_event()).collect();
    let [
        Event::Up,
        Event::Channel(ChannelEvent::Failed { id: failed, .. }),
        Event::Restarted,
        Event::PipeCandidate(_),
    ] = events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(failed, id);
}

#[test]
fn moves_and_doubts_are_counted() {
    let (mut link, first) = link();
    let counts = |link: &Link| (link.stats().moves, link.stats().doubts);
    let rtt = Duration::from_millis(1);
    let place = |port| PipeId::socket(TransportId(0), SocketAddr::from(([192, 0, 2, 1], port)));
    link.came_up();
    link.validate_pipe(NOW, first, rtt);
    assert_eq!(link.active_pipe(), Some(first));
    link.network_changed(NOW);
    assert_eq!(counts(&link), (0, 0), "one pipe is no choice");

    let second = link.add_path(NOW, place(2), PathSource::Dialed).unwrap();
    link.validate_pipe(NOW, second, rtt);
    link.network_changed(NOW);
    assert_eq!(counts(&link), (0, 1));

    // Only the other proves itself in time.
    link.validate_pipe(NOW, second, rtt);
    link.handle_timeout(NOW + Duration::from_secs(1));
    assert_eq!(link.active_pipe(), Some(second));
    assert_eq!(counts(&link), (1, 1));

    // The transport loses a pipe that stands by, and the one that sends.
    let third = link.add_path(NOW, place(3), PathSource::Dialed).unwrap();
    link.validate_pipe(NOW, third, rtt);
    link.pipe_closed(NOW, place(1));
    assert_eq!(counts(&link), (1, 1));
    link.pipe_closed(NOW, place(2));
    assert_eq!(link.active_pipe(), Some(third));
    assert_eq!(counts(&link), (2, 2));

    // The path swallows packets that it carried before.
    link.size_proved(third, 1400);
    link.size_failed(NOW, third, 1400);
    assert_eq!(counts(&link), (2, 3));
}

/// The sessions of a link, and ephemerals of its peer.
fn sessions(count: usize) -> (Sessions, Vec<RemoteEphemeral>, ChaCha20Rng) {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let [ours, theirs] = identities(&mut rng);
    let key = |identity: &Identity| identity.keys().key(Csid::CS3A).unwrap().to_vec();
    let local = ours.local(Csid::CS3A).unwrap();
    let exchange = local.exchange(&key(&theirs), &mut rng).unwrap();
    let ephemerals = (0..count)
        .map(|_| {
            let theirs = theirs.local(Csid::CS3A).unwrap();
            let mut exchange: Box<_> = theirs.exchange(&key(&ours), &mut rng).unwrap();
            let packet = exchange.seal(b"inner", &mut rng).unwrap();
            let body = telehash_lob::Lob::parse(&packet).unwrap().body();
            local.open(body).unwrap().remote
        })
        .collect();
    let sessions = Sessions::new(&ours, theirs.hashname(), exchange);
    (sessions, ephemerals, rng)
}

fn known(sessions: &Sessions, ephemerals: &[RemoteEphemeral]) -> Vec<bool> {
    let knows = |ephemeral: &RemoteEphemeral| sessions.knows(ephemeral.token());
    ephemerals.iter().map(knows).collect()
}

#[test]
fn one_ephemeral_more_than_the_limit_pushes_out_the_oldest_without_a_session() {
    let (mut sessions, ephemerals, mut rng) = sessions(MAX_REMOTE_EPHEMERALS + 2);
    let tokens: Vec<Token> = ephemerals.iter().map(RemoteEphemeral::token).collect();
    for ephemeral in &ephemerals[..MAX_REMOTE_EPHEMERALS] {
        assert_eq!(sessions.learn(ephemeral), None);
    }
    sessions.activate(tokens[0], &mut rng).unwrap();
    assert_eq!(
        sessions.learn(&ephemerals[MAX_REMOTE_EPHEMERALS]),
        Some(tokens[1])
    );
    assert_eq!(
        known(&sessions, &ephemerals),
        [true, false, true, true, false]
    );

    // While all have sessions none may go: their replay filters are needed.
    sessions.derive(tokens[2], &mut rng).unwrap();
    sessions.derive(tokens[3], &mut rng).unwrap();
    assert_eq!(sessions.learn(&ephemerals[MAX_REMOTE_EPHEMERALS + 1]), None);
    assert_eq!(
        known(&sessions, &ephemerals),
        [true, false, true, true, false]
    );
}
