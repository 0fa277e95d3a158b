//! The agent: runs the path channel of one link.

use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use telehash_hashname::{Hashname, Path};
use telehash_link::{
    ChannelEvent, ChannelId, Event, Instant, Link, LinkState, OpenError, PipeId, PipeSlot,
};

use crate::{
    answering::Answering,
    asking::{Asking, Purpose},
    trials::Trials,
    wire::{MAX_TOLD_URI, RouterUri, TYPE},
};

/// Limit: news that wait for [`PathAgent::poll_event`]; at the limit the oldest are dropped, except
/// the ends of pings.
pub const MAX_PATH_EVENTS: usize = 256;

/// Limit: bytes of JSON that our own paths may take in an open, which is one packet; further paths
/// are not told.
pub const MAX_TOLD_BYTES: usize = 900;

/// Which of our own paths the peer is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Share {
    /// All of them: the peer is accepted, and only so both ends of a home network find each other.
    #[default]
    All,
    /// Only addresses that are meant for the whole internet.
    Global,
    /// None.
    Nothing,
}

/// Configuration of a [`PathAgent`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathConfig {
    /// Which of our own paths the peer is told.
    pub share: Share,
    /// Probe what the peer offers on the loopback interface, even if its own pipe does not show that
    /// it is on this machine: whoever uses a router on this machine could aim us at services here.
    pub loopback: bool,
}

/// What the agent asks its driver about the transports.
pub trait Whereabouts {
    /// How we may be reached now.
    fn local_paths(&self) -> Vec<Path>;

    /// The path that describes the far end of this pipe.
    fn path_of(&self, pipe: PipeId) -> Option<Path>;

    /// The URI that we, a router, give to this peer, if we do (uri.md, "Router URI"). One of more than
    /// [`MAX_TOLD_URI`] bytes is not told.
    fn uri_for(&self, _peer: &Hashname) -> Option<RouterUri> {
        None
    }
}

/// Names a ping within its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PingId(pub(crate) u64);

/// News from the agent. Drain with [`PathAgent::poll_event`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathEvent {
    /// Dial this path, which the peer offered, and report the pipe with [`PathAgent::dialed`]. Skip
    /// it if no transport can.
    Dial(Path),
    /// An answer to a ping.
    Pong {
        /// The ping.
        ping: PingId,
        /// The pipe that the answer came by.
        pipe: PipeSlot,
        /// Time from the ping to this answer.
        rtt: Duration,
    },
    /// The time of a ping is over, or the link is down: no more answers.
    PingOver(PingId),
    /// The peer is a router and gives us this URI, which has a session of ours and no fragment. Nobody
    /// but the peer vouches for it.
    RouterUri(String),
    /// The peer sees us at this path, on this pipe. Nobody but the peer vouches for it.
    SeenAs {
        /// The pipe.
        pipe: PipeSlot,
        /// Our address, as the peer sees it.
        path: Path,
    },
}

/// Runs the path channel of one link: tells the peer our paths when the link comes up, answers,
/// probes what the peer offers, checks new pipes before traffic moves there, and pings.
///
/// It does no I/O and reads no clock. Hand it every event of its link first; then drain
/// [`poll_event`](Self::poll_event), and the link. After any call ask for
/// [`poll_timeout`](Self::poll_timeout) again.
#[derive(Debug, Default)]
pub struct PathAgent {
    pub(crate) config: PathConfig,
    pub(crate) asking: Asking,
    pub(crate) answering: Answering,
    pub(crate) trials: Trials,
    /// Channels that we have ended; what still comes on them is read and forgotten.
    retired: Vec<ChannelId>,
    events: VecDeque<PathEvent>,
}

impl PathAgent {
    /// An agent for a new link.
    #[must_use]
    pub fn new(config: PathConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Looks at an event of the link. True if it concerns a path channel, so nobody else needs it.
    pub fn handle_event(
        &mut self,
        now: Instant,
        link: &mut Link,
        event: &Event,
        whereabouts: &dyn Whereabouts,
    ) -> bool {
        match event {
            // Before the link is up: this is the packet that proves the session to the peer.
            Event::Agreed => {
                self.announce(now, link, whereabouts);
                self.try_pipes(now, link);
            }
            Event::Up => {
                self.asking.repeat_round();
                self.repeat_checks(now, link);
                self.try_pipes(now, link);
            }
            Event::Restarted => {
                self.reset();
                self.announce(now, link, whereabouts);
            }
            Event::Down(_) => self.reset(),
            // The link was up before it: no handshake proves it.
            Event::PipeAdded(_) if link.state() == LinkState::Up => self.try_pipes(now, link),
            // A stranger's first pipe: our paths, told by it, check it as well.
            Event::PipeCandidate(slot) if link.state() != LinkState::Up => {
                self.asking.checked(*slot);
                self.await_check(now, *slot);
            }
            Event::PipeCandidate(slot) => {
                self.check_anew(now, link, *slot);
                self.try_pipes(now, link);
            }
            Event::PacketsFull => self.try_pipes(now, link),
            Event::PipeValidated(slot) => {
                self.asking.checked(*slot);
                self.try_pipes(now, link);
            }
            Event::PipeLost(slot) => self.asking.checked(*slot),
            Event::PipesDoubted => self.try_doubted(now, link),
            Event::Channel(event) => return self.handle_channel(now, link, event, whereabouts),
            _ => {}
        }
        false
    }

    /// Tells the peer our paths, at most once a second; call it when they changed.
    pub fn announce(&mut self, now: Instant, link: &mut Link, whereabouts: &dyn Whereabouts) {
        if self.asking.round_allowed(now) {
            let mut paths = self.config.share.select(whereabouts.local_paths());
            let uri = whereabouts.uri_for(&link.hashname());
            if let Some(uri) = uri.filter(|uri| uri.uri.len() <= MAX_TOLD_URI) {
                paths.insert(0, uri.to_path());
            }
            keep_fitting(&mut paths);
            self.ask(now, link, Purpose::Round, paths);
        }
    }

    /// Asks the peer to answer on every pipe, and reports what comes back until `wait` is over.
    ///
    /// # Errors
    /// The link is down, or too many channels are open; see [`OpenError`].
    pub fn ping(
        &mut self,
        now: Instant,
        link: &mut Link,
        wait: Duration,
    ) -> Result<PingId, OpenError> {
        self.start_ping(now, link, wait)
    }

    /// Nobody waits for answers to this ping any more.
    pub fn end_ping(&mut self, now: Instant, link: &mut Link, ping: PingId) {
        if let Some(id) = self.asking.channel_of(ping) {
            self.end_question(id);
            self.retire(now, link, id);
        }
    }

    /// The driver dialled a path that the peer offered; it is probed now.
    pub fn dialed(&mut self, now: Instant, link: &mut Link, path: &Path, pipe: PipeId) {
        if let Some(slot) = self.answer_offered(now, link, path, pipe) {
            self.check(now, link, slot);
        }
    }

    /// The next piece of news.
    pub fn poll_event(&mut self) -> Option<PathEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [
            self.asking.poll_timeout(),
            self.answering.poll_timeout(),
            self.trials.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Time passed. Spurious calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant, link: &mut Link, whereabouts: &dyn Whereabouts) {
        if self.asking.round_is_due(now) {
            self.announce(now, link, whereabouts);
        }
        self.expire_questions(now, link);
        self.repeat_checks(now, link);
        self.run_trials(now, link);
        for id in self.answering.expire(now) {
            self.retire(now, link, id);
        }
        self.asking.trim();
        self.retired.shrink_to_fit();
    }

    fn handle_channel(
        &mut self,
        now: Instant,
        link: &mut Link,
        event: &ChannelEvent,
        whereabouts: &dyn Whereabouts,
    ) -> bool {
        match event {
            ChannelEvent::Opened {
                id,
                kind,
                reliable,
                packet,
            } if kind == TYPE => {
                if *reliable {
                    link.refuse(now, *id, "a path channel is unreliable");
                } else {
                    self.answer(now, link, *id, packet.head.as_deref(), whereabouts);
                }
                true
            }
            ChannelEvent::Readable(id) => self.read(now, link, *id),
            ChannelEvent::Failed { id, .. } | ChannelEvent::Closed(id) => self.forget(*id),
            ChannelEvent::Established(id)
            | ChannelEvent::Writable(id)
            | ChannelEvent::Finished(id) => self.owns(*id),
            _ => false,
        }
    }

    fn read(&mut self, now: Instant, link: &mut Link, id: ChannelId) -> bool {
        if self.asking.owns(id) {
            self.read_answers(now, link, id);
            return true;
        }
        let ours = self.owns(id);
        if ours {
            while let Ok(Some(_)) = link.read(now, id) {}
        }
        ours
    }

    fn owns(&self, id: ChannelId) -> bool {
        self.asking.owns(id) || self.answering.owns(id) || self.retired.contains(&id)
    }

    /// The link has forgotten the channel.
    fn forget(&mut self, id: ChannelId) -> bool {
        let ours = self.owns(id);
        self.answering.forget(id);
        self.end_question(id);
        self.retired.retain(|retired| *retired != id);
        ours
    }

    /// Nothing more is expected of the channel. Its `end` is one packet, which peers that have
    /// forgotten the channel ignore.
    pub(crate) fn retire(&mut self, now: Instant, link: &mut Link, id: ChannelId) {
        if link.end(now, id).is_ok() {
            self.retired.push(id);
        }
    }

    fn reset(&mut self) {
        self.answering.end_session();
        self.retired.clear();
        self.trials = Trials::default();
        self.end_pings();
        self.asking = Asking::continued(&self.asking);
    }

    pub(crate) fn push_event(&mut self, event: PathEvent) {
        if self.events.len() >= MAX_PATH_EVENTS {
            let spare = |event: &PathEvent| !matches!(event, PathEvent::PingOver(_));
            if let Some(oldest) = self.events.iter().position(spare) {
                self.events.remove(oldest);
            }
        }
        self.events.push_back(event);
    }
}

impl Share {
    fn select(self, mut paths: Vec<Path>) -> Vec<Path> {
        match self {
            Self::All => paths,
            Self::Global => {
                paths.retain(is_global);
                paths
            }
            Self::Nothing => Vec::new(),
        }
    }
}

/// Keeps the first paths, as far as their text fits [`MAX_TOLD_BYTES`].
fn keep_fitting(paths: &mut Vec<Path>) {
    let mut bytes = 0;
    paths.retain(|path| {
        bytes += path.to_string().len() + 1;
        bytes <= MAX_TOLD_BYTES
    });
}

/// Whether a path leads somewhere from anywhere. Paths without an address do as far as we know.
fn is_global(path: &Path) -> bool {
    use core::net::IpAddr;
    path.socket_addr()
        .is_none_or(|address| match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                let shared = a == 100 && (64..128).contains(&b);
                !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared)
            }
            IpAddr::V6(ip) => {
                !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local())
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(address: &str) -> Path {
        Path::udp(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_home_network_can_be_kept_private() {
        let home = [
            "192.168.1.2:1",
            "10.1.2.3:1",
            "127.0.0.1:1",
            "100.64.0.1:1",
            "[fd00::1]:1",
        ];
        let global = ["192.0.2.1:1", "[2001:db8::1]:1"];
        let paths: Vec<Path> = home
            .iter()
            .chain(&global)
            .map(|address| udp(address))
            .collect();
        let kept: Vec<Path> = global.iter().map(|address| udp(address)).collect();
        assert_eq!(Share::Global.select(paths.clone()), kept);
        assert_eq!(Share::All.select(paths.clone()), paths);
        assert_eq!(Share::Nothing.select(paths), []);
    }

    #[test]
    fn our_own_paths_are_told_as_far_as_they_fit() {
        let path = udp("192.0.2.1:1000");
        let fit = MAX_TOLD_BYTES / (path.to_string().len() + 1);
        let last = MAX_TOLD_BYTES - (fit - 1) * (path.to_string().len() + 1) - 1;
        let of_len = |len: usize| {
            let frame = r#"{"type":"x","a":""}"#.len();
            let text = alloc::format!(r#"{{"type":"x","a":"{}"}}"#, "y".repeat(len - frame));
            text.parse::<Path>().unwrap()
        };
        for (len, told) in [(last, fit), (last + 1, fit - 1)] {
            let mut paths = alloc::vec![path.clone(); fit - 1];
            paths.push(of_len(len));
            keep_fitting(&mut paths);
            assert_eq!(paths.len(), told);
        }
    }

    #[test]
    fn news_that_nobody_collects_are_bounded_and_pings_still_end() {
        let mut agent = PathAgent::new(PathConfig::default());
        agent.push_event(PathEvent::PingOver(PingId(1)));
        for port in 1..=MAX_PATH_EVENTS {
            agent.push_event(PathEvent::Dial(udp(&alloc::format!("192.0.2.1:{port}"))));
        }
        let events: Vec<_> = core::iter::from_fn(|| agent.poll_event()).collect();
        assert_eq!(events.len(), MAX_PATH_EVENTS);
        assert_eq!(events.first(), Some(&PathEvent::PingOver(PingId(1))));
        assert_eq!(events.get(1), Some(&PathEvent::Dial(udp("192.0.2.1:2"))));
    }
}
