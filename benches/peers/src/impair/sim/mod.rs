//! The same paths in virtual time: what the two libraries do without sockets, tasks and a processor
//! that is busy with something else.
//!
//! Of both libraries the cores are driven that do no I/O: of quinn all that is a connection, of ours
//! the data plane of a link that is up.

mod our_pair;
mod quinn_pair;

use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::{our_pair::OurPair, quinn_pair::QuinnPair};
use super::{
    contender::Contender,
    flows::Times,
    path::{HEADERS, Path},
    wires::{Way, Wires},
};

/// Bytes of a ping, as long as those through a proxy.
const PING_SIZE: usize = 64;

/// Between an answer and the next ping.
const PING_PAUSE: Duration = Duration::from_millis(10);

/// The largest datagram of ours, what quinn looks for as well.
const DATAGRAM: usize = 1452;

/// What pairs do at one moment at most; more is a loop that never ends.
const MAX_TURNS: usize = 100_000;

/// Datagrams that leave, and their way.
type Departing = Vec<(Way, Vec<u8>)>;

/// Both ends of one connection, the first of which sends all it can.
trait Pair: Send {
    /// A datagram arrives at the end of its way.
    fn handle(&mut self, now: Duration, way: Way, datagram: &[u8]) -> Result<()>;
    /// Does all that can be done now.
    fn work(&mut self, now: Duration, out: &mut Departing) -> Result<()>;
    /// When there is more to do.
    fn next(&mut self) -> Option<Duration>;
    /// Bytes that the application of the second has got.
    fn arrived(&self) -> u64;
    /// Pings beside that from now on.
    fn ping(&mut self);
    /// How long pings took.
    fn pings(&mut self) -> Vec<Duration>;
}

/// Pings, one after the other, for the pairs.
#[derive(Debug, Default)]
struct Pings {
    on: bool,
    sent_at: Option<Duration>,
    due: Duration,
    /// Bytes of the present ping that are to be sent, and that are to come back.
    unsent: usize,
    missing: usize,
    times: Vec<Duration>,
}

impl Pings {
    /// Begins the next one if it is time.
    fn begin(&mut self, now: Duration) {
        if self.on && self.sent_at.is_none() && self.due <= now {
            (self.sent_at, self.unsent, self.missing) = (Some(now), PING_SIZE, PING_SIZE);
        }
    }

    /// So many bytes of it came back.
    fn came(&mut self, now: Duration, bytes: usize) {
        self.missing = self.missing.saturating_sub(bytes);
        if self.missing == 0
            && let Some(sent_at) = self.sent_at.take()
        {
            self.times.push(now.saturating_sub(sent_at));
            self.due = now + PING_PAUSE;
        }
    }

    fn next(&self) -> Option<Duration> {
        (self.on && self.sent_at.is_none()).then_some(self.due)
    }
}

/// Megabits a second of content that each carries while all send as much as they can.
pub fn goodput(path: &Path, contenders: &[Contender], seed: u64, times: Times) -> Result<Vec<f64>> {
    let mut sim = Sim::new(path, contenders, seed)?;
    sim.run(times.warmup)?;
    let before: Vec<u64> = sim.pairs.iter().map(|pair| pair.arrived()).collect();
    sim.run(times.window)?;
    let after = sim.pairs.iter().map(|pair| pair.arrived()).zip(before);
    let seconds = times.window.as_secs_f64();
    Ok(after
        .map(|(after, before)| (after - before) as f64 * 8e-6 / seconds)
        .collect())
}

/// How long pings take beside as much as one can send.
pub fn loaded_pings(
    path: &Path,
    contender: Contender,
    seed: u64,
    times: Times,
) -> Result<Vec<Duration>> {
    let mut sim = Sim::new(path, &[contender], seed)?;
    sim.run(times.warmup)?;
    sim.pairs.iter_mut().for_each(|pair| pair.ping());
    sim.run(times.window)?;
    let pair = sim.pairs.first_mut().context("one pair")?;
    Ok(pair.pings())
}

struct Sim {
    now: Duration,
    wires: Wires,
    pairs: Vec<Box<dyn Pair>>,
}

impl Sim {
    fn new(path: &Path, contenders: &[Contender], seed: u64) -> Result<Self> {
        let pairs = contenders.iter().map(|&contender| {
            Ok(match contender {
                Contender::Ours(kind) => Box::new(OurPair::new(kind, path)?) as Box<dyn Pair>,
                Contender::Quinn(kind) => Box::new(QuinnPair::new(kind)?),
            })
        });
        Ok(Self {
            now: Duration::ZERO,
            wires: Wires::new(path, seed),
            pairs: pairs.collect::<Result<_>>()?,
        })
    }

    fn run(&mut self, time: Duration) -> Result<()> {
        let until = self.now + time;
        for n in 0..self.pairs.len() {
            self.work(n)?;
        }
        let mut turns = 0;
        while self.now < until {
            let pairs = self.pairs.iter_mut().filter_map(|pair| pair.next());
            let next = pairs.chain(self.wires.next()).min().unwrap_or(until);
            let next = next.clamp(self.now, until);
            turns = if next == self.now { turns + 1 } else { 0 };
            if turns > MAX_TURNS {
                bail!("a connection has something to do over and over again");
            }
            self.now = next;
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<()> {
        while let Some(arrived) = self.wires.leave(self.now) {
            let pair = self.pairs.get_mut(arrived.flow).context("a flow")?;
            pair.handle(self.now, arrived.way, &arrived.bytes)?;
            self.work(arrived.flow)?;
        }
        for n in 0..self.pairs.len() {
            if self.pairs[n].next().is_some_and(|at| at <= self.now) {
                self.work(n)?;
            }
        }
        Ok(())
    }

    fn work(&mut self, n: usize) -> Result<()> {
        let mut out = Departing::new();
        self.pairs[n].work(self.now, &mut out)?;
        for (way, datagram) in out {
            let mut packet = vec![0; HEADERS];
            packet.extend_from_slice(&datagram);
            self.wires.enter(self.now, way, n, &mut packet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        warmup: Duration::from_secs(2),
        window: Duration::from_secs(3),
    };

    #[test]
    fn everybody_fills_a_path_that_loses_nothing_and_nobody_exceeds_it() {
        let path = Path::new(4_000, 30, 0.0);
        for contender in Contender::ALL {
            let rates = goodput(&path, &[contender], 1, TIMES).expect("it runs");
            assert!((3.0..4.0).contains(&rates[0]), "{contender}: {rates:?}");
        }
    }

    #[test]
    fn loaded_pings_take_a_round_trip_at_least_and_the_queue_at_most() {
        let path = Path::new(4_000, 30, 0.0);
        for contender in Contender::ALL {
            let pings = loaded_pings(&path, contender, 1, TIMES).expect("it runs");
            let least = *pings.iter().min().expect("there are pings");
            assert!(least >= path.rtt(), "{contender}: {least:?}");
            assert!(pings.len() > 10, "{contender}: {}", pings.len());
        }
    }

    #[test]
    fn two_share_what_one_gets() {
        let path = Path::new(4_000, 30, 0.0);
        let pair = [Contender::ALL[0], Contender::ALL[1]];
        let rates = goodput(&path, &pair, 1, TIMES).expect("it runs");
        assert!((3.0..4.0).contains(&(rates[0] + rates[1])), "{rates:?}");
        assert!(rates.iter().all(|rate| *rate > 0.2), "{rates:?}");
    }
}
