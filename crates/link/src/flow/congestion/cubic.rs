//! CUBIC (RFC 9438), in integers: the core has no floating-point roots.

use core::time::Duration;

use telehash_e3x::Instant;

use super::{Controller, FIRST_PACKETS, MAX_WINDOW, PACKET, RateSample, hystart::HyStart};

/// The window never falls below this many packets.
const LEAST_PACKETS: u64 = 2;

/// What a loss leaves of the window (beta), as a fraction.
const BETA: (u64, u64) = (7, 10);

/// What fast convergence leaves of the remembered maximum: (1 + beta) / 2.
const CONVERGENCE: (u64, u64) = (17, 20);

/// Growth a round trip of the Reno-friendly estimate, in packets, until it has made up for the
/// reduction: 3 (1 - beta) / (1 + beta).
const RENO_AT_FIRST: (u64, u64) = (9, 17);

/// Its growth from then on: Reno's own (RFC 9438, 4.3).
const RENO_THEN: (u64, u64) = (1, 1);

/// Steepness of the cubic (C), in packets a second cubed.
const STEEPNESS: (i128, i128) = (4, 10);

/// The controller of one pipe.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Cubic {
    packet: u64,
    rtt: Option<Duration>,
    /// Losses of packets sent before this belong to a reduction that has been made.
    recovery_since: Option<Instant>,
    state: State,
    /// The state before the last reduction, should it prove to be a mistake.
    undo: Option<State>,
}

/// What a reduction changes.
#[derive(Clone, Copy, Debug)]
struct State {
    window: u64,
    /// Below this the window doubles every round trip.
    threshold: u64,
    hystart: HyStart,
    /// The window at the last loss; less if it had not come back to that of the loss before.
    max: u64,
    /// The window before the last reduction.
    prior: u64,
    epoch: Option<Epoch>,
}

/// A stretch of growth between two losses.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    began: Instant,
    /// The window it grows back to before it probes for more.
    max: u64,
    /// When the cubic reaches `max`, in milliseconds after `began`.
    plateau_ms: u64,
    /// What Reno would have.
    reno: u64,
    /// Parts of a byte that the window has grown, in units of 1 / window.
    fraction: u64,
}

impl Cubic {
    pub(in super::super) fn new() -> Self {
        Self {
            packet: PACKET,
            rtt: None,
            recovery_since: None,
            state: State {
                window: FIRST_PACKETS * PACKET,
                threshold: u64::MAX,
                hystart: HyStart::default(),
                max: 0,
                prior: 0,
                epoch: None,
            },
            undo: None,
        }
    }

    fn in_slow_start(&self) -> bool {
        self.state.window < self.state.threshold
    }

    fn least(&self) -> u64 {
        LEAST_PACKETS * self.packet
    }

    fn slow_start(&mut self, sample: &RateSample) {
        match self.state.hystart.on_ack(sample) {
            Some(divisor) => self.state.window += sample.acked / divisor,
            None => self.state.threshold = self.state.window,
        }
    }

    fn avoid_congestion(&mut self, sample: &RateSample) {
        let State {
            window, max, prior, ..
        } = self.state;
        let packet = self.packet;
        let epoch = self
            .state
            .epoch
            .get_or_insert_with(|| Epoch::new(sample.now, window, max, packet));
        let (times, by) = if epoch.reno < prior {
            RENO_AT_FIRST
        } else {
            RENO_THEN
        };
        epoch.reno += packet * sample.acked * times / (window * by);
        let elapsed = sample.now.saturating_duration_since(epoch.began) + sample.smoothed_rtt;
        let target = cubic(elapsed, epoch.plateau_ms, epoch.max, packet)
            .clamp(window, window.saturating_mul(3) / 2);
        let grown = epoch.fraction + (target - window) * sample.acked;
        epoch.fraction = grown % window;
        self.state.window = (window + grown / window).max(epoch.reno);
    }
}

impl Epoch {
    fn new(now: Instant, window: u64, max: u64, packet: u64) -> Self {
        // K = cbrt((max - window) / C), in seconds and packets; times 1000 for milliseconds.
        let missing = max.saturating_sub(window);
        let cubed = u128::from(missing) * 2_500_000_000 / u128::from(packet);
        let plateau_ms = cube_root(u64::try_from(cubed).unwrap_or(u64::MAX));
        Self {
            began: now,
            max: max.max(window),
            plateau_ms,
            reno: window,
            fraction: 0,
        }
    }
}

impl Controller for Cubic {
    fn set_packet_size(&mut self, bytes: u64) {
        if self.state.window == FIRST_PACKETS * self.packet {
            self.state.window = FIRST_PACKETS * bytes;
        }
        self.packet = bytes.max(1);
        self.state.window = self.state.window.max(self.least());
    }

    fn on_ack(&mut self, sample: &RateSample) {
        self.rtt = Some(sample.smoothed_rtt);
        if sample.app_limited {
            // Idle time must not count as time to grow in.
            self.state.epoch = None;
            return;
        }
        if self
            .recovery_since
            .is_some_and(|since| sample.newest_sent_at <= since)
        {
            return;
        }
        if self.in_slow_start() {
            self.slow_start(sample);
        } else {
            self.avoid_congestion(sample);
        }
        self.state.window = self.state.window.min(MAX_WINDOW);
    }

    fn on_loss(&mut self, now: Instant, sent_at: Instant, _bytes: u64) {
        if self.recovery_since.is_some_and(|since| sent_at <= since) {
            return;
        }
        self.recovery_since = Some(now);
        self.undo = Some(self.state);
        let window = self.state.window;
        self.state.max = if window < self.state.max {
            window * CONVERGENCE.0 / CONVERGENCE.1
        } else {
            window
        };
        let reduced = (window * BETA.0 / BETA.1).max(self.least());
        self.state.prior = window;
        self.state.window = reduced;
        self.state.threshold = reduced;
        // Its time counts from the reduction, though it grows a round trip later only.
        let epoch = Epoch::new(now, reduced, self.state.max, self.packet);
        self.state.epoch = Some(epoch);
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        if let Some(before) = self.undo.take()
            && before.window > self.state.window
        {
            self.state = before;
            self.state.epoch = None;
        }
    }

    fn on_persistent_congestion(&mut self, now: Instant) {
        let window = self.state.window;
        self.state.max = self.state.max.max(window);
        self.state.threshold = (window * BETA.0 / BETA.1).max(self.least());
        self.state.window = self.least();
        self.state.hystart = HyStart::default();
        self.state.epoch = None;
        self.recovery_since = Some(now);
        self.undo = None;
    }

    fn window(&self) -> u64 {
        self.state.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        // Slow start doubles the window in a round trip, so packets must leave twice as fast.
        let (times, by): (u64, u64) = if self.in_slow_start() { (2, 1) } else { (5, 4) };
        let micros = u64::try_from(self.rtt?.as_micros())
            .unwrap_or(u64::MAX)
            .max(1);
        let rate = self.state.window.saturating_mul(times * 1_000_000);
        Some((rate / by.saturating_mul(micros)).max(1))
    }
}

/// C (t - K)^3 + max, in bytes.
fn cubic(elapsed: Duration, plateau_ms: u64, max: u64, packet: u64) -> u64 {
    /// Beyond this many milliseconds from the plateau the cube is as good as infinite.
    const FAR: i128 = 1_000_000;
    let elapsed = i128::try_from(elapsed.as_millis()).unwrap_or(FAR);
    let distance = (elapsed - i128::from(plateau_ms)).clamp(-FAR, FAR);
    let packets_e9 = distance.pow(3) * STEEPNESS.0 / STEEPNESS.1;
    let bytes = i128::from(max) + packets_e9 * i128::from(packet) / 1_000_000_000;
    u64::try_from(bytes.max(0)).unwrap_or(MAX_WINDOW)
}

/// The integer cube root, rounded down.
fn cube_root(number: u64) -> u64 {
    let (mut low, mut high) = (0_u64, 2_642_245);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if middle.pow(3) <= number {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    /// One round trip in which the whole window is acknowledged.
    fn round(cubic: &mut Cubic, now_ms: u64, delivered: &mut u64) {
        let window = cubic.window();
        let mut acked = 0;
        while acked < window {
            let bytes = cubic.packet.min(window - acked);
            acked += bytes;
            *delivered += bytes;
            cubic.on_ack(&RateSample {
                now: at(now_ms),
                newest_sent_at: at(now_ms - 50),
                acked: bytes,
                delivered: window,
                interval: RTT,
                sent_in_flight: window,
                lost: 0,
                rtt: Some(RTT),
                smoothed_rtt: RTT,
                in_flight: window,
                sent: *delivered + window,
                total_delivered: *delivered,
                app_limited: false,
            });
        }
    }

    #[test]
    fn cube_roots_are_exact() {
        for root in [0, 1, 2, 99, 1000, 2_642_245] {
            let cube: u64 = root * root * root;
            assert_eq!(cube_root(cube), root);
            assert_eq!(cube_root(cube.saturating_sub(1)), root.saturating_sub(1));
        }
        assert_eq!(cube_root(u64::MAX), 2_642_245);
    }

    #[test]
    fn slow_start_doubles_every_round_trip() {
        let (mut cubic, mut delivered) = (Cubic::new(), 0);
        let before = cubic.window();
        round(&mut cubic, 50, &mut delivered);
        assert_eq!(cubic.window(), before * 2);
    }

    #[test]
    fn a_loss_reduces_once_a_round_trip() {
        let mut cubic = Cubic::new();
        cubic.on_loss(at(100), at(50), 1200);
        let reduced = cubic.window();
        assert_eq!(reduced, FIRST_PACKETS * PACKET * 7 / 10);
        cubic.on_loss(at(110), at(60), 1200);
        assert_eq!(cubic.window(), reduced, "sent before the reduction");
        cubic.on_loss(at(200), at(150), 1200);
        assert_eq!(cubic.window(), reduced * 7 / 10);
    }

    #[test]
    fn the_window_returns_to_its_maximum_and_then_probes_on() {
        let (mut cubic, mut delivered) = (Cubic::new(), 0);
        (1..6).for_each(|n| round(&mut cubic, n * 50, &mut delivered));
        let max = cubic.window();
        cubic.on_loss(at(300), at(299), 1200);
        let mut now = 300;
        // K for a loss at 320 packets is about 6.2 s.
        while now < 6_500 {
            now += 50;
            round(&mut cubic, now, &mut delivered);
            assert!(
                cubic.window() < max * 21 / 20,
                "{} of {max} at {now}",
                cubic.window()
            );
        }
        assert!(cubic.window() > max * 9 / 10, "{} of {max}", cubic.window());
        while now < 14_000 {
            now += 50;
            round(&mut cubic, now, &mut delivered);
        }
        assert!(
            cubic.window() > max * 11 / 10,
            "{} of {max}",
            cubic.window()
        );
    }

    #[test]
    fn a_small_window_makes_up_for_a_reduction_and_then_grows_as_reno_does() {
        let (mut cubic, mut delivered) = (Cubic::new(), 0);
        let before = cubic.window();
        cubic.on_loss(at(100), at(99), 1200);
        // Three of ten packets are missing, at 9/17 a round trip; the cubic takes two seconds.
        let back = (1..20).find(|n| {
            round(&mut cubic, 100 + n * 50, &mut delivered);
            cubic.window() >= before
        });
        assert!(
            back.is_some_and(|rounds| (6..=8).contains(&rounds)),
            "{back:?}"
        );
        let since = cubic.window();
        (8..12).for_each(|n| round(&mut cubic, 100 + n * 50, &mut delivered));
        let grown = cubic.window() - since;
        assert!((3 * PACKET..=4 * PACKET).contains(&grown), "{grown}");
    }

    #[test]
    fn the_time_to_grow_in_begins_with_the_reduction() {
        let (mut cubic, mut delivered) = (Cubic::new(), 0);
        cubic.on_loss(at(100), at(99), 1200);
        let reduced = cubic.window();
        // Nothing arrives for as long as the cubic takes to return, about 2 s.
        round(&mut cubic, 2_200, &mut delivered);
        assert!(cubic.window() > reduced * 6 / 5, "{}", cubic.window());
    }

    #[test]
    fn a_spurious_loss_is_undone() {
        let mut cubic = Cubic::new();
        let before = cubic.window();
        cubic.on_loss(at(100), at(50), 1200);
        cubic.on_spurious_loss(at(120));
        assert_eq!(cubic.window(), before);
        cubic.on_spurious_loss(at(130));
        assert_eq!(cubic.window(), before);
    }

    #[test]
    fn persistent_congestion_begins_anew() {
        let mut cubic = Cubic::new();
        cubic.on_persistent_congestion(at(100));
        assert_eq!(cubic.window(), LEAST_PACKETS * PACKET);
        assert!(cubic.in_slow_start());
    }

    #[test]
    fn the_window_has_a_floor_and_a_ceiling() {
        let mut cubic = Cubic::new();
        (0..100).for_each(|n| cubic.on_loss(at(n * 100 + 1), at(n * 100), 1200));
        assert_eq!(cubic.window(), LEAST_PACKETS * PACKET);
        let (mut cubic, mut delivered) = (Cubic::new(), 0);
        cubic.set_packet_size(1 << 16);
        (1..16).for_each(|n| round(&mut cubic, n * 50, &mut delivered));
        assert_eq!(cubic.window(), MAX_WINDOW);
    }

    #[test]
    fn an_idle_application_does_not_grow_the_window() {
        let mut cubic = Cubic::new();
        let before = cubic.window();
        cubic.on_ack(&RateSample {
            now: at(1),
            newest_sent_at: at(0),
            acked: 1200,
            delivered: 1200,
            interval: RTT,
            sent_in_flight: 1200,
            lost: 0,
            rtt: Some(RTT),
            smoothed_rtt: RTT,
            in_flight: 0,
            sent: 1200,
            total_delivered: 1200,
            app_limited: true,
        });
        assert_eq!(cubic.window(), before);
    }
}
