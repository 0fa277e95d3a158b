//! Ways of losing packets.

use rand_chacha::ChaCha8Rng;

use super::lane::chance;

/// A way of losing packets. Several combine in [`Conditions::loss`](super::Conditions::loss).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// Each packet is lost with this probability, independently of the others.
    Random(f64),
    /// Packets are lost in bursts (the Gilbert-Elliott model): before each packet a burst begins or
    /// ends with the given probability, and within a burst packets are lost.
    Bursty {
        /// Probability that a burst begins before a packet.
        enter: f64,
        /// Probability that a burst ends before a packet; the mean burst spans `1 / exit` packets.
        exit: f64,
        /// Probability that a packet within a burst is lost.
        inside: f64,
    },
    /// Every n-th packet is lost, beginning with the n-th; 0 loses none.
    Periodic(u64),
}

impl Loss {
    /// Bursts of `mean_length` packets on average that lose the fraction `rate` of all packets.
    ///
    /// `rate` is cut to 0.99 and `mean_length` is at least 1.
    #[must_use]
    pub fn bursts(rate: f64, mean_length: f64) -> Self {
        let rate = rate.clamp(0.0, 0.99);
        let exit = 1.0 / mean_length.max(1.0);
        Self::Bursty {
            enter: (exit * rate / (1.0 - rate)).min(1.0),
            exit,
            inside: 1.0,
        }
    }
}

/// What one [`Loss`] remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossState {
    in_burst: bool,
    packets: u64,
}

impl LossState {
    /// Whether the next packet is lost.
    pub(super) fn loses(&mut self, loss: &Loss, rng: &mut ChaCha8Rng) -> bool {
        match *loss {
            Loss::Random(probability) => chance(rng, probability),
            Loss::Bursty {
                enter,
                exit,
                inside,
            } => {
                let turn = if self.in_burst { exit } else { enter };
                self.in_burst ^= chance(rng, turn);
                self.in_burst && chance(rng, inside)
            }
            Loss::Periodic(every) => {
                self.packets += 1;
                every != 0 && self.packets.is_multiple_of(every)
            }
        }
    }
}
