//! The pipe table of a link: where its packets may go (links.md, "Pipes of a link, roaming").

use alloc::vec::Vec;
use core::time::Duration;

use telehash_e3x::Instant;
use telehash_lob::cloak;

use crate::{
    CloakPolicy, PathSource, PipeCapabilities, PipeId, PipeSlot,
    config::{MAX_PIPES, PROVEN_DATAGRAM, STREAM_PACKET},
};

use super::{doubt::Standing, size::PacketSize};

/// Bytes we may send to an address that is not validated, for each byte it sent.
const AMPLIFICATION: u64 = 3;

/// How much quicker than half the round trip of the sending pipe another must be to take over.
const QUICKER: Duration = Duration::from_millis(5);

/// The round trip of a pipe that was never measured, for comparisons.
const FAR: Duration = Duration::from_secs(3600);

/// Limit: handshake packets to an offered path before it answers; then it is left alone.
pub const MAX_OFFERED_PROBES: u8 = 5;

/// A row of [`Link::pipes`](crate::Link::pipes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipeInfo {
    /// Names the pipe within its link, as long as it is in the table.
    pub slot: PipeSlot,
    /// Where it leads.
    pub id: PipeId,
    /// How it became known.
    pub source: PathSource,
    /// A round trip through it is proven.
    pub validated: bool,
    /// It is the one that sends.
    pub active: bool,
    /// Nothing came back by it lately: it has to prove itself before traffic goes there again.
    pub doubted: bool,
    /// Path round trip, once measured.
    pub rtt: Option<Duration>,
    /// Largest packet it is known to carry, in bytes.
    pub packet_size: usize,
    /// Bytes received through it.
    pub received: u64,
    /// Bytes sent through it.
    pub sent: u64,
}

/// The pipes of one link; slots are stable while a pipe lives.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    slots: Vec<Option<Pipe>>,
    active: Option<PipeSlot>,
    /// Where the traffic went last, whether that pipe still is in the table or not.
    sent_by: Option<PipeId>,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) id: PipeId,
    pub(crate) capabilities: PipeCapabilities,
    source: PathSource,
    validated: bool,
    /// The peer cloaks on this pipe.
    peer_cloaks: bool,
    /// A handshake of ours with the present ephemeral went this way.
    pub(crate) introduced: bool,
    /// A channel packet authenticated from here while another pipe was active.
    pub(crate) roamed: bool,
    /// The transport takes no more for it now.
    pub(crate) blocked: bool,
    pub(crate) standing: Standing,
    pub(crate) size: PacketSize,
    rtt: Option<Duration>,
    received: u64,
    sent: u64,
    /// Bytes of them that count toward what the place may be sent.
    spent: u64,
    probes: u8,
    last_heard: Instant,
}

impl Pipes {
    pub(crate) fn find(&self, id: PipeId) -> Option<PipeSlot> {
        self.iter()
            .find(|(_, pipe)| pipe.id == id)
            .map(|(slot, _)| slot)
    }

    /// Adds a pipe that is not in the table. At the limit the longest silent unvalidated one is
    /// replaced; its slot comes back as the second value.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        id: PipeId,
        capabilities: PipeCapabilities,
        source: PathSource,
    ) -> Option<(PipeSlot, Option<PipeId>)> {
        let pipe = Pipe::new(now, id, capabilities, source);
        if let Some(free) = self.slots.iter().position(Option::is_none) {
            self.slots[free] = Some(pipe);
            return Some((slot(free), None));
        }
        if self.slots.len() < MAX_PIPES {
            // Most links have one.
            self.slots.reserve_exact(1);
            self.slots.push(Some(pipe));
            return Some((slot(self.slots.len() - 1), None));
        }
        let (victim, _) = self
            .iter()
            .filter(|(slot, pipe)| !pipe.validated && Some(*slot) != self.active)
            .min_by_key(|(_, pipe)| pipe.last_heard)?;
        let old = self.slots[usize::from(victim.0)].replace(pipe);
        Some((victim, old.map(|old| old.id)))
    }

    pub(crate) fn remove(&mut self, slot: PipeSlot) -> Option<Pipe> {
        if self.active == Some(slot) {
            self.active = None;
        }
        self.slots.get_mut(usize::from(slot.0))?.take()
    }

    pub(crate) fn get(&self, slot: PipeSlot) -> Option<&Pipe> {
        self.slots.get(usize::from(slot.0))?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: PipeSlot) -> Option<&mut Pipe> {
        self.slots.get_mut(usize::from(slot.0))?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PipeSlot, &Pipe)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(at, pipe)| Some((slot(at), pipe.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PipeSlot, &mut Pipe)> {
        self.slots
            .iter_mut()
            .enumerate()
            .filter_map(|(at, pipe)| Some((slot(at), pipe.as_mut()?)))
    }

    pub(crate) fn infos(&self) -> impl Iterator<Item = PipeInfo> {
        self.iter().map(|(slot, pipe)| PipeInfo {
            slot,
            id: pipe.id,
            source: pipe.source,
            validated: pipe.validated,
            active: self.active == Some(slot),
            doubted: pipe.standing.is_doubted(),
            rtt: pipe.rtt,
            packet_size: pipe.datagram(),
            received: pipe.received,
            sent: pipe.sent,
        })
    }

    /// The pipe that sends.
    pub(crate) fn active(&self) -> Option<PipeSlot> {
        self.active
    }

    /// Lets this pipe send. True if traffic moves there from another.
    pub(crate) fn activate(&mut self, slot: PipeSlot) -> bool {
        self.active = Some(slot);
        let new = self.get(slot).map(|pipe| pipe.id);
        let old = core::mem::replace(&mut self.sent_by, new);
        old.is_some() && old != new
    }

    /// The pipe that should send: validated before not, working before doubted, then by kind, where
    /// the peer roamed to, then the quicker one. The active one stays among its like unless another is far quicker.
    pub(crate) fn best(&self, now: Instant) -> Option<PipeSlot> {
        let rank = |slot: PipeSlot, pipe: &Pipe| {
            let doubted = match self.active == Some(slot) {
                true => pipe.standing.has_failed(now, pipe.rtt),
                false => pipe.standing.is_doubted(),
            };
            (!pipe.validated, doubted, pipe.kind(), !pipe.roamed)
        };
        let rtt = |pipe: &Pipe| pipe.rtt.unwrap_or(FAR);
        let (best, pipe) = self
            .iter()
            .min_by_key(|(slot, pipe)| (rank(*slot, pipe), rtt(pipe)))?;
        let active = self.active.and_then(|slot| Some((slot, self.get(slot)?)));
        let stays = active.filter(|(slot, active)| {
            rank(*slot, active) == rank(best, pipe) && rtt(active) <= rtt(pipe) * 2 + QUICKER
        });
        Some(stays.map_or(best, |(slot, _)| slot))
    }
}

impl Pipes {
    /// When another pipe takes over from the one that sends, unless that proves itself.
    pub(crate) fn review_at(&self) -> Option<Instant> {
        let active = self.get(self.active?)?;
        let works = |pipe: &Pipe| pipe.validated && !pipe.standing.is_doubted();
        let other = self.iter().any(|(_, pipe)| works(pipe));
        active.standing.fails_at(active.rtt).filter(|_| other)
    }
}

impl Pipe {
    fn new(now: Instant, id: PipeId, capabilities: PipeCapabilities, source: PathSource) -> Self {
        Self {
            id,
            capabilities,
            source,
            validated: false,
            peer_cloaks: false,
            introduced: false,
            roamed: false,
            blocked: false,
            standing: Standing::default(),
            size: initial_size(id, capabilities),
            rtt: None,
            received: 0,
            sent: 0,
            spent: 0,
            probes: 0,
            last_heard: now,
        }
    }

    pub(crate) fn validated(&self) -> bool {
        self.validated
    }

    /// Marks the pipe validated; true if it was not before.
    pub(crate) fn validate(&mut self) -> bool {
        !core::mem::replace(&mut self.validated, true)
    }

    /// How long a round trip takes, if one was seen.
    pub(crate) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    pub(crate) fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    /// Counts bytes toward what the place may be sent.
    pub(crate) fn credit(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    pub(crate) fn heard(&mut self, now: Instant, bytes: usize, cloaked: bool) {
        if self.source == PathSource::Offered {
            // Whoever is there speaks to us: it may be answered, whatever was tried before.
            (self.source, self.spent) = (PathSource::Arrived, 0);
        }
        self.credit(bytes);
        self.last_heard = now;
        self.peer_cloaks |= cloaked;
    }

    pub(crate) fn count_sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        self.spent += bytes as u64;
        if self.source == PathSource::Offered && !self.validated {
            self.probes = self.probes.saturating_add(1);
        }
    }

    /// Bytes that may go to this address now: what is not validated gets three times what it sent, or
    /// the rest of one packet more that was cut for another pipe; what we dial is free; what the
    /// peer offered has a budget of packets.
    pub(crate) fn allowance(&self) -> usize {
        if self.validated {
            return usize::MAX;
        }
        match self.source {
            PathSource::Dialed => usize::MAX,
            PathSource::Arrived => {
                let left = (AMPLIFICATION * self.received).saturating_sub(self.spent);
                usize::try_from(left).unwrap_or(usize::MAX)
            }
            PathSource::Offered if self.probes < MAX_OFFERED_PROBES => usize::MAX,
            PathSource::Offered => 0,
        }
    }

    /// The application names this place. True if it had not before.
    pub(crate) fn dial(&mut self) -> bool {
        core::mem::replace(&mut self.source, PathSource::Dialed) != PathSource::Dialed
    }

    /// Whether the application named this place.
    pub(crate) fn is_dialed(&self) -> bool {
        self.source == PathSource::Dialed
    }

    /// Whether packets leave cloaked.
    pub(crate) fn cloaks(&self) -> bool {
        match self.capabilities.cloak {
            CloakPolicy::Always => true,
            CloakPolicy::MatchPeer => self.peer_cloaks,
            CloakPolicy::Never => false,
        }
    }

    /// Bytes in front of a packet, for the nonce of its cloak.
    pub(crate) fn gap(&self) -> usize {
        if self.cloaks() { cloak::NONCE_LEN } else { 0 }
    }

    /// Largest packet to send, cloak included, in bytes.
    pub(crate) fn datagram(&self) -> usize {
        self.size.current().min(self.capabilities.max_packet)
    }

    /// Whether nothing came by this pipe for suspiciously long, given that the peer sends by
    /// another.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        self.validated && self.standing.is_quiet(now, self.last_heard)
    }

    /// Better kinds are less: direct ones, then where a lost packet holds nothing else up, and congestion is ours to
    /// control.
    const fn kind(&self) -> u8 {
        let capabilities = &self.capabilities;
        self.is_routed() as u8 * 4
            + capabilities.reliable as u8 * 2
            + capabilities.own_congestion_control as u8
    }

    /// Whether it leads through a router.
    pub(crate) const fn is_routed(&self) -> bool {
        self.id.through().is_some()
    }
}

/// What a new pipe is taken to carry. A byte stream carries anything, so that only the work per
/// packet counts. A pipe with congestion control of its own takes care of that, too; on loopback only jumbo frames are
/// left to find out.
fn initial_size(id: PipeId, capabilities: PipeCapabilities) -> PacketSize {
    let PipeCapabilities {
        reliable,
        own_congestion_control,
        max_packet,
        ..
    } = capabilities;
    if id.through().is_some() {
        PacketSize::fixed(max_packet)
    } else if reliable {
        PacketSize::fixed(STREAM_PACKET)
    } else if own_congestion_control {
        PacketSize::fixed(PROVEN_DATAGRAM)
    } else if id.is_loopback() {
        PacketSize::at_least(PROVEN_DATAGRAM)
    } else {
        PacketSize::unknown()
    }
}

fn slot(at: usize) -> PipeSlot {
    PipeSlot(u8::try_from(at).expect("MAX_PIPES fits a u8"))
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::TransportId;

    const NOW: Instant = Instant::from_micros(5);

    fn id(port: u16) -> PipeId {
        PipeId::socket(TransportId(0), SocketAddr::from(([192, 0, 2, 1], port)))
    }

    fn add(pipes: &mut Pipes, port: u16, source: PathSource) -> Option<PipeSlot> {
        pipes
            .add(NOW, id(port), PipeCapabilities::DATAGRAM, source)
            .map(|(slot, _)| slot)
    }

    #[test]
    fn the_table_is_bounded_and_validated_pipes_stay() {
        let mut pipes = Pipes::default();
        for port in 0..MAX_PIPES as u16 {
            let slot = add(&mut pipes, port, PathSource::Dialed).unwrap();
            if port != 3 {
                pipes.get_mut(slot).unwrap().validate();
            }
        }
        let (slot, replaced) = pipes
            .add(NOW, id(99), PipeCapabilities::DATAGRAM, PathSource::Arrived)
            .unwrap();
        assert_eq!(replaced, Some(id(3)));
        pipes.get_mut(slot).unwrap().validate();
        assert_eq!(add(&mut pipes, 100, PathSource::Arrived), None);
        assert_eq!(pipes.iter().count(), MAX_PIPES);
    }

    #[test]
    fn an_address_that_sent_little_gets_little_back() {
        let mut pipes = Pipes::default();
        let slot = add(&mut pipes, 1, PathSource::Arrived).unwrap();
        let pipe = pipes.get_mut(slot).unwrap();
        assert_eq!(pipe.allowance(), 0);
        pipe.heard(NOW, 100, true);
        assert_eq!(pipe.allowance(), 300);
        pipe.count_sent(299);
        assert_eq!(pipe.allowance(), 1);
        assert!(pipe.validate());
        assert_eq!(pipe.allowance(), usize::MAX);
    }

    #[test]
    fn an_address_that_is_dialled_after_it_sent_something_is_sent_to_freely() {
        let mut pipes = Pipes::default();
        let slot = add(&mut pipes, 1, PathSource::Arrived).unwrap();
        let pipe = pipes.get_mut(slot).unwrap();
        assert_eq!(pipe.allowance(), 0);
        assert!(pipe.dial());
        assert_eq!(pipe.allowance(), usize::MAX);
        assert!(!pipe.dial(), "it was before");
    }

    #[test]
    fn an_offered_path_that_never_answers_is_left_alone() {
        let mut pipes = Pipes::default();
        let slot = add(&mut pipes, 1, PathSource::Offered).unwrap();
        let pipe = pipes.get_mut(slot).unwrap();
        for _ in 0..MAX_OFFERED_PROBES {
            assert!(pipe.allowance() > 0);
            pipe.count_sent(200);
        }
        assert_eq!(pipe.allowance(), 0);
    }

    #[test]
    fn an_offered_path_that_speaks_after_all_is_answered_in_proportion() {
        let mut pipes = Pipes::default();
        let slot = add(&mut pipes, 1, PathSource::Offered).unwrap();
        let pipe = pipes.get_mut(slot).unwrap();
        (0..MAX_OFFERED_PROBES).for_each(|_| pipe.count_sent(200));
        pipe.heard(NOW, 100, true);
        assert_eq!(pipe.allowance(), 300);
        pipe.count_sent(300);
        assert_eq!(pipe.allowance(), 0);
    }

    #[test]
    fn a_validated_pipe_is_preferred_and_the_active_one_stays_among_equals() {
        let mut pipes = Pipes::default();
        let first = add(&mut pipes, 1, PathSource::Dialed).unwrap();
        let second = add(&mut pipes, 2, PathSource::Dialed).unwrap();
        assert!(!pipes.activate(first), "no traffic before");
        pipes.get_mut(second).unwrap().validate();
        assert_eq!(pipes.best(NOW), Some(second));
        pipes.get_mut(first).unwrap().validate();
        assert_eq!(pipes.best(NOW), Some(first));
        pipes.remove(first);
        assert_eq!(pipes.best(NOW), Some(second));
        assert_eq!(pipes.active(), None);
        let again = add(&mut pipes, 1, PathSource::Dialed).unwrap();
        assert!(!pipes.activate(again), "the same place as before");
        assert!(pipes.activate(second));
    }
}
