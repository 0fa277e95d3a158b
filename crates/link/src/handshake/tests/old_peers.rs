//! The machine toward telehash-js and telehash-c, as they behave (peers.md, and `traces.rs`).
//!
//! Neither resends; JS asks again with a keepalive every 30 s, C never does.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use telehash_e3x::{Instant, Order, Token};

use super::{
    PRESENT,
    world::{CLOCK, DIRECT, End, Ephemeral, Packet},
};

/// What an old implementation does with the handshakes of one link.
pub(super) trait OldPeer {
    /// It wants the link: the `at` of what it sends.
    fn dial(&mut self) -> u64;
    /// A handshake came in. Returns the `at` of each one it sends.
    fn receive(&mut self, at: u64, remote: Token) -> Vec<u64>;
    /// The ephemeral of the other side in its session, if it has one.
    fn session(&self) -> Option<Token>;
    /// Whether it sends channel packets in a new session of its own accord.
    fn talks(&self) -> bool;
    /// 30 s have passed: the `at` of the handshake it sends, if any.
    fn keepalive(&mut self) -> Option<u64>;
}

/// telehash-js 0.4.18.
pub(super) struct Js {
    order: Order,
    unix: u64,
    /// Its `at`, once there is a link.
    pub(super) at: Option<u64>,
    session: Option<Token>,
}

impl Js {
    pub(super) fn new(order: Order, unix: u64) -> Self {
        Self {
            order,
            unix,
            at: None,
            session: None,
        }
    }

    /// What it makes of a value, given its own: whether the two are "in sync", and its own after.
    /// What is not in sync gets an answer.
    pub(super) fn sync(order: Order, own: u64, at: u64) -> (bool, u64) {
        match at {
            // Even peers never take an even value for an echo, so they answer it again.
            _ if order == Order::Even && at.is_multiple_of(2) => (false, own),
            _ if at == own => (true, own),
            _ => (false, own.max(at)),
        }
    }
}

impl OldPeer for Js {
    fn dial(&mut self) -> u64 {
        *self.at.get_or_insert(with_parity(self.unix, self.order))
    }

    fn receive(&mut self, at: u64, remote: Token) -> Vec<u64> {
        let mut sends = Vec::new();
        if self.at.is_none() {
            // A link that it did not know begins with its own handshake.
            sends.push(self.dial());
        }
        // A session follows from any handshake, whatever its value.
        self.session = Some(remote);
        let (in_sync, own) = Self::sync(self.order, self.dial(), at);
        self.at = Some(own);
        if !in_sync {
            sends.push(own);
        }
        sends
    }

    fn session(&self) -> Option<Token> {
        self.session
    }

    fn talks(&self) -> bool {
        true
    }

    fn keepalive(&mut self) -> Option<u64> {
        self.at = Some(with_parity(self.at? + 1, self.order));
        self.at
    }
}

/// telehash-c of December 2015.
struct C {
    order: Order,
    unix: u64,
    sent: Option<u64>,
    heard: u64,
    session: Option<Token>,
}

impl C {
    fn new(order: Order, unix: u64) -> Self {
        Self {
            order,
            unix,
            sent: None,
            heard: 0,
            session: None,
        }
    }
}

impl OldPeer for C {
    fn dial(&mut self) -> u64 {
        *self.sent.get_or_insert(with_parity(self.unix, self.order))
    }

    fn receive(&mut self, at: u64, remote: Token) -> Vec<u64> {
        let Some(sent) = self.sent else {
            // "Replies to a first contact with its own `at`."
            return Vec::from([self.dial()]);
        };
        let is_theirs = at % 2 != self.order.parity();
        if at > self.heard && at >= sent && (is_theirs || at == sent) {
            self.heard = at;
        }
        if self.heard < sent {
            return Vec::from([sent]);
        }
        self.sent = Some(self.heard);
        self.session = Some(remote);
        if self.heard > sent {
            Vec::from([self.heard])
        } else {
            Vec::new()
        }
    }

    fn session(&self) -> Option<Token> {
        self.session
    }

    fn talks(&self) -> bool {
        false
    }

    fn keepalive(&mut self) -> Option<u64> {
        None
    }
}

fn with_parity(at: u64, order: Order) -> u64 {
    if at % 2 == order.parity() { at } else { at + 1 }
}

/// Who begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialer {
    Us,
    Them,
    Both,
}

/// One of ours and one old peer.
struct Mixed {
    now: Instant,
    ours: End,
    old: Box<dyn OldPeer>,
    old_ephemeral: Ephemeral,
    /// Whether the old peer receives it, and the packet.
    flights: Vec<(bool, Packet)>,
    /// Packets that vanish: bit n is the n-th one sent, from the start.
    losses: u32,
    count: u32,
    sent: u32,
    seal: u8,
    keepalive: Instant,
}

impl Mixed {
    fn new(order: Order, old: Box<dyn OldPeer>, losses: u32) -> Self {
        let ephemeral = |side| Ephemeral { side, count: 0 };
        Self {
            now: PRESENT,
            ours: End::new(order, PRESENT, ephemeral(0), CLOCK, 0),
            old,
            old_ephemeral: ephemeral(1),
            flights: Vec::new(),
            losses,
            count: 0,
            sent: 0,
            seal: 0,
            keepalive: PRESENT + Duration::from_secs(30),
        }
    }

    fn dial(&mut self, dialer: Dialer) {
        if dialer != Dialer::Them {
            self.ours.rounds.start(self.now, CLOCK);
            self.follow();
        }
        if dialer != Dialer::Us {
            let at = self.old.dial();
            self.old_sends(at);
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let mut delivered = 0;
            while !self.flights.is_empty() {
                let (to_old, packet) = self.flights.remove(0);
                if to_old {
                    self.old_receives(packet);
                } else {
                    self.we_receive(packet);
                }
                delivered += 1;
                assert!(delivered < 40, "the two never stop answering each other");
            }
            let due = self
                .ours
                .rounds
                .poll_timeout()
                .map_or(end, |due| due.min(end));
            self.now = self.now.max(due.min(self.keepalive));
            if self.now >= self.keepalive {
                self.keepalive += Duration::from_secs(30);
                self.old
                    .keepalive()
                    .into_iter()
                    .for_each(|at| self.old_sends(at));
            }
            self.ours.rounds.handle_timeout(self.now, CLOCK);
            self.follow();
            if self.now >= end && self.flights.is_empty() {
                return;
            }
        }
    }

    fn agrees(&self) -> bool {
        self.ours.session() == Some(self.old_ephemeral.token())
            && self.old.session() == Some(self.ours.ephemeral.token())
    }

    fn we_receive(&mut self, packet: Packet) {
        self.ours.receive(self.now, DIRECT, packet);
        self.follow();
    }

    fn old_receives(&mut self, packet: Packet) {
        let Packet::Handshake { from, at, .. } = packet else {
            return;
        };
        let before = self.old.session();
        for at in self.old.receive(at, from.token()) {
            self.old_sends(at);
        }
        if self.old.talks() && self.old.session() != before {
            let packet = Packet::Channel {
                from: self.old_ephemeral,
                to: from,
                nonce: self.seal,
            };
            self.fly(false, packet);
        }
    }

    fn old_sends(&mut self, at: u64) {
        // Each time in other bytes.
        self.seal = self.seal.wrapping_add(1);
        let from = self.old_ephemeral;
        self.fly(
            false,
            Packet::Handshake {
                from,
                at,
                seal: self.seal,
            },
        );
    }

    fn follow(&mut self) {
        for (_, packet) in self.ours.follow(self.now) {
            self.sent += 1;
            self.fly(true, packet);
        }
    }

    fn fly(&mut self, to_old: bool, packet: Packet) {
        let lost = 1_u32
            .checked_shl(self.count)
            .is_some_and(|bit| self.losses & bit != 0);
        self.count += 1;
        if !lost {
            self.flights.push((to_old, packet));
        }
    }
}

/// Both roles, every dialer, clocks that differ either way, and every way to lose some of the first
/// six packets.
fn for_all(
    make: fn(Order, u64) -> Box<dyn OldPeer>,
    dialers: &[Dialer],
    check: impl Fn(&mut Mixed, &str),
) {
    for order in [Order::Odd, Order::Even] {
        for &dialer in dialers {
            for clock in [
                CLOCK,
                CLOCK + 1,
                CLOCK - 1,
                CLOCK + 50,
                CLOCK - 50,
                CLOCK - 300,
            ] {
                for losses in 0..64 {
                    let mut mixed = Mixed::new(order, make(order.opposite(), clock), losses);
                    mixed.dial(dialer);
                    let case = alloc::format!("{order:?} {dialer:?} {clock} {losses:06b}");
                    check(&mut mixed, &case);
                }
            }
        }
    }
}

fn js(order: Order, unix: u64) -> Box<dyn OldPeer> {
    Box::new(Js::new(order, unix))
}

fn c(order: Order, unix: u64) -> Box<dyn OldPeer> {
    Box::new(C::new(order, unix))
}

#[test]
fn js_and_we_link_when_we_dial_within_30_s_if_no_more_than_four_packets_are_lost() {
    for_all(js, &[Dialer::Us, Dialer::Both], |mixed, case| {
        mixed.run(Duration::from_secs(if mixed.losses.count_ones() <= 4 {
            30
        } else {
            100
        }));
        assert!(mixed.agrees(), "{case}");
    });
}

#[test]
fn js_that_dials_us_links_with_a_keepalive_if_not_before() {
    for_all(js, &[Dialer::Them], |mixed, case| {
        // Each of its keepalives may be one of the packets that get lost.
        mixed.run(Duration::from_secs(
            31 * (1 + u64::from(mixed.losses.count_ones())),
        ));
        assert!(mixed.agrees(), "{case}");
    });
}

#[test]
fn c_and_we_link_when_we_dial_within_30_s_if_no_more_than_four_packets_are_lost() {
    for_all(c, &[Dialer::Us, Dialer::Both], |mixed, case| {
        mixed.run(Duration::from_secs(if mixed.losses.count_ones() <= 4 {
            30
        } else {
            100
        }));
        assert!(mixed.agrees(), "{case}");
    });
}

#[test]
fn c_links_to_us_when_nothing_is_lost() {
    for_all(c, &[Dialer::Them], |mixed, case| {
        if mixed.losses == 0 {
            mixed.run(Duration::from_secs(1));
            assert!(mixed.agrees(), "{case}");
        }
    });
}

#[test]
fn old_peers_link_at_once_when_nothing_is_lost() {
    for make in [js, c] {
        for_all(
            make,
            &[Dialer::Us, Dialer::Them, Dialer::Both],
            |mixed, case| {
                if mixed.losses == 0 {
                    mixed.run(Duration::ZERO);
                    assert!(mixed.agrees(), "{case}");
                }
            },
        );
    }
}

#[test]
fn an_even_js_that_answers_echoes_again_makes_no_loop() {
    for_all(
        js,
        &[Dialer::Us, Dialer::Them, Dialer::Both],
        |mixed, case| {
            mixed.run(Duration::from_secs(25));
            // The schedule of a round, and an answer to each packet of theirs, of which some come again.
            assert!(mixed.sent <= 14, "{case}: {} handshakes", mixed.sent);
        },
    );
}

#[test]
fn a_linked_old_peer_costs_a_keepalive_and_no_more() {
    for_all(js, &[Dialer::Us, Dialer::Them], |mixed, case| {
        mixed.run(Duration::from_secs(100));
        let before = mixed.sent;
        mixed.run(Duration::from_secs(300));
        assert!(mixed.agrees(), "{case}");
        // Ten keepalives of ours, ten echoes of theirs with up to four repetitions.
        assert!(
            mixed.sent - before <= 60,
            "{case}: {} handshakes",
            mixed.sent - before
        );
    });
}
