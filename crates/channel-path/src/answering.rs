//! What the peer asks us: we answer on every pipe, and on the paths it offers.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_hashname::Path;
use telehash_link::{ChannelId, Instant, Link, Packet, PathSource, PipeId, PipeInfo, PipeSlot};

use crate::{
    PathAgent, PathEvent, Whereabouts,
    policy::may_probe,
    wire::{MAX_OFFERED_PATHS, PathAnswer, PathOpen},
};

/// Limit: opens of the peer that are answered at once; they come back at [`ANSWERS_PER_SECOND`].
/// Beyond them an open is refused with `busy`.
pub const ANSWER_BURST: u32 = 128;

/// Opens of the peer that are answered per second, in the long run.
pub const ANSWERS_PER_SECOND: u32 = 100;

/// Limit: probes that go to one offered path within [`OFFER_MEMORY`], however often it is offered;
/// then it is ignored.
pub const MAX_PROBES_PER_PATH: u8 = 5;

/// How long an offered path counts toward the limits, from its first offer.
pub const OFFER_MEMORY: Duration = Duration::from_secs(60);

/// Least time between two rounds of probing offered paths; offers in between are ignored.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a channel of the peer stays to answer on paths that are still being dialled.
const ANSWER_WINDOW: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Answering {
    /// Channels of the peer, oldest first, with their ends.
    channels: Vec<(ChannelId, Instant)>,
    offers: Vec<Offer>,
    last_probe: Option<Instant>,
    spent: Spent,
}

/// A path that the peer offered.
#[derive(Debug)]
struct Offer {
    path: Path,
    probes: u8,
    since: Instant,
}

/// A token bucket, counted from the empty side.
#[derive(Debug, Default)]
struct Spent {
    tokens: u32,
    since: Instant,
}

impl Answering {
    pub(crate) fn owns(&self, id: ChannelId) -> bool {
        self.channels.iter().any(|(channel, _)| *channel == id)
    }

    pub(crate) fn forget(&mut self, id: ChannelId) {
        self.channels.retain(|(channel, _)| *channel != id);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.channels.first().map(|(_, until)| *until)
    }

    /// Takes out the channels whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<ChannelId> {
        let over = self.channels.iter().take_while(|(_, until)| *until <= now);
        let over: Vec<_> = over.map(|(channel, _)| *channel).collect();
        self.channels.drain(..over.len());
        self.channels.shrink_to_fit();
        over
    }

    /// The session is gone, and its channels with it. The limits go on.
    pub(crate) fn end_session(&mut self) {
        self.channels.clear();
    }

    /// Whether this offered path is probed now; counts it.
    fn admit(&mut self, now: Instant, path: &Path) -> bool {
        self.offers.retain(|offer| offer.since + OFFER_MEMORY > now);
        if let Some(offer) = self.offers.iter_mut().find(|offer| offer.path == *path) {
            offer.probes = offer.probes.saturating_add(1);
            return offer.probes <= MAX_PROBES_PER_PATH;
        }
        let room = self.offers.len() < MAX_OFFERED_PATHS;
        if room {
            self.offers.push(Offer {
                path: path.clone(),
                probes: 1,
                since: now,
            });
        }
        room
    }

    fn probing_allowed(&mut self, now: Instant) -> bool {
        let allowed = self
            .last_probe
            .is_none_or(|last| last + PROBE_INTERVAL <= now);
        if allowed {
            self.last_probe = Some(now);
        }
        allowed
    }
}

impl Spent {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_micros();
        let regained = passed * u128::from(ANSWERS_PER_SECOND) / 1_000_000;
        if regained > 0 {
            self.tokens = self
                .tokens
                .saturating_sub(u32::try_from(regained).unwrap_or(u32::MAX));
            self.since = now;
        }
        let room = self.tokens < ANSWER_BURST;
        self.tokens += u32::from(room);
        room
    }
}

impl PathAgent {
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        link: &mut Link,
        id: ChannelId,
        head: Option<&Map<String, Value>>,
        whereabouts: &dyn Whereabouts,
    ) {
        if !self.answering.spent.take(now) {
            link.refuse(now, id, "busy");
            return;
        }
        if link.accept(now, id).is_err() {
            return;
        }
        self.answering.channels.push((id, now + ANSWER_WINDOW));
        let pipes: Vec<_> = link.pipes().collect();
        // A connection has a number for a name, and the address in its path.
        let is_near = |pipe: &PipeInfo| {
            pipe.id.is_loopback()
                || whereabouts
                    .path_of(pipe.id)
                    .is_some_and(|path| is_loopback(&path))
        };
        let is_here = |pipe: &PipeInfo| pipe.active && is_near(pipe);
        let near = self.config.loopback || pipes.iter().any(is_here);
        let mut known = Vec::new();
        for pipe in &pipes {
            let path = whereabouts.path_of(pipe.id);
            send_answer(now, link, id, pipe.slot, path.clone());
            known.extend(path);
        }
        let open = head.map(PathOpen::from_head).unwrap_or_default();
        // Nobody hands out another's URI.
        if let Some(uri) = open.uri.filter(|uri| uri.router == link.hashname()) {
            self.push_event(PathEvent::RouterUri(uri.uri));
        }
        let offered = open.paths;
        if !offered.is_empty() && self.answering.probing_allowed(now) {
            self.probe(now, &known, &offered, near);
        }
    }

    fn probe(&mut self, now: Instant, known: &[Path], offered: &[Path], near: bool) {
        for path in offered {
            if !known.contains(path) && may_probe(path, near) && self.answering.admit(now, path) {
                self.push_event(PathEvent::Dial(path.clone()));
            }
        }
    }

    /// The path leads to this pipe: answers there as well.
    pub(crate) fn answer_offered(
        &mut self,
        now: Instant,
        link: &mut Link,
        path: &Path,
        pipe: PipeId,
    ) -> Option<PipeSlot> {
        if !self
            .answering
            .offers
            .iter()
            .any(|offer| offer.path == *path)
        {
            return None;
        }
        let slot = link.add_path(now, pipe, PathSource::Offered)?;
        if let Some((id, _)) = self.answering.channels.last() {
            send_answer(now, link, *id, slot, Some(path.clone()));
        }
        Some(slot)
    }
}

/// Answers by one pipe. An answer that does not fit or comes too late is as good as a lost one.
fn send_answer(now: Instant, link: &mut Link, id: ChannelId, slot: PipeSlot, path: Option<Path>) {
    let head = PathAnswer::to(path).to_head();
    let _ = link.send(now, id, Packet::new(Bytes::new()).head(head).pipe(slot));
}

fn is_loopback(path: &Path) -> bool {
    let address = path.socket_addr();
    address.is_some_and(|address| address.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn udp(port: u16) -> Path {
        Path::udp(alloc::format!("192.0.2.1:{port}").parse().unwrap())
    }

    #[test]
    fn a_flood_of_opens_is_answered_at_a_bounded_rate() {
        let mut spent = Spent::default();
        let answered = (0..1000).filter(|_| spent.take(seconds(100))).count();
        assert_eq!(answered, ANSWER_BURST as usize);
        let answered = (0..1000).filter(|_| spent.take(seconds(101))).count();
        assert_eq!(answered, ANSWERS_PER_SECOND as usize);
    }

    #[test]
    fn no_more_paths_are_probed_than_the_limit_however_many_are_offered() {
        let mut answering = Answering::default();
        let mut admitted = |from: u16, now| {
            (from..from + 1000)
                .filter(|port| answering.admit(now, &udp(*port)))
                .count()
        };
        assert_eq!(admitted(1, seconds(1)), MAX_OFFERED_PATHS);
        assert_eq!(admitted(2000, seconds(60)), 0);
        assert_eq!(
            admitted(2000, seconds(61)),
            MAX_OFFERED_PATHS,
            "the old offers are forgotten"
        );
    }

    #[test]
    fn a_path_is_probed_five_times_however_often_it_is_offered() {
        let mut answering = Answering::default();
        let admitted = (0..1000)
            .filter(|_| answering.admit(seconds(1), &udp(1)))
            .count();
        assert_eq!(admitted, usize::from(MAX_PROBES_PER_PATH));
    }

    #[test]
    fn offers_are_followed_once_a_second() {
        let mut answering = Answering::default();
        assert!(answering.probing_allowed(seconds(1)));
        assert!(!answering.probing_allowed(Instant::from_micros(1_999_999)));
        assert!(answering.probing_allowed(seconds(2)));
    }
}
