//! Who may be connected: bounds on all, on strangers, and on strangers from one place.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr},
};

use crate::limits::{MAX_CONNECTIONS, MAX_STRANGERS, MAX_STRANGERS_PER_HOST};

/// All connections of a transport by their numbers, which grow, and how well each is known.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    members: HashMap<u64, Standing>,
    /// Strangers that have not shown a whole packet; the oldest first.
    silent: BTreeSet<u64>,
    strangers: usize,
    hosts: HashMap<Host, usize>,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    /// Dialled by us or used by a link.
    Known,
    Stranger(Host),
}

/// Where strangers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Host {
    /// This machine, or a proxy on it.
    Here,
    V4(Ipv4Addr),
    V6Net([u16; 4]),
}

/// Whether a newcomer comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// In the place of this connection, which is to be closed.
    InPlaceOf(u64),
    Refused,
}

impl Crowd {
    /// A stranger at `ip` connected.
    pub(crate) fn admit(&mut self, number: u64, ip: IpAddr) -> Admission {
        let host = Host::of(ip);
        let of_host = self.hosts.get(&host).copied().unwrap_or_default();
        let admission = if host != Host::Here && of_host >= MAX_STRANGERS_PER_HOST {
            self.replace(|other| other == host)
        } else if self.strangers >= MAX_STRANGERS || self.members.len() >= MAX_CONNECTIONS {
            self.replace(|_| true)
        } else {
            Admission::Admitted
        };
        if admission != Admission::Refused {
            self.members.insert(number, Standing::Stranger(host));
            self.silent.insert(number);
            self.strangers += 1;
            *self.hosts.entry(host).or_default() += 1;
        }
        admission
    }

    /// We connected to someone; false if there is no room.
    pub(crate) fn join(&mut self, number: u64) -> bool {
        let room = self.members.len() < MAX_CONNECTIONS;
        if room {
            self.members.insert(number, Standing::Known);
        }
        room
    }

    /// A connection showed a whole packet.
    pub(crate) fn spoke(&mut self, number: u64) {
        self.silent.remove(&number);
    }

    /// A link uses a connection.
    pub(crate) fn keep(&mut self, number: u64) {
        if let Some(standing) = self.members.get_mut(&number) {
            let before = std::mem::replace(standing, Standing::Known);
            self.no_stranger(number, before);
        }
    }

    pub(crate) fn leave(&mut self, number: u64) {
        if let Some(standing) = self.members.remove(&number) {
            self.no_stranger(number, standing);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) const fn strangers(&self) -> usize {
        self.strangers
    }

    /// Throws out the oldest silent stranger of a fitting host.
    fn replace(&mut self, fits: impl Fn(Host) -> bool) -> Admission {
        let oldest = self.silent.iter().find(|number| {
            matches!(self.members.get(number), Some(Standing::Stranger(host)) if fits(*host))
        });
        let Some(&oldest) = oldest else {
            return Admission::Refused;
        };
        self.leave(oldest);
        Admission::InPlaceOf(oldest)
    }

    fn no_stranger(&mut self, number: u64, before: Standing) {
        let Standing::Stranger(host) = before else {
            return;
        };
        self.silent.remove(&number);
        self.strangers -= 1;
        if let Some(count) = self.hosts.get_mut(&host) {
            *count -= 1;
            if *count == 0 {
                self.hosts.remove(&host);
            }
        }
    }
}

impl Host {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Self::Here,
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6Net([a, b, c, d])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The n-th host of a large network.
    fn host(n: usize) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + n as u32).into()
    }

    /// So many strangers, each from elsewhere, numbered from 1.
    fn strangers(count: usize) -> Crowd {
        let mut crowd = Crowd::default();
        for n in 1..=count {
            assert_eq!(crowd.admit(n as u64, host(n)), Admission::Admitted);
        }
        crowd
    }

    #[test]
    fn one_stranger_too_many_takes_the_place_of_the_oldest_silent_one() {
        let mut crowd = strangers(MAX_STRANGERS);
        crowd.spoke(1);
        assert_eq!(crowd.admit(9000, host(0)), Admission::InPlaceOf(2));
        assert_eq!(crowd.strangers(), MAX_STRANGERS);
        for n in 1..=MAX_STRANGERS as u64 {
            crowd.spoke(n);
        }
        crowd.spoke(9000);
        assert_eq!(crowd.admit(9001, host(0)), Admission::Refused);
        crowd.leave(7);
        assert_eq!(crowd.admit(9002, host(0)), Admission::Admitted);
    }

    #[test]
    fn a_host_has_a_bounded_number_of_strangers_and_pushes_out_its_own() {
        for (ips, other) in [
            (["192.0.2.1", "::ffff:192.0.2.1"], "192.0.2.2"),
            (["2001:db8::1", "2001:db8::2"], "2001:db8:0:1::1"),
        ] {
            let [one, same] = ips.map(|ip| ip.parse::<IpAddr>().unwrap());
            let mut crowd = Crowd::default();
            assert_eq!(crowd.admit(1, other.parse().unwrap()), Admission::Admitted);
            for n in 2..2 + MAX_STRANGERS_PER_HOST as u64 {
                assert_eq!(crowd.admit(n, one), Admission::Admitted);
            }
            assert_eq!(crowd.admit(900, same), Admission::InPlaceOf(2));
            assert_eq!(
                crowd.admit(901, other.parse().unwrap()),
                Admission::Admitted
            );
            crowd.keep(3);
            assert_eq!(crowd.admit(902, one), Admission::Admitted);
        }
    }

    #[test]
    fn this_machine_is_no_single_host() {
        let mut crowd = Crowd::default();
        for n in 1..=2 * MAX_STRANGERS_PER_HOST as u64 {
            assert_eq!(crowd.admit(n, [127, 0, 0, 1].into()), Admission::Admitted);
        }
    }

    #[test]
    fn no_stranger_pushes_out_a_connection_in_use() {
        let mut crowd = Crowd::default();
        for n in 1..=MAX_CONNECTIONS as u64 {
            if n % 2 == 0 {
                assert!(crowd.join(n));
            } else {
                assert_eq!(crowd.admit(n, host(1)), Admission::Admitted);
                crowd.keep(n);
            }
        }
        assert_eq!((crowd.len(), crowd.strangers()), (MAX_CONNECTIONS, 0));
        assert_eq!(crowd.admit(9000, host(2)), Admission::Refused);
        assert!(!crowd.join(9001));
        crowd.leave(5);
        assert_eq!(crowd.admit(9002, host(2)), Admission::Admitted);
        assert_eq!(crowd.admit(9003, host(3)), Admission::InPlaceOf(9002));
        crowd.leave(9003);
        assert!(crowd.join(9004));
    }

    #[test]
    fn nothing_is_left_of_those_who_left() {
        let mut crowd = strangers(50);
        for n in 1..=50 {
            crowd.leave(n);
            crowd.leave(n);
        }
        assert_eq!((crowd.len(), crowd.strangers()), (0, 0));
        assert!(crowd.hosts.is_empty() && crowd.silent.is_empty());
    }
}
