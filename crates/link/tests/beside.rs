//! Messages beside the `link` message of a handshake: they reach the decision about a stranger, and a
//! link that knows its peer.

mod common;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use telehash_hashname::{Csid, Hashname};
use telehash_link::{
    Event, HandshakeError, HandshakeMessage, Incoming, Instant, Kind, Link, LinkKey, MAX_BESIDE,
    MAX_INNER_PACKET, Welcome,
};
use telehash_netsim::{App, Conditions, Loss, NodeId, World};

/// One set that keeps its ephemerals, and one whose every round has a fresh one.
const SETS: [Csid; 2] = [Csid::CS3A, Csid::CS42];

/// What an endpoint heard.
#[derive(Default)]
struct Heard {
    asked: usize,
    accepted: BTreeSet<Hashname>,
    /// Bodies of the `uri` and `jwt` messages in rounds that were decided about.
    decided: Vec<Vec<u8>>,
    /// Bodies of the messages that links reported.
    reported: Vec<Vec<u8>>,
}

/// Accepts whoever says the word beside its handshake.
struct Host(Arc<Mutex<Heard>>);

impl App for Host {
    fn accept(&mut self, _: Instant, incoming: &Incoming) -> bool {
        let mut heard = self.0.lock().unwrap();
        heard.asked += 1;
        let messages = incoming.round.messages().iter();
        let said: Vec<_> = messages
            .filter(|message| matches!(message.kind, Kind::Uri | Kind::Jwt))
            .map(|message| message.body.clone())
            .collect();
        let knows = said.contains(&b"sesame".to_vec());
        heard.decided.extend(said);
        if knows {
            heard.accepted.insert(incoming.hashname);
        }
        knows
    }

    fn on_event(&mut self, _: Instant, _: LinkKey, _: &mut Link, event: Event) {
        if let Event::Handshake(message) = event {
            self.0.lock().unwrap().reported.push(message.body);
        }
    }
}

fn word(word: &[u8]) -> HandshakeMessage {
    let mut message = HandshakeMessage::new(Kind::Uri, 1);
    message.body = word.to_vec();
    message
}

fn token(token: &[u8]) -> HandshakeMessage {
    let mut message = HandshakeMessage::new(Kind::Jwt, 1);
    message.body = token.to_vec();
    message
}

fn world(seed: u64, csid: Csid) -> (World, NodeId, NodeId, Arc<Mutex<Heard>>) {
    let mut world = World::new(seed).with_sets(&[csid]);
    let heard = Arc::new(Mutex::new(Heard::default()));
    let (guest, host) = (world.add(()), world.add(Host(heard.clone())));
    (world, guest, host, heard)
}

#[test]
fn who_says_the_word_gets_in_whatever_the_network_does() {
    let hostile = Conditions::perfect()
        .with_loss(Loss::Random(0.2))
        .with_duplication(0.1)
        .with_reordering(0.2, Duration::from_millis(80))
        .with_delay(Duration::from_millis(30));
    for csid in SETS {
        for welcome in [Welcome::Anyone, Welcome::Invited(BTreeSet::new())] {
            for seed in 0..30 {
                let (mut world, guest, host, heard) = world(seed, csid);
                world.network().set_conditions(&hostile);
                world.set_welcome(host, welcome.clone());
                world
                    .connect_with(guest, host, vec![word(b"sesame")])
                    .unwrap();
                let limit = Duration::from_secs(60);
                let up = world.drive_bounded(limit, 5_000, |world| world.is_up(guest, host));
                assert!(up, "{csid} seed {seed} {welcome:?}");
                assert_eq!(heard.lock().unwrap().accepted.len(), 1);
            }
        }
    }
}

#[test]
fn who_does_not_know_the_word_gets_no_answer_and_leaves_nothing_behind() {
    for csid in SETS {
        for beside in [vec![word(b"open")], vec![]] {
            for welcome in [Welcome::Anyone, Welcome::Invited(BTreeSet::new())] {
                let (mut world, guest, host, heard) = world(7, csid);
                world.set_welcome(host, welcome.clone());
                world.connect_with(guest, host, beside.clone()).unwrap();
                world.run(Duration::from_secs(300));
                assert_eq!(world.sent(host), 0, "{csid} {welcome:?}");
                assert_eq!(world.endpoint(host).stats().half_open, 0);
                let asked = heard.lock().unwrap().asked;
                let is_heard = !beside.is_empty() || matches!(welcome, Welcome::Anyone);
                assert_eq!(asked > 0, is_heard, "{csid} {welcome:?}");
            }
        }
    }
}

#[test]
fn a_token_arrives_whatever_the_network_does_before_its_link_or_after() {
    let hostile = Conditions::perfect()
        .with_loss(Loss::Random(0.2))
        .with_duplication(0.2)
        .with_reordering(0.5, Duration::from_millis(200))
        .with_delay(Duration::from_millis(30));
    for csid in SETS {
        for seed in 0..30 {
            let (mut world, guest, host, heard) = world(seed, csid);
            world.network().set_conditions(&hostile);
            world.set_welcome(host, Welcome::Anyone);
            let beside = vec![word(&[7; 900]), token(b"sesame")];
            world.connect_with(guest, host, beside).unwrap();
            let limit = Duration::from_secs(90);
            let up = world.drive_bounded(limit, 5_000, |world| world.is_up(guest, host));
            assert!(up, "{csid} seed {seed}");
            assert_eq!(heard.lock().unwrap().accepted.len(), 1);
        }
    }
}

#[test]
fn who_has_no_token_or_another_one_gets_nothing_whatever_the_network_does() {
    let hostile = Conditions::perfect()
        .with_duplication(0.5)
        .with_reordering(0.5, Duration::from_millis(200));
    for csid in SETS {
        for beside in [vec![token(b"open")], vec![]] {
            let (mut world, guest, host, _) = world(13, csid);
            world.network().set_conditions(&hostile);
            world.set_welcome(host, Welcome::Anyone);
            world.connect_with(guest, host, beside).unwrap();
            world.run(Duration::from_secs(300));
            assert_eq!(world.sent(host), 0, "{csid}");
        }
    }
}

#[test]
fn a_stranger_without_a_uri_message_costs_no_authentication_where_only_guests_are_welcome() {
    let (mut world, guest, host, heard) = world(8, Csid::CS3A);
    world.set_welcome(host, Welcome::Invited(BTreeSet::new()));
    world
        .connect_with(guest, host, vec![token(b"sesame")])
        .unwrap();
    world.run(Duration::from_secs(60));
    assert_eq!(heard.lock().unwrap().asked, 0);
}

#[test]
fn a_known_link_hears_what_comes_beside_a_handshake_with_a_new_ephemeral() {
    for csid in SETS {
        let (mut world, guest, host, heard) = world(9, csid);
        let name = world.identity(guest).hashname();
        world.set_welcome(host, Welcome::Anyone);
        world
            .connect_with(guest, host, vec![word(b"sesame")])
            .unwrap();
        assert!(world.drive(Duration::from_secs(30), |world| world.is_up(guest, host)));
        assert!(heard.lock().unwrap().accepted.contains(&name));
        heard.lock().unwrap().reported.clear();
        // The same endpoint anew: the host knows the link, but not this ephemeral.
        world.restart(guest, true);
        world
            .connect_with(guest, host, vec![word(b"again")])
            .unwrap();
        assert!(world.drive(Duration::from_secs(60), |world| world.is_up(guest, host)));
        assert!(
            heard.lock().unwrap().reported.contains(&b"again".to_vec()),
            "{csid}"
        );
        assert_eq!(
            heard.lock().unwrap().asked,
            1,
            "{csid}: no stranger any more"
        );
    }
}

#[test]
fn an_answer_carries_its_messages_too() {
    for csid in SETS {
        let (mut world, guest, host, heard) = world(10, csid);
        world.connect(host, guest).unwrap();
        world
            .connect_with(guest, host, vec![word(b"hello")])
            .unwrap();
        assert!(world.drive(Duration::from_secs(30), |world| world.is_up(guest, host)));
        assert!(
            heard.lock().unwrap().reported.contains(&b"hello".to_vec()),
            "{csid}"
        );
    }
}

#[test]
fn more_messages_than_the_limit_and_too_long_ones_are_refused() {
    let (mut world, guest, host, _) = world(11, Csid::CS3A);
    world.connect(guest, host).unwrap();
    let mut set = |messages| {
        world
            .with_link(guest, host, |_, link| link.set_beside(messages))
            .unwrap()
    };
    set(vec![word(b"a"); MAX_BESIDE]).unwrap();
    let more = set(vec![word(b"a"); MAX_BESIDE + 1]);
    assert!(matches!(more, Err(HandshakeError::TooManyMessages { .. })));
    let long = set(vec![word(&vec![0; MAX_INNER_PACKET])]);
    assert!(matches!(long, Err(HandshakeError::TooLong { .. })));
}
