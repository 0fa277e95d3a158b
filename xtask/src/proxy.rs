//! A UDP proxy on the loopback interface that loses and reorders datagrams, from a seed.
//!
//! Clients reach it by IPv6 and it reaches the server by IPv4. Two endpoints with one socket each, of these families,
//! have no other way to each other: they cannot find the direct one and leave the proxy.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Datagrams held back at once in one direction; one more is lost, as in a full queue.
const HELD: usize = 4096;

/// How long a thread waits before it looks whether it should end.
const TICK: Duration = Duration::from_millis(20);

/// Chances in percent, and the delay of what is reordered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Impairment {
    /// Datagrams that vanish.
    pub(crate) loss: u64,
    /// Datagrams that are held back for up to `delay`, so that later ones overtake them.
    pub(crate) reordered: u64,
    /// The longest that one is held back.
    pub(crate) delay: Duration,
}

/// What went through, both directions together.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) forwarded: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) lost: AtomicU64,
}

/// A running proxy between one client and one server; dropping it ends it.
pub(crate) struct Proxy {
    address: SocketAddr,
    traffic: Arc<Traffic>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy to `server`, an IPv4 address.
    pub(crate) fn start(server: SocketAddr, impairment: Impairment, seed: u64) -> Result<Self> {
        let front =
            UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).context("could not bind the proxy")?;
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("could not bind the proxy")?;
        back.connect(server)
            .context("could not connect the proxy")?;
        let address = front.local_addr()?;
        let traffic = Arc::new(Traffic::default());
        let stop = Arc::new(AtomicBool::new(false));
        let client = Arc::new(Mutex::new(None));
        let direction = |seed| Direction {
            impairment,
            random: Random(seed),
            held: BinaryHeap::new(),
            traffic: Arc::clone(&traffic),
            stop: Arc::clone(&stop),
        };
        let (to_server, to_client) = (direction(seed), direction(!seed));
        let (source, sink, known) = (front.try_clone()?, back.try_clone()?, Arc::clone(&client));
        let inward = thread::spawn(move || {
            to_server.relay(&source, |from, datagram| {
                *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
                let _lost = sink.send(datagram);
            });
        });
        let outward = thread::spawn(move || {
            to_client.relay(&back, |_, datagram| {
                if let Some(to) = *client.lock().unwrap_or_else(PoisonError::into_inner) {
                    let _lost = front.send_to(datagram, to);
                }
            });
        });
        Ok(Self {
            address,
            traffic,
            stop,
            threads: vec![inward, outward],
        })
    }

    /// Where clients send, an IPv6 address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went through so far.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

/// A datagram that waits for its time: (due, number in order of arrival, source, bytes).
type Held = Reverse<(Instant, u64, SocketAddr, Vec<u8>)>;

struct Direction {
    impairment: Impairment,
    random: Random,
    held: BinaryHeap<Held>,
    traffic: Arc<Traffic>,
    stop: Arc<AtomicBool>,
}

impl Direction {
    fn relay(mut self, source: &UdpSocket, mut forward: impl FnMut(SocketAddr, &[u8])) {
        let mut buffer = vec![0; 65_535];
        let mut arrived = 0;
        while !self.stop.load(Ordering::Relaxed) {
            self.release(&mut forward);
            let wait = self.held.peek().map_or(TICK, |Reverse((due, ..))| {
                due.saturating_duration_since(Instant::now())
                    .clamp(Duration::from_micros(100), TICK)
            });
            if source.set_read_timeout(Some(wait)).is_err() {
                return;
            }
            match source.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    arrived += 1;
                    self.decide(arrived, from, &buffer[..length], &mut forward);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                    ) => {}
                Err(_) => return,
            }
        }
    }

    fn decide(
        &mut self,
        number: u64,
        from: SocketAddr,
        datagram: &[u8],
        forward: &mut impl FnMut(SocketAddr, &[u8]),
    ) {
        let chance = self.random.below(100);
        if chance < self.impairment.loss {
            self.traffic.lost.fetch_add(1, Ordering::Relaxed);
        } else if chance < self.impairment.loss + self.impairment.reordered {
            if self.held.len() >= HELD {
                self.traffic.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let micros = self.impairment.delay.as_micros() as u64;
            let due = Instant::now() + Duration::from_micros(self.random.below(micros.max(1)));
            self.held
                .push(Reverse((due, number, from, datagram.to_vec())));
        } else {
            self.pass(from, datagram, forward);
        }
    }

    fn release(&mut self, forward: &mut impl FnMut(SocketAddr, &[u8])) {
        let now = Instant::now();
        while self
            .held
            .peek()
            .is_some_and(|Reverse((due, ..))| *due <= now)
        {
            if let Some(Reverse((_, _, from, datagram))) = self.held.pop() {
                self.pass(from, &datagram, forward);
            }
        }
    }

    fn pass(&self, from: SocketAddr, datagram: &[u8], forward: &mut impl FnMut(SocketAddr, &[u8])) {
        self.traffic.forwarded.fetch_add(1, Ordering::Relaxed);
        self.traffic
            .bytes
            .fetch_add(datagram.len() as u64, Ordering::Relaxed);
        forward(from, datagram);
    }
}

/// SplitMix64: enough to decide what gets lost.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `count` numbered datagrams through a proxy and returns the numbers that arrive.
    fn through(impairment: Impairment, count: u32) -> Vec<u32> {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        server
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a valid timeout");
        let proxy =
            Proxy::start(server.local_addr().expect("bound"), impairment, 7).expect("a free port");
        let client = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a free port");
        for number in 0..count {
            client
                .send_to(&number.to_be_bytes(), proxy.address())
                .expect("loopback accepts it");
        }
        let mut numbers = Vec::new();
        let mut buffer = [0; 16];
        while let Ok(4) = server.recv(&mut buffer) {
            let [a, b, c, d, ..] = buffer;
            numbers.push(u32::from_be_bytes([a, b, c, d]));
            let forwarded = proxy.traffic().forwarded.load(Ordering::Relaxed);
            let lost = proxy.traffic().lost.load(Ordering::Relaxed);
            if forwarded + lost == u64::from(count) && numbers.len() as u64 == forwarded {
                break;
            }
        }
        numbers
    }

    #[test]
    fn without_impairment_everything_arrives_in_order() {
        let none = Impairment {
            loss: 0,
            reordered: 0,
            delay: Duration::ZERO,
        };
        assert_eq!(through(none, 50), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn with_impairment_some_are_lost_and_some_overtaken() {
        let some = Impairment {
            loss: 20,
            reordered: 30,
            delay: Duration::from_millis(5),
        };
        let numbers = through(some, 100);
        assert!(
            (50..100).contains(&numbers.len()),
            "{} arrived",
            numbers.len()
        );
        assert!(!numbers.is_sorted(), "{numbers:?}");
    }
}
