//! Connections of whom nobody knows yet, and when they have to go.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use tokio::time::Instant;

use crate::limits::{MAX_STRANGERS, MAX_STRANGERS_PER_HOST, STRANGER_TIMEOUT};

/// Where a stranger comes from: one IPv4 address, or one IPv6 /64, which any host may have whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host(IpAddr);

impl Host {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(ip) => {
                let network = ip.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(network).into())
            }
            v4 => Self(v4),
        }
    }
}

/// The accepted connections that no link uses, by their numbers, which are in the order of arrival.
#[derive(Debug)]
pub(crate) struct Strangers {
    known: BTreeMap<u64, Stranger>,
    first_packet: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Stranger {
    host: Host,
    since: Instant,
    /// It sent a packet.
    heard: bool,
}

impl Strangers {
    pub(crate) const fn new(first_packet: Duration) -> Self {
        Self {
            known: BTreeMap::new(),
            first_packet,
        }
    }

    /// Adds one; the one that has to make room for it.
    pub(crate) fn enter(&mut self, number: u64, host: Host, now: Instant) -> Option<u64> {
        let of_host = || self.known.iter().filter(|(_, other)| other.host == host);
        let victim = if of_host().count() >= MAX_STRANGERS_PER_HOST {
            of_host().next().map(|(&number, _)| number)
        } else if self.known.len() >= MAX_STRANGERS {
            self.oldest()
        } else {
            None
        };
        if let Some(victim) = victim {
            self.known.remove(&victim);
        }
        let stranger = Stranger {
            host,
            since: now,
            heard: false,
        };
        self.known.insert(number, stranger);
        victim
    }

    /// Notes that a packet came.
    pub(crate) fn heard(&mut self, number: u64) {
        if let Some(stranger) = self.known.get_mut(&number) {
            stranger.heard = true;
        }
    }

    /// Removes one that is a stranger no more, or gone; whether it was one.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        self.known.remove(&number).is_some()
    }

    pub(crate) fn oldest(&self) -> Option<u64> {
        self.known.keys().next().copied()
    }

    /// Takes the next one whose time is over.
    pub(crate) fn pop_overdue(&mut self, now: Instant) -> Option<u64> {
        let first_packet = self.first_packet;
        let mut known = self.known.iter();
        let (&number, _) = known.find(|(_, stranger)| stranger.deadline(first_packet) <= now)?;
        self.known.remove(&number);
        Some(number)
    }

    /// When the time of the next one is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let strangers = self.known.values();
        strangers
            .map(|stranger| stranger.deadline(self.first_packet))
            .min()
    }
}

impl Stranger {
    fn deadline(&self, first_packet: Duration) -> Instant {
        let patience = if self.heard {
            STRANGER_TIMEOUT
        } else {
            first_packet
        };
        self.since + patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FIRST_PACKET_TIMEOUT;

    fn host(n: usize) -> Host {
        Host::of(IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()))
    }

    fn strangers() -> (Strangers, Instant) {
        (Strangers::new(FIRST_PACKET_TIMEOUT), Instant::now())
    }

    #[test]
    fn the_oldest_stranger_makes_room_and_kept_ones_never_do() {
        let (mut strangers, now) = strangers();
        for number in 0..MAX_STRANGERS {
            assert_eq!(strangers.enter(number as u64, host(number), now), None);
        }
        assert!(strangers.remove(0), "kept");
        let next = MAX_STRANGERS as u64;
        assert_eq!(strangers.enter(next, host(7), now), None);
        assert_eq!(strangers.enter(next + 1, host(8), now), Some(1));
        assert_eq!(strangers.oldest(), Some(2));
        assert!(!strangers.remove(1));
    }

    #[test]
    fn a_host_pushes_out_its_own_strangers_only() {
        let (mut strangers, now) = strangers();
        assert_eq!(strangers.enter(0, host(1), now), None);
        for number in 1..=MAX_STRANGERS_PER_HOST {
            assert_eq!(strangers.enter(number as u64, host(2), now), None);
        }
        let next = MAX_STRANGERS_PER_HOST as u64 + 1;
        assert_eq!(strangers.enter(next, host(2), now), Some(1));
        assert_eq!(strangers.oldest(), Some(0));
    }

    #[test]
    fn a_host_is_an_ipv4_address_or_an_ipv6_network() {
        let of = |text: &str| Host::of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn a_stranger_has_ten_seconds_to_say_something() {
        let (mut strangers, now) = strangers();
        strangers.enter(1, host(1), now);
        let end = now + FIRST_PACKET_TIMEOUT;
        assert_eq!(strangers.deadline(), Some(end));
        assert_eq!(strangers.pop_overdue(end - Duration::from_nanos(1)), None);
        assert_eq!(strangers.pop_overdue(end), Some(1));
        assert_eq!(strangers.deadline(), None);
    }

    #[test]
    fn a_stranger_that_talks_has_thirty_seconds_to_become_a_link() {
        let (mut strangers, now) = strangers();
        strangers.enter(1, host(1), now);
        strangers.heard(1);
        let end = now + STRANGER_TIMEOUT;
        assert_eq!(strangers.pop_overdue(end - Duration::from_nanos(1)), None);
        assert_eq!(strangers.pop_overdue(end), Some(1));
    }
}
