//! A deterministic world for two flows: a virtual clock that jumps to the next wake-up, and a
//! seeded link between them that loses, duplicates, reorders, delays and queues.

mod delivery;
mod fairness;
mod goodput;
mod hostile;
mod life;
mod limits;
mod loss;
mod old_peers;
mod pipes;
mod posts;
mod requests;
mod script;
mod traces;
mod unreliable;
mod window;

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use telehash_e3x::{Instant, Order};

use super::*;

pub(super) const SLOT: PipeSlot = PipeSlot(0);
pub(super) const MAX_PLAIN: usize = 1100;

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A small generator: SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True `per_mille` times of a thousand.
    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// What a link does to packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    /// Parts of a thousand.
    pub(super) loss: u64,
    /// Lose runs of this many packets on average instead of single ones.
    pub(super) burst: u64,
    pub(super) duplicates: u64,
    /// Bytes a second, and how many may wait.
    pub(super) rate: u64,
    pub(super) queue: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: ms(10),
            jitter: Duration::ZERO,
            loss: 0,
            burst: 1,
            duplicates: 0,
            rate: 10_000_000,
            queue: 100_000,
        }
    }
}

/// One direction of the link.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) weather: Weather,
    rng: Rng,
    free_at: Instant,
    losing: bool,
    sent_at: Instant,
    under_way: BTreeMap<(Instant, u64), Vec<u8>>,
    count: u64,
    pub(super) carried: u64,
}

impl Wire {
    fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            rng: Rng::new(seed),
            free_at: Instant::default(),
            losing: false,
            sent_at: Instant::default(),
            under_way: BTreeMap::new(),
            count: 0,
            carried: 0,
        }
    }

    fn loses(&mut self, now: Instant) -> bool {
        let Weather { loss, burst, .. } = self.weather;
        if loss == 0 {
            return false;
        }
        // A run of losses does not outlast a pause.
        self.losing &= now.saturating_duration_since(self.sent_at) < ms(100);
        self.sent_at = now;
        // Two states; a run of losses ends with chance 1 / burst, and begins so that the share of
        // lost packets is `loss`.
        self.losing = if self.losing {
            !self.rng.chance(1000 / burst)
        } else {
            self.rng.below((1000 - loss) * burst) < loss
        };
        if burst == 1 {
            self.rng.chance(loss)
        } else {
            self.losing
        }
    }

    fn send(&mut self, now: Instant, packet: &[u8]) {
        let Weather {
            delay,
            jitter,
            duplicates,
            rate,
            queue,
            ..
        } = self.weather;
        let backlog = self.free_at.saturating_duration_since(now).as_micros() as u64;
        if backlog * rate / 1_000_000 > queue || self.loses(now) {
            return;
        }
        let sending = Duration::from_micros(packet.len() as u64 * 1_000_000 / rate);
        self.free_at = self.free_at.max(now) + sending;
        let copies = 1 + u64::from(self.rng.chance(duplicates));
        for _ in 0..copies {
            let late = Duration::from_micros(self.rng.below(jitter.as_micros() as u64 + 1));
            self.count += 1;
            self.under_way
                .insert((self.free_at + delay + late, self.count), packet.into());
        }
    }

    fn next(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    fn receive(&mut self, now: Instant) -> Option<Vec<u8>> {
        let entry = self
            .under_way
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        self.carried += entry.get().len() as u64;
        Some(entry.remove())
    }
}

/// Two flows and what is between them. Index 0 is odd, 1 is even.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) flows: [Flow; 2],
    /// What each flow reported and the test has not looked at.
    pub(super) events: [Vec<ChannelEvent>; 2],
    /// From each flow to the other.
    pub(super) wires: [Wire; 2],
    pub(super) steps: u64,
    /// Packets that the receiving flow refused.
    pub(super) refused: u64,
}

impl World {
    pub(super) fn new(weather: Weather, seed: u64) -> Self {
        Self::with(weather, seed, FlowConfig::default(), FlowConfig::default())
    }

    pub(super) fn with(weather: Weather, seed: u64, odd: FlowConfig, even: FlowConfig) -> Self {
        // Not zero: arithmetic that goes back in time must not saturate unnoticed.
        let now = Instant::from_micros(1_000_000_000);
        let mut flows = [Flow::new(odd, Order::Odd), Flow::new(even, Order::Even)];
        for flow in &mut flows {
            flow.pipe_opened(now, SLOT, PipeProfile::default());
            flow.pipe_selected(now, SLOT);
            flow.set_max_plain(MAX_PLAIN);
        }
        let wires = [
            Wire::new(weather, seed * 2),
            Wire::new(weather, seed * 2 + 1),
        ];
        Self {
            now,
            flows,
            events: Default::default(),
            wires,
            steps: 0,
            refused: 0,
        }
    }

    /// Lets everything happen that can happen now.
    pub(super) fn settle(&mut self) {
        for side in 0..2 {
            while let Some(packet) = self.wires[1 - side].receive(self.now) {
                if self.flows[side]
                    .handle_packet(self.now, SLOT, &packet)
                    .is_err()
                {
                    self.refused += 1;
                }
            }
            self.flows[side].handle_timeout(self.now);
            self.transmit(side);
            self.events[side].extend(core::iter::from_fn(|| self.flows[side].poll_event()));
        }
    }

    /// The same, but what one side wants to send is left to the test.
    pub(super) fn settle_without(&mut self, quiet: usize) {
        for side in 0..2 {
            while let Some(packet) = self.wires[1 - side].receive(self.now) {
                let _ = self.flows[side].handle_packet(self.now, SLOT, &packet);
            }
            self.flows[side].handle_timeout(self.now);
            if side != quiet {
                self.transmit(side);
            }
        }
    }

    /// Puts what a flow wants to send on its wire.
    pub(super) fn transmit(&mut self, side: usize) {
        loop {
            let mut packet = Vec::new();
            if self.flows[side]
                .poll_packet(self.now, SLOT, MAX_PLAIN, &mut packet)
                .is_none()
            {
                break;
            }
            assert!(packet.len() <= MAX_PLAIN, "{} bytes", packet.len());
            self.wires[side].send(self.now, &packet);
        }
    }

    /// The next moment at which something happens by itself.
    pub(super) fn next(&self) -> Option<Instant> {
        let flows = self.flows.iter().filter_map(Flow::poll_timeout);
        flows.chain(self.wires.iter().filter_map(Wire::next)).min()
    }

    /// Jumps to the next wake-up, or to `until` if that is earlier. False at `until`.
    pub(super) fn step(&mut self, until: Instant) -> bool {
        self.settle();
        self.steps += 1;
        let next = self
            .next()
            .map_or(until, |next| next.max(self.now).min(until));
        let moved = next > self.now;
        self.now = next;
        moved || self.now < until
    }

    /// Runs for this long, and panics if that takes more steps than it can need.
    pub(super) fn drive_bounded(&mut self, time: Duration, steps: u64) {
        let (until, before) = (self.now + time, self.steps);
        while self.step(until) {
            assert!(self.steps - before < steps, "livelock at {:?}", self.now);
        }
        self.settle();
    }

    pub(super) fn drive(&mut self, time: Duration) {
        self.drive_bounded(time, 1_000_000);
    }

    /// Opens a reliable channel from the odd side, accepted by the even side.
    pub(super) fn open(&mut self) -> ChannelId {
        let id = self.flows[0]
            .open(self.now, Open::reliable("stream"))
            .expect("opens");
        self.drive(ms(3000));
        assert!(
            self.events[1]
                .iter()
                .any(|event| matches!(event, ChannelEvent::Opened { .. }))
        );
        self.flows[1].accept(self.now, id).expect("accepts");
        self.drive(ms(3000));
        assert!(self.events[0].contains(&ChannelEvent::Established(id)));
        self.events = Default::default();
        id
    }

    /// Reads all there is on one side.
    pub(super) fn read_all(&mut self, side: usize, id: ChannelId) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Ok(Some(packet)) = self.flows[side].read(self.now, id) {
            bytes.extend_from_slice(&packet.body);
        }
        bytes
    }
}

/// The byte of a test stream at this place.
pub(super) fn pattern(at: usize) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 13) as u8
}

/// A piece of the test stream.
pub(super) fn content(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(pattern).collect()
}
