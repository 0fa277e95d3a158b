//! What losses do to the bounds of the model.

use super::{
    super::{Ack, Bbr, State, UNBOUNDED, part},
    path::{PACKET, Path, ms},
};
use crate::flow::congestion::{Controller, LostPacket};

fn lost(path: &Path, lost: u64, in_flight: u64) -> LostPacket {
    LostPacket {
        now: path.now,
        sent_at: path.now,
        number: 1,
        bytes: PACKET,
        in_flight,
        lost,
        app_limited: false,
    }
}

#[test]
fn two_percent_are_tolerated_and_no_more() {
    let bbr = Bbr::new();
    assert!(!bbr.is_too_high(2_000, 100_000));
    assert!(bbr.is_too_high(2_001, 100_000));
    assert!(!bbr.is_too_high(2_001, 0), "not known what was under way");
}

#[test]
fn too_much_loss_while_pushing_sets_the_long_term_bound() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    let in_flight = path.bdp() * 5 / 4;
    path.bbr
        .on_packet_lost(&lost(&path, part(in_flight, 3), in_flight));
    assert_eq!(path.bbr.state, State::Down);
    assert!(path.bbr.probe.too_high && !path.bbr.probe.is_sample);
    let bound = path.bbr.bounds.inflight_longterm;
    assert!(
        bound <= in_flight && bound >= in_flight - PACKET,
        "{bound} of {in_flight}"
    );
    // Once for each probe.
    path.bbr.on_packet_lost(&lost(&path, in_flight, PACKET));
    assert_eq!(path.bbr.bounds.inflight_longterm, bound);
}

#[test]
fn the_long_term_bound_falls_by_no_more_than_cubic_would() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    let least = part(path.bbr.target_inflight(), 70);
    path.bbr.on_packet_lost(&lost(&path, PACKET, 2 * PACKET));
    assert_eq!(path.bbr.bounds.inflight_longterm, least);
}

#[test]
fn loss_where_the_application_limits_ends_the_probe_without_a_bound() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    let lost = LostPacket {
        app_limited: true,
        ..lost(&path, PACKET, 2 * PACKET)
    };
    path.bbr.on_packet_lost(&lost);
    assert_eq!(path.bbr.state, State::Down);
    assert_eq!(path.bbr.bounds.inflight_longterm, UNBOUNDED);
}

#[test]
fn cruising_leaves_headroom_below_the_long_term_bound() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.bbr.bounds.inflight_longterm = 100 * PACKET;
    assert_eq!(path.bbr.with_headroom(), 85 * PACKET);
    path.bbr.bounds.inflight_longterm = 5 * PACKET;
    assert_eq!(path.bbr.with_headroom(), 4 * PACKET, "a packet at least");
}

#[test]
fn after_a_probe_that_lost_the_next_one_is_cautious_and_then_repeated() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    path.bbr
        .on_packet_lost(&lost(&path, path.bdp(), path.bdp() + PACKET));
    let bound = path.bbr.bounds.inflight_longterm;
    path.reach(State::Up);
    path.leave(State::Up);
    assert!(path.in_flight + 2 * PACKET >= bound, "as far as the bound");
    assert_eq!(path.bbr.state, State::Down);
    path.leave(State::Down);
    // It lost nothing: fill up and push again at once.
    assert_ne!(path.bbr.state, State::Up);
    path.reach(State::Up);
    assert!(!path.bbr.probe.too_high);
}

#[test]
fn the_long_term_bound_rises_where_the_path_has_room() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    path.bbr
        .on_packet_lost(&lost(&path, path.bdp(), path.bdp() / 2));
    let bound = path.bbr.bounds.inflight_longterm;
    assert!(bound < path.bdp());
    path.run(ms(9_000));
    assert!(path.bbr.bounds.inflight_longterm > path.bdp(), "{bound}");
}

#[test]
fn a_round_with_losses_lowers_the_short_term_bounds_to_what_arrives() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.run(ms(100));
    assert_eq!(path.bbr.bounds.bw_shortterm, UNBOUNDED);
    path.bbr
        .on_packet_lost(&lost(&path, PACKET, path.in_flight));
    while path.bbr.losses.any {
        path.step();
    }
    let bounds = path.bbr.bounds;
    let known = path.bbr.max_bw.get();
    assert!(bounds.bw_shortterm <= known, "{bounds:?}, {known}");
    assert!(
        bounds.bw_shortterm >= part(path.rate, 90),
        "it arrived at the rate"
    );
    assert!(bounds.inflight_shortterm < UNBOUNDED);
    assert_eq!(path.bbr.bw, path.bbr.max_bw.get().min(bounds.bw_shortterm));
}

#[test]
fn a_collapse_lowers_the_short_term_bounds_by_thirty_percent_a_round() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    let (rate, window) = (path.bbr.max_bw.get(), path.bbr.window());
    path.bbr.losses.reset();
    path.bbr.losses.ended = true;
    path.bbr.losses.any = true;
    path.bbr.losses.lost = PACKET;
    path.bbr.adapt_lower_bounds();
    assert_eq!(path.bbr.bounds.bw_shortterm, part(rate, 70));
    assert_eq!(path.bbr.bounds.inflight_shortterm, part(window, 70));
    path.bbr.adapt_lower_bounds();
    assert_eq!(path.bbr.bounds.bw_shortterm, part(part(rate, 70), 70));
}

#[test]
fn losses_are_expected_while_probing() {
    for state in [State::Startup, State::Refill, State::Up] {
        let mut bbr = Bbr::new();
        bbr.state = state;
        (bbr.losses.ended, bbr.losses.any, bbr.losses.lost) = (true, true, PACKET);
        bbr.adapt_lower_bounds();
        assert_eq!(bbr.bounds.bw_shortterm, UNBOUNDED, "{state:?}");
    }
}

#[test]
fn a_path_that_always_loses_is_used_all_the_same() {
    let mut path = Path::new(1000, 100);
    path.lose_every = 33;
    path.run(ms(12_000));
    let before = path.delivered;
    path.run(ms(10_000));
    let carried = path.delivered - before;
    assert!(carried >= path.rate * 10 * 85 / 100, "{carried}");
}

#[test]
fn spurious_losses_are_undone() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    path.bbr
        .on_packet_lost(&lost(&path, path.bdp(), path.bdp()));
    assert!(path.bbr.bounds.inflight_longterm < UNBOUNDED);
    path.bbr.on_spurious_loss(path.now);
    assert_eq!(path.bbr.bounds.inflight_longterm, UNBOUNDED);
    assert_eq!(path.bbr.state, State::Refill, "the probe is made again");
}

#[test]
fn a_start_that_spurious_losses_ended_goes_on() {
    let mut path = Path::new(10_000, 50);
    path.lose_every = 20;
    path.leave(State::Startup);
    path.bbr.on_spurious_loss(path.now);
    assert_eq!(path.bbr.state, State::Startup);
    assert!(!path.bbr.full_pipe.reached);
}

#[test]
fn a_timeout_leaves_four_packets_until_something_arrives() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    let window = path.bbr.window();
    path.bbr.on_persistent_congestion(path.now);
    assert_eq!(path.bbr.window(), 4 * PACKET);
    path.run(ms(300));
    assert!(
        path.bbr.window() > window / 2,
        "{} of {window}",
        path.bbr.window()
    );
    assert!(
        path.bbr.bw < path.bbr.max_bw.get(),
        "more carefully than before"
    );
}

impl Path {
    /// An ack of so many bytes, now.
    pub(super) fn ack_of(&self, acked: u64) -> Ack {
        Ack {
            now: self.now,
            newest_sent_at: self.now,
            acked,
            delivered: acked,
            rate: self.rate,
            in_flight: self.in_flight,
            sent_in_flight: self.in_flight,
            lost: 0,
            rtt: None,
            smoothed_rtt: self.rtt,
            app_limited: false,
        }
    }
}
