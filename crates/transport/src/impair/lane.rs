//! One direction between two places, with its memory.

use std::{net::SocketAddr, time::Duration};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{
    Arrival, Conditions, Counters, Fate, LostTo, Queue, Reorder, bottleneck::Bottleneck,
    loss::LossState,
};

/// One direction between two places: decides what happens to each packet.
///
/// Times are durations since an origin that the caller chooses and keeps to.
///
/// ```
/// use std::time::Duration;
/// use telehash_transport::impair::{Conditions, Fate, Lane};
///
/// let slow = Conditions::perfect().with_delay(Duration::from_millis(30)).with_rate(1_000_000);
/// let mut lane = Lane::new([7; 32], slow);
/// let Fate::Arrives(arrival) = lane.pass(Duration::ZERO, &mut [0; 1_000]) else {
///     unreachable!("nothing is lost under these conditions")
/// };
/// assert_eq!(arrival.at, Duration::from_millis(31));
/// ```
#[derive(Clone, Debug)]
pub struct Lane {
    conditions: Conditions,
    rng: ChaCha8Rng,
    losses: Vec<LossState>,
    bottleneck: Bottleneck,
    last_arrival: Duration,
    blocked: bool,
    counters: Counters,
}

impl Lane {
    /// A direction that draws its chances from `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32], conditions: Conditions) -> Self {
        Self {
            losses: vec![LossState::default(); conditions.loss.len()],
            conditions,
            rng: ChaCha8Rng::from_seed(seed),
            bottleneck: Bottleneck::default(),
            last_arrival: Duration::ZERO,
            blocked: false,
            counters: Counters::default(),
        }
    }

    /// The direction from one address to another in a network with this seed. Each direction has
    /// chances of its own, whatever happens elsewhere in the network.
    #[must_use]
    pub fn between(seed: u64, from: SocketAddr, to: SocketAddr, conditions: Conditions) -> Self {
        let mut lane_seed = [0; 32];
        let parts = [seed, digest(from), digest(to)];
        for (room, part) in lane_seed.chunks_exact_mut(8).zip(parts) {
            room.copy_from_slice(&part.to_le_bytes());
        }
        Self::new(lane_seed, conditions)
    }

    /// The conditions in force.
    #[must_use]
    pub const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Changes the conditions for packets from now on. Those under way keep their arrival.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        if conditions.loss != self.conditions.loss {
            self.losses = vec![LossState::default(); conditions.loss.len()];
        }
        self.conditions = conditions;
    }

    /// Loses everything from now on, or no longer.
    pub const fn set_blocked(&mut self, blocked: bool) {
        self.blocked = blocked;
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Decides what happens to `packet`, which enters at `now`, and corrupts it in place if that is
    /// its fate. `now` must not go back from call to call.
    #[must_use = "the caller delivers the packet"]
    pub fn pass(&mut self, now: Duration, packet: &mut [u8]) -> Fate {
        self.counters.count_sent(packet.len());
        match self.travel(now, packet) {
            Ok(arrival) => {
                self.counters.count_arrival(arrival);
                Fate::Arrives(arrival)
            }
            Err(cause) => {
                self.counters.count_loss(cause);
                Fate::Lost(cause)
            }
        }
    }

    /// Loses a packet of `len` bytes for want of room at its receiver.
    pub const fn refuse(&mut self, len: usize) -> Fate {
        self.counters.count_sent(len);
        self.counters.count_loss(LostTo::Receiver);
        Fate::Lost(LostTo::Receiver)
    }

    /// When a packet of `len` bytes that enters at `now` arrives on a connection that repairs every
    /// loss: only rate, delay and jitter apply, and order is kept. `None` while the direction is
    /// blocked: the sender has to wait.
    #[must_use = "the caller delivers the packet"]
    pub fn carry(&mut self, now: Duration, len: usize) -> Option<Duration> {
        if self.blocked {
            return None;
        }
        self.counters.count_sent(len);
        self.counters.arriving += 1;
        let departure = self
            .bottleneck
            .admit(now, len, self.conditions.rate, Queue::UNLIMITED);
        Some(self.arrival_in_order(departure.unwrap_or(now)))
    }

    fn travel(&mut self, now: Duration, packet: &mut [u8]) -> Result<Arrival, LostTo> {
        if self.blocked {
            return Err(LostTo::Block);
        }
        if packet.len() > self.conditions.mtu {
            return Err(LostTo::Mtu);
        }
        let Conditions { rate, queue, .. } = self.conditions;
        let departure = self
            .bottleneck
            .admit(now, packet.len(), rate, queue)
            .ok_or(LostTo::Queue)?;
        if self.loses() {
            return Err(LostTo::Loss);
        }
        let corrupted = self.corrupts(packet);
        let (at, reordered) = self.arrival(departure);
        let duplicated = chance(&mut self.rng, self.conditions.duplicate);
        Ok(Arrival {
            at,
            duplicated,
            reordered,
            corrupted,
        })
    }

    /// Asks every loss model, also after one said yes, so that each sees every packet.
    fn loses(&mut self) -> bool {
        let models = self.losses.iter_mut().zip(&self.conditions.loss);
        models.fold(false, |lost, (state, loss)| {
            state.loses(loss, &mut self.rng) | lost
        })
    }

    fn corrupts(&mut self, packet: &mut [u8]) -> bool {
        if !chance(&mut self.rng, self.conditions.corrupt) {
            return false;
        }
        let bit = below(&mut self.rng, packet.len() as u64 * 8);
        let Some(byte) = packet.get_mut((bit / 8) as usize) else {
            return false;
        };
        *byte ^= 1 << (bit % 8);
        true
    }

    fn arrival(&mut self, departure: Duration) -> (Duration, bool) {
        let Reorder { probability, delay } = self.conditions.reorder;
        let in_order = self.arrival_in_order(departure);
        if chance(&mut self.rng, probability) {
            return (in_order.saturating_add(delay), true);
        }
        (in_order, false)
    }

    fn arrival_in_order(&mut self, departure: Duration) -> Duration {
        let Conditions { delay, jitter, .. } = self.conditions;
        let jitter = u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX);
        let jitter = Duration::from_nanos(below(&mut self.rng, jitter.saturating_add(1)));
        let at = departure.saturating_add(delay).saturating_add(jitter);
        self.last_arrival = self.last_arrival.max(at);
        self.last_arrival
    }
}

/// True with the given probability. Draws nothing when the answer is certain: perfect conditions
/// cost nothing.
pub(super) fn chance(rng: &mut ChaCha8Rng, probability: f64) -> bool {
    const RANGE: f64 = 4_294_967_296.0;
    if probability <= 0.0 {
        false
    } else if probability >= 1.0 {
        true
    } else {
        f64::from(rng.next_u32()) < probability * RANGE
    }
}

/// An even draw from `0..bound`; 0 for bounds up to 1.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    if bound <= 1 {
        return 0;
    }
    // The high half of the product: even to within 2^-64 of the bound.
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// FNV-1a of an address: the same on every platform.
fn digest(address: SocketAddr) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let ip = match address {
        SocketAddr::V4(address) => address.ip().to_ipv6_mapped().octets(),
        SocketAddr::V6(address) => address.ip().octets(),
    };
    let bytes = ip.into_iter().chain(address.port().to_be_bytes());
    bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}
