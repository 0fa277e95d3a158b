//! Both directions of a path, on the clock of whoever drives them.

use std::time::Duration;

use mesh::transport::impair::{Conditions, Counters, Fate, Flights, Lane};

use super::path::{HEADERS, Path};

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a client to its server.
    Forth,
    /// From a server to its client.
    Back,
}

/// A datagram at the end of its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// When it was due.
    pub due: Duration,
    pub way: Way,
    /// Which of the flows that share the path.
    pub flow: usize,
    pub bytes: Vec<u8>,
}

/// The path of any number of flows, which share its queue.
#[derive(Debug)]
pub struct Wires {
    forth: Lane,
    back: Lane,
    flights: Flights<Duration, (Way, usize, Vec<u8>)>,
}

impl Wires {
    /// A path whose chances follow from `seed`.
    pub fn new(path: &Path, seed: u64) -> Self {
        let lane = |way: u8, conditions: Conditions| {
            let mut bytes = [way; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            Lane::new(bytes, conditions)
        };
        Self {
            forth: lane(1, path.forth()),
            back: lane(2, path.back()),
            flights: Flights::new(),
        }
    }

    /// A datagram enters; `now` must not go back. Before its bytes is room for [`HEADERS`].
    pub fn enter(&mut self, now: Duration, way: Way, flow: usize, packet: &mut [u8]) {
        let lane = match way {
            Way::Forth => &mut self.forth,
            Way::Back => &mut self.back,
        };
        if let Fate::Arrives(arrival) = lane.pass(now, packet) {
            let bytes = packet.get(HEADERS..).unwrap_or_default().to_vec();
            self.flights.add(arrival.at, (way, flow, bytes));
        }
    }

    /// The next one that has arrived by `now`.
    pub fn leave(&mut self, now: Duration) -> Option<Arrived> {
        let (due, (way, flow, bytes)) = self.flights.pop(now)?;
        Some(Arrived {
            due,
            way,
            flow,
            bytes,
        })
    }

    /// When the next one arrives.
    pub fn next(&self) -> Option<Duration> {
        self.flights.next()
    }

    /// What happened on one way so far.
    pub fn counters(&self, way: Way) -> Counters {
        match way {
            Way::Forth => self.forth.counters(),
            Way::Back => self.back.counters(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A datagram that takes 1000 bytes of the path, numbered.
    fn packet(number: u32) -> Vec<u8> {
        let mut packet = vec![0; 1000];
        packet[HEADERS..HEADERS + 4].copy_from_slice(&number.to_be_bytes());
        packet
    }

    fn number(arrived: &Arrived) -> u32 {
        let bytes = arrived.bytes[..4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    }

    fn all(wires: &mut Wires) -> Vec<Arrived> {
        std::iter::from_fn(|| wires.leave(Duration::MAX)).collect()
    }

    const fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn the_rate_and_the_delay_are_exact_and_the_order_is_kept() {
        // 8 Mbit/s: a packet a millisecond.
        let mut wires = Wires::new(&Path::new(8_000, 90, 0.0), 1);
        for n in 0..50 {
            wires.enter(us(0), Way::Forth, 0, &mut packet(n));
        }
        assert_eq!(wires.next(), Some(us(46_000)));
        assert_eq!(wires.leave(us(45_999)), None);
        let arrived = all(&mut wires);
        assert_eq!(arrived.len(), 50);
        for (n, arrived) in (0..).zip(&arrived) {
            assert_eq!(number(arrived), n);
            assert_eq!(arrived.due, us(45_000 + 1_000 * (u64::from(n) + 1)));
            assert_eq!(arrived.bytes.len(), 1000 - HEADERS);
        }
    }

    #[test]
    fn a_full_queue_drops_what_comes_last() {
        // The queue holds one round trip: 90 packets.
        let mut wires = Wires::new(&Path::new(8_000, 90, 0.0), 1);
        for n in 0..100 {
            wires.enter(us(0), Way::Forth, 0, &mut packet(n));
        }
        // One has left the queue by then.
        wires.enter(us(1_000), Way::Forth, 0, &mut packet(100));
        let numbers: Vec<u32> = all(&mut wires).iter().map(number).collect();
        let expected: Vec<u32> = (0..90).chain([100]).collect();
        assert_eq!(numbers, expected);
        assert_eq!(wires.counters(Way::Forth).queue_full, 10);
    }

    #[test]
    fn a_slow_path_has_room_for_32_packets() {
        let mut wires = Wires::new(&Path::new(500, 10, 0.0), 1);
        for n in 0..100 {
            let mut packet = packet(n);
            packet.resize(1500, 0);
            wires.enter(us(0), Way::Forth, 0, &mut packet);
        }
        assert_eq!(all(&mut wires).len(), 32);
    }

    #[test]
    fn answers_meet_the_delay_and_no_rate() {
        let mut wires = Wires::new(&Path::new(500, 450, 0.0), 1);
        for n in 0..1000 {
            wires.enter(us(7), Way::Back, 3, &mut packet(n));
        }
        let arrived = all(&mut wires);
        assert_eq!(arrived.len(), 1000);
        assert!(arrived.iter().all(|one| one.due == us(225_007)));
        assert!(
            arrived
                .iter()
                .all(|one| (one.way, one.flow) == (Way::Back, 3))
        );
    }

    #[test]
    fn the_share_that_is_lost_is_as_said_each_way_and_follows_from_the_seed() {
        let run = |seed| {
            let mut wires = Wires::new(&Path::new(100_000, 10, 12.0), seed);
            for n in 0..10_000 {
                let now = us(1_000 * u64::from(n));
                wires.enter(now, Way::Forth, 0, &mut packet(n));
                wires.enter(now, Way::Back, 0, &mut packet(n));
            }
            let lost = [Way::Forth, Way::Back].map(|way| wires.counters(way).lost);
            (lost, all(&mut wires))
        };
        let (lost, arrived) = run(1);
        for lost in lost {
            assert!((1_100..1_300).contains(&lost), "{lost}");
        }
        assert_ne!(lost[0], lost[1], "each way has chances of its own");
        assert_eq!(arrived.len() as u64, 20_000 - lost[0] - lost[1]);
        assert_eq!(run(1).1, arrived);
        assert_ne!(run(2).1, arrived);
    }

    #[test]
    fn packets_that_exceed_the_mtu_vanish() {
        let mut wires = Wires::new(&Path::new(8_000, 90, 0.0), 1);
        for way in [Way::Forth, Way::Back] {
            wires.enter(us(0), way, 0, &mut [0; HEADERS + 1472]);
            wires.enter(us(0), way, 0, &mut [0; HEADERS + 1473]);
            assert_eq!(wires.counters(way).too_large, 1);
        }
        assert!(all(&mut wires).iter().all(|one| one.bytes.len() == 1472));
    }

    #[test]
    fn flows_share_one_queue() {
        let mut wires = Wires::new(&Path::new(8_000, 90, 0.0), 1);
        for n in 0..200 {
            wires.enter(us(0), Way::Forth, (n % 2) as usize, &mut packet(n));
        }
        let arrived = all(&mut wires);
        assert_eq!(arrived.len(), 90, "both together");
        let first = arrived.iter().filter(|one| one.flow == 0).count();
        assert_eq!(first, 45);
        assert_eq!(arrived.last().map(|one| one.due), Some(us(135_000)));
    }
}
