//! Each state: what begins it, what it does, what ends it.

use super::{
    super::{Bbr, State, control::MIN_PACKETS, part},
    path::{PACKET, Path, ms},
};
use crate::flow::congestion::{Controller, FIRST_PACKETS};

/// Whether the estimate is within so many hundredths of the rate of the path.
fn knows_rate(path: &Path, hundredths: u64) -> bool {
    let known = path.bbr.max_bw.get();
    known.abs_diff(path.rate) <= part(path.rate, hundredths)
}

#[test]
fn it_starts_with_ten_packets_and_without_a_rate() {
    let mut bbr = Bbr::new();
    bbr.set_packet_size(1000);
    assert_eq!(bbr.window(), FIRST_PACKETS * 1000);
    assert_eq!(bbr.pacing_rate(), None);
}

#[test]
fn startup_doubles_the_rate_each_round_and_ends_when_no_more_arrives() {
    let mut path = Path::new(1000, 50);
    path.leave(State::Startup);
    assert_eq!(path.bbr.state, State::Drain);
    assert!(
        knows_rate(&path, 2),
        "{} of {}",
        path.bbr.max_bw.get(),
        path.rate
    );
    assert!(path.bbr.full_pipe.now && path.bbr.full_pipe.reached);
    // 10, 20, 40, 80 packets: the path holds 50. Three rounds more show it.
    assert!(path.bbr.round.count <= 8, "{} rounds", path.bbr.round.count);
}

#[test]
fn startup_ends_with_much_loss_in_many_places() {
    let mut path = Path::new(10_000, 50);
    path.lose_every = 20;
    path.leave(State::Startup);
    assert!(path.bbr.full_pipe.reached && !path.bbr.full_pipe.now);
    assert!(path.bbr.bounds.inflight_longterm < path.bdp());
}

#[test]
fn startup_goes_on_while_the_application_limits() {
    let mut path = Path::new(1000, 50);
    for _ in 0..100 {
        path.supply = Some(5 * PACKET);
        path.run(ms(50));
    }
    assert_eq!(path.states, [State::Startup]);
    path.supply = None;
    path.leave(State::Startup);
    assert!(knows_rate(&path, 2));
}

#[test]
fn drain_is_slow_and_ends_when_the_queue_is_gone() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Drain);
    assert!(path.in_flight > path.bdp(), "a queue was made");
    assert!(path.bbr.pacing_rate() <= Some(part(path.rate, 51)));
    path.leave(State::Drain);
    assert!(path.bbr.state.is_probe_bw());
    assert!(path.in_flight <= path.bdp() + 2 * PACKET);
}

#[test]
fn drain_does_not_last_longer_than_three_rounds() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Drain);
    // The queue does not empty at a tenth of the rate.
    path.rate /= 10;
    let before = path.bbr.round.count;
    path.leave(State::Drain);
    assert!(path.in_flight > path.bbr.inflight_at(path.rate));
    assert!(path.bbr.round.count - before <= 4);
}

#[test]
fn the_cycle_is_down_cruise_refill_up() {
    let mut path = Path::new(1000, 50);
    path.run(ms(9_000));
    // Draining may have made room enough to cruise at once.
    let cycle = [State::Cruise, State::Refill, State::Up, State::Down];
    assert_eq!(path.states[..2], [State::Startup, State::Drain]);
    let begin = 2 + usize::from(path.states[2] == State::Down);
    for (state, expected) in path.states[begin..].iter().zip(cycle.iter().cycle()) {
        assert_eq!(state, expected, "{:?}", path.states);
    }
    assert!(
        path.states.len() >= 2 + 2 * cycle.len(),
        "{:?}",
        path.states
    );
}

#[test]
fn down_paces_below_the_rate_and_ends_without_a_queue() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    path.reach(State::Down);
    path.step();
    assert_eq!(
        path.bbr.pacing_rate(),
        Some(part(part(path.bbr.bw, 90), 99))
    );
    path.leave(State::Down);
    assert_eq!(path.bbr.state, State::Cruise);
    assert!(path.in_flight <= path.bbr.inflight_at(path.bbr.bw));
}

#[test]
fn cruise_paces_at_the_rate_for_two_to_three_seconds() {
    let mut path = Path::new(2000, 50);
    path.reach(State::Cruise);
    let began = path.now;
    path.step();
    assert_eq!(path.bbr.pacing_rate(), Some(part(path.bbr.bw, 99)));
    path.leave(State::Cruise);
    let took = path.now.saturating_duration_since(began);
    assert_eq!(path.bbr.state, State::Refill);
    assert!((ms(1_800)..ms(3_100)).contains(&took), "{took:?}");
}

#[test]
fn on_short_paths_the_next_probe_comes_after_as_many_rounds_as_packets() {
    // Twenty packets of 20 ms: Reno would have grown by as many meanwhile.
    let mut path = Path::new(1000, 20);
    path.reach(State::Cruise);
    let began = path.now;
    path.leave(State::Cruise);
    let took = path.now.saturating_duration_since(began);
    assert!((ms(300)..ms(900)).contains(&took), "{took:?}");
}

#[test]
fn refill_takes_one_round_and_forgets_the_short_term_bounds() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.bbr.bounds.bw_shortterm = path.rate / 2;
    path.reach(State::Refill);
    assert_eq!(path.bbr.bounds.bw_shortterm, u64::MAX);
    let began = path.bbr.round.count;
    path.leave(State::Refill);
    assert_eq!(path.bbr.state, State::Up);
    assert_eq!(path.bbr.round.count - began, 1);
    assert!(path.bbr.probe.is_sample);
}

#[test]
fn up_pushes_until_no_more_arrives() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Up);
    path.step();
    assert_eq!(
        path.bbr.pacing_rate(),
        Some(part(part(path.bbr.bw, 125), 99))
    );
    path.leave(State::Up);
    assert_eq!(path.bbr.state, State::Down);
    assert!(!path.bbr.probe.too_high);
}

#[test]
fn up_finds_what_became_free() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.rate *= 4;
    path.run(ms(12_000));
    assert!(
        knows_rate(&path, 5),
        "{} of {}",
        path.bbr.max_bw.get(),
        path.rate
    );
}

#[test]
fn a_rate_that_falls_is_known_after_two_cycles() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.rate /= 10;
    path.queue = path.bdp();
    path.run(ms(10_000));
    assert!(
        path.bbr.max_bw.get() < path.rate * 3 / 2,
        "{} of {}",
        path.bbr.max_bw.get(),
        path.rate
    );
}

#[test]
fn the_round_trip_is_looked_for_every_ten_seconds() {
    let mut path = Path::new(1000, 50);
    path.reach(State::ProbeRtt);
    path.step();
    assert!(path.bbr.window() <= (path.bdp() / 2 + PACKET).max(MIN_PACKETS * PACKET));
    let began = path.now;
    path.leave(State::ProbeRtt);
    let took = path.now.saturating_duration_since(began);
    assert!((ms(200)..ms(400)).contains(&took), "{took:?}");
    assert_eq!(path.bbr.state, State::Cruise);
    assert!(path.bbr.window() >= path.bdp(), "the window is back");
    assert!(
        knows_rate(&path, 5),
        "little was sent, and that says nothing"
    );
}

#[test]
fn a_round_trip_that_rises_is_believed_after_the_search() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.rtt = ms(150);
    path.run(ms(15_000));
    let least = path.bbr.min_rtt.least.expect("measured");
    assert!((ms(150)..ms(170)).contains(&least), "{least:?}");
}

#[test]
fn a_pause_is_no_reason_to_look_for_the_round_trip() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.supply = Some(0);
    path.run(ms(15_000));
    assert!(!path.states.contains(&State::ProbeRtt));
    path.supply = None;
    path.run(ms(200));
    assert!(!path.states.contains(&State::ProbeRtt), "{:?}", path.states);
}

#[test]
fn after_a_pause_packets_leave_at_the_known_rate() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    path.supply = Some(0);
    path.run(ms(1_000));
    path.supply = None;
    let before = path.delivered;
    path.run(ms(550));
    // One round trip without acks, then half a second at the rate.
    assert!(path.delivered - before >= path.rate * 45 / 100);
}

#[test]
fn what_an_application_limits_does_not_lower_the_rate() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    for _ in 0..200 {
        path.supply = Some(5 * PACKET);
        path.run(ms(50));
    }
    assert!(
        knows_rate(&path, 5),
        "{} of {}",
        path.bbr.max_bw.get(),
        path.rate
    );
}

#[test]
fn acks_that_come_in_bunches_widen_the_window() {
    let mut path = Path::new(1000, 50);
    path.reach(State::Cruise);
    let smooth = path.bbr.aggregation.extra();
    path.bbr.aggregation.restart(path.now);
    path.bbr.round.began = true;
    let ack = path.ack_of(20 * PACKET);
    path.bbr.update_aggregation(&ack);
    assert!(path.bbr.aggregation.extra() >= smooth.max(19 * PACKET));
}
