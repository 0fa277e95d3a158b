//! Who was heard on the local network.

use alloc::vec::Vec;
use core::{net::IpAddr, time::Duration};

use hashbrown::HashMap;
use telehash_e3x::Instant;
use telehash_hashname::{Hashname, KeySet, LinkJson, Path};

use super::Announcement;
use crate::bucket::{Bucket, Rate};

/// Endpoints that are remembered of those that announced themselves. At the limit the one that was
/// heard longest ago is forgotten.
pub const MAX_NEIGHBOURS: usize = 256;

/// Paths of one endpoint that are remembered. At the limit the one that was heard longest ago is
/// forgotten.
pub const MAX_NEIGHBOUR_PATHS: usize = 4;

/// Announcements a second that one address may send; eight seconds' worth at once. Limit: further
/// ones are dropped unread.
pub const ANNOUNCEMENTS_PER_SOURCE: u32 = 8;

/// Announcements a second that all addresses together may send; eight seconds' worth at once.
/// Limit: further ones are dropped unread.
pub const ANNOUNCEMENTS: u32 = 64;

/// Addresses whose rate is known. At the limit the one that sent least of late makes room.
pub const MAX_ANNOUNCEMENT_SOURCES: usize = 256;

/// How long an endpoint, or one path of it, counts as present after it was heard: six announcements.
pub const NEIGHBOUR_TTL: Duration = Duration::from_secs(60);

/// How long the application is told nothing about an endpoint that goes on announcing the same.
pub const REMINDER_INTERVAL: Duration = Duration::from_secs(300);

/// Seconds' worth of announcements that may come at once.
const BURST: u32 = 8;

const OF_ONE: Rate = Rate {
    per_second: ANNOUNCEMENTS_PER_SOURCE,
    burst: BURST,
};
const OF_ALL: Rate = Rate {
    per_second: ANNOUNCEMENTS,
    burst: BURST,
};

/// The endpoints that announced themselves of late, and how much of that is listened to.
///
/// **Ask [`admit`](Self::admit) about each datagram, then [`hear`](Self::hear) it.** Nothing here
/// ever causes a packet.
#[derive(Debug)]
pub struct Neighbours {
    own: Hashname,
    heard: HashMap<Hashname, Neighbour>,
    sources: HashMap<IpAddr, Bucket>,
    all: Bucket,
}

#[derive(Debug)]
struct Neighbour {
    keys: KeySet,
    /// Where it was heard, and when; never empty.
    paths: Vec<(Path, Instant)>,
    /// When the application was last told.
    told: Instant,
}

impl Neighbours {
    /// Nobody yet. What `own` announces is ignored.
    #[must_use]
    pub fn new(own: Hashname, now: Instant) -> Self {
        Self {
            own,
            heard: HashMap::new(),
            sources: HashMap::new(),
            all: Bucket::full(OF_ALL, now),
        }
    }

    /// Whether a datagram from this address may be read.
    pub fn admit(&mut self, now: Instant, from: IpAddr) -> bool {
        if !self.sources.contains_key(&from) && self.sources.len() >= MAX_ANNOUNCEMENT_SOURCES {
            self.forget_a_source(now);
        }
        let fresh = || Bucket::full(OF_ONE, now);
        let source = self.sources.entry(from).or_insert_with(fresh);
        // A flood from one address does not use up what is for all.
        let admitted = source.refill(now, OF_ONE).tokens() > 0 && {
            source.take(1);
            self.all.refill(now, OF_ALL).tokens() > 0
        };
        if admitted {
            self.all.take(1);
        }
        admitted
    }

    /// Takes in a packet that came along `path`. What the application should be told: who it is,
    /// its keys, and where it was heard, latest first; `None` if this is no announcement, our own,
    /// or nothing new.
    pub fn hear(&mut self, now: Instant, path: Path, packet: &[u8]) -> Option<LinkJson> {
        let announcement = Announcement::parse(packet).ok()?;
        let hashname = announcement.hashname();
        if hashname == self.own {
            return None;
        }
        let Some(known) = self.heard.get_mut(&hashname) else {
            if self.heard.len() >= MAX_NEIGHBOURS {
                self.forget_the_oldest();
            }
            let neighbour = Neighbour {
                keys: announcement.into_keys(),
                paths: alloc::vec![(path, now)],
                told: now,
            };
            let told = neighbour.describe();
            self.heard.insert(hashname, neighbour);
            return told;
        };
        let moved = known.heard_at(now, path);
        let due = now.saturating_duration_since(known.told) >= REMINDER_INTERVAL;
        if !moved && !due {
            return None;
        }
        known.told = now;
        known.describe()
    }

    /// Everyone who was heard within [`NEIGHBOUR_TTL`], in no particular order.
    #[must_use]
    pub fn present(&self, now: Instant) -> Vec<LinkJson> {
        let present = |neighbour: &&Neighbour| is_present(now, neighbour.last_heard());
        let neighbours = self.heard.values().filter(present);
        neighbours.filter_map(Neighbour::describe).collect()
    }

    fn forget_the_oldest(&mut self) {
        let oldest = self.heard.iter().min_by_key(|(_, who)| who.last_heard());
        if let Some(hashname) = oldest.map(|(hashname, _)| *hashname) {
            self.heard.remove(&hashname);
        }
    }

    fn forget_a_source(&mut self, now: Instant) {
        let fullest = self
            .sources
            .iter_mut()
            .map(|(ip, bucket)| (bucket.refill(now, OF_ONE).millitokens, *ip))
            .max();
        if let Some((_, ip)) = fullest {
            self.sources.remove(&ip);
        }
    }
}

impl Neighbour {
    /// Notes a path. Whether it is one that the application does not know.
    fn heard_at(&mut self, now: Instant, path: Path) -> bool {
        self.paths.retain(|(_, when)| is_present(now, *when));
        let before = self.paths.len();
        self.paths.retain(|(known, _)| *known != path);
        let new = self.paths.len() == before;
        self.paths.insert(0, (path, now));
        self.paths.truncate(MAX_NEIGHBOUR_PATHS);
        new
    }

    fn last_heard(&self) -> Option<Instant> {
        self.paths.first().map(|(_, when)| *when)
    }

    fn describe(&self) -> Option<LinkJson> {
        let mut link = LinkJson::new(self.keys.clone()).ok()?;
        link.paths = self.paths.iter().map(|(path, _)| path.clone()).collect();
        Some(link)
    }
}

fn is_present(now: Instant, heard: impl Into<Option<Instant>>) -> bool {
    let heard = heard.into();
    heard.is_some_and(|heard| now.saturating_duration_since(heard) < NEIGHBOUR_TTL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::tests::announcement;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        Instant::from_micros(1)
    }

    fn neighbours() -> Neighbours {
        Neighbours::new(announcement(0).hashname(), start())
    }

    fn path(port: u16) -> Path {
        Path::udp(([192, 0, 2, 1], port).into())
    }

    fn packet(who: usize) -> Vec<u8> {
        let [packet, _] = announcement(who).packets().unwrap();
        packet
    }

    fn ip(number: usize) -> IpAddr {
        let [high, low] = (number as u16).to_be_bytes();
        [10, 0, high, low].into()
    }

    #[test]
    fn an_endpoint_is_new_once_whatever_the_form() {
        let mut neighbours = neighbours();
        let [c, js] = announcement(7).packets().unwrap();
        let told = neighbours.hear(start(), path(1), &c).unwrap();
        assert_eq!(told.hashname, announcement(7).hashname());
        assert_eq!(told.keys, *announcement(7).keys());
        assert_eq!(told.paths, [path(1)]);
        assert_eq!(neighbours.hear(start(), path(1), &js), None);
        assert_eq!(neighbours.present(start()), [told]);
    }

    #[test]
    fn our_own_announcements_and_noise_are_ignored() {
        let mut neighbours = neighbours();
        assert_eq!(neighbours.hear(start(), path(1), &packet(0)), None);
        assert_eq!(
            neighbours.hear(start(), path(1), b"\x00\x07{\"a\":1}"),
            None
        );
        assert!(neighbours.present(start()).is_empty());
    }

    #[test]
    fn a_new_path_is_news_and_comes_first() {
        let mut neighbours = neighbours();
        neighbours.hear(start(), path(1), &packet(7)).unwrap();
        let told = neighbours.hear(start(), path(2), &packet(7)).unwrap();
        assert_eq!(told.paths, [path(2), path(1)]);
        assert_eq!(neighbours.hear(start(), path(1), &packet(7)), None);
    }

    #[test]
    fn paths_beyond_the_limit_push_out_the_one_heard_longest_ago() {
        let mut neighbours = neighbours();
        let told = (0..=MAX_NEIGHBOUR_PATHS)
            .map(|port| neighbours.hear(start(), path(port as u16 + 1), &packet(7)))
            .last();
        let paths = told.flatten().unwrap().paths;
        assert_eq!(paths.len(), MAX_NEIGHBOUR_PATHS);
        assert!(!paths.contains(&path(1)));
    }

    #[test]
    fn one_that_goes_on_is_mentioned_again_after_a_while() {
        let mut neighbours = neighbours();
        let mut now = start();
        let mut told = Vec::new();
        while now < start() + 2 * REMINDER_INTERVAL + MS {
            if neighbours.hear(now, path(1), &packet(7)).is_some() {
                told.push(now);
            }
            now += Duration::from_secs(10);
        }
        let expected = [0, 1, 2].map(|times| start() + times * REMINDER_INTERVAL);
        assert_eq!(told, expected);
    }

    #[test]
    fn one_that_was_away_is_news_when_it_comes_back() {
        let mut neighbours = neighbours();
        neighbours.hear(start(), path(1), &packet(7)).unwrap();
        let later = start() + NEIGHBOUR_TTL;
        assert_eq!(neighbours.present(later), []);
        let told = neighbours.hear(later, path(2), &packet(7)).unwrap();
        assert_eq!(told.paths, [path(2)]);
        assert!(
            neighbours
                .hear(later + NEIGHBOUR_TTL, path(2), &packet(7))
                .is_some()
        );
    }

    #[test]
    fn at_the_limit_the_endpoint_heard_longest_ago_is_forgotten() {
        let mut neighbours = neighbours();
        let mut now = start();
        for who in 1..=MAX_NEIGHBOURS + 1 {
            now += MS;
            assert!(
                neighbours.hear(now, path(1), &packet(who)).is_some(),
                "{who}"
            );
        }
        assert_eq!(neighbours.present(now).len(), MAX_NEIGHBOURS);
        assert_eq!(neighbours.hear(now, path(1), &packet(2)), None);
        assert!(neighbours.hear(now, path(1), &packet(1)).is_some());
    }

    #[test]
    fn an_address_is_heard_at_its_rate_and_its_flood_hurts_nobody_else() {
        let mut neighbours = neighbours();
        let mut admitted = |now, from| (0..10_000).filter(|_| neighbours.admit(now, from)).count();
        assert_eq!(
            admitted(start(), ip(1)),
            (ANNOUNCEMENTS_PER_SOURCE * BURST) as usize
        );
        let later = start() + Duration::from_secs(1);
        assert_eq!(admitted(later, ip(1)), ANNOUNCEMENTS_PER_SOURCE as usize);
        assert!(admitted(later, ip(2)) > 1);
    }

    #[test]
    fn all_addresses_together_are_heard_at_their_rate() {
        let mut neighbours = neighbours();
        let mut admitted = |now| {
            (0..10_000)
                .filter(|n| neighbours.admit(now, ip(*n)))
                .count()
        };
        assert_eq!(admitted(start()), (ANNOUNCEMENTS * BURST) as usize);
        let later = start() + Duration::from_secs(1);
        assert_eq!(admitted(later), ANNOUNCEMENTS as usize);
    }

    #[test]
    fn a_full_table_of_addresses_does_not_forget_who_sent_too_much() {
        let mut neighbours = neighbours();
        while neighbours.admit(start(), ip(0)) {}
        for number in 1..=2 * MAX_ANNOUNCEMENT_SOURCES {
            neighbours.admit(start(), ip(number));
        }
        assert_eq!(neighbours.sources.len(), MAX_ANNOUNCEMENT_SOURCES);
        assert!(neighbours.sources.contains_key(&ip(0)));
    }
}
