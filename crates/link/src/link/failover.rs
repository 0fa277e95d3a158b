//! Which pipe sends, and when traffic moves (links.md, "Pipes of a link, roaming").
//!
//! The pipe that sends is doubted when nothing comes back, or when the peer's data comes by another
//! pipe while it is silent. Then every pipe has to prove itself with a path check, and the best of
//! those that do takes over. A path that swallows large packets only shows as well: the check, which
//! is small, comes back; a probe of the present size does not.

use core::time::Duration;

use telehash_e3x::Instant;

use super::Link;
use crate::{
    Event, LinkState, Open, PipeId, PipeSlot,
    config::{BASE_DATAGRAM, PROVEN_DATAGRAM, STREAM_PACKET},
};

impl Link {
    /// A round trip through this pipe came back, `rtt` long: traffic may go there.
    pub fn validate_pipe(&mut self, now: Instant, slot: PipeSlot, rtt: Duration) {
        let Some(pipe) = self.pipes.get_mut(slot) else {
            return;
        };
        pipe.set_rtt(rtt);
        pipe.standing.prove(now);
        if self.pipes.active() == Some(slot) {
            self.flow.pipe_proved(now, slot);
            self.flow.assume_rtt(slot, rtt);
        }
        self.mark_validated(now, slot);
    }

    /// The packet size to be probed next on this pipe, and when at the earliest; `None` if there is
    /// nothing to find out, if no packet was full yet ([`Event::PacketsFull`]), or if the peer is of a
    /// kind that does not expect probes.
    #[must_use]
    pub fn size_to_probe(&self, slot: PipeSlot) -> Option<(Instant, usize)> {
        let pipe = self.pipes.get(slot)?;
        let (at, size) = pipe.size.next()?;
        let worth = self.fills_packets
            && pipe.validated()
            && self.peer_probes()
            && size <= pipe.capabilities.max_packet
            && (size <= STREAM_PACKET || self.may_fragment());
        worth.then_some((at, size))
    }

    /// The present packet size of a pipe, if it is one that a path may cease to carry.
    #[must_use]
    pub fn size_to_confirm(&self, slot: PipeSlot) -> Option<usize> {
        let pipe = self.pipes.get(slot)?;
        (pipe.size.is_raised() && self.peer_probes()).then(|| pipe.size.current())
    }

    /// `open` as a probe of `size` bytes on this pipe, cloak included; unless that cannot be.
    #[must_use]
    pub fn open_probe(&mut self, open: Open, slot: PipeSlot, size: usize) -> Option<Open> {
        let gap = self.pipes.get(slot)?.gap();
        let overhead = self.sessions.active()?.overhead().total();
        let fill = size.checked_sub(gap + overhead)?;
        Some(open.probe(slot, fill))
    }

    /// A probe of this size came through.
    pub fn size_proved(&mut self, slot: PipeSlot, size: usize) {
        if let Some(pipe) = self.pipes.get_mut(slot) {
            pipe.size.prove(size);
        }
        self.note_room();
    }

    /// Probes of this size did not come through, though smaller packets do. If it is the present
    /// one, packets become smaller, and what is under way is sent again.
    pub fn size_failed(&mut self, now: Instant, slot: PipeSlot, size: usize) {
        let Some(pipe) = self.pipes.get_mut(slot) else {
            return;
        };
        if pipe.size.fail(now, size) {
            self.flow.pipe_given_up(now, slot);
            self.stats.doubts += 1;
            self.push_event(Event::PipeShrank(slot));
        }
        self.note_room();
    }

    /// The transport takes no more for this pipe, or does so again. Packets for the others go on.
    pub fn pipe_blocked(&mut self, id: PipeId, blocked: bool) {
        let pipe = self
            .pipes
            .find(id)
            .and_then(|slot| self.pipes.get_mut(slot));
        if let Some(pipe) = pipe {
            pipe.blocked = blocked;
        }
    }

    /// Every pipe has to prove itself.
    pub(super) fn doubt_pipes(&mut self, now: Instant) {
        let raised = self.pipes.iter().any(|(_, pipe)| pipe.size.is_raised());
        if self.state != LinkState::Up || (self.pipes.iter().count() < 2 && !raised) {
            // Nothing to choose, nothing to learn.
            return;
        }
        let validated = self.pipes.iter_mut().map(|(_, pipe)| pipe);
        for pipe in validated.filter(|pipe| pipe.validated()) {
            pipe.standing.doubt(now);
        }
        self.note_room();
        self.stats.doubts += 1;
        self.push_event(Event::PipesDoubted);
    }

    /// Data came by this pipe. If the one that we send by is silent, the peer may have left it.
    pub(super) fn compare_with_active(&mut self, now: Instant, slot: PipeSlot) {
        let Some(active) = self.pipes.active().filter(|active| *active != slot) else {
            return;
        };
        if self
            .pipes
            .get(active)
            .is_some_and(|pipe| pipe.is_quiet(now))
        {
            self.doubt_pipes(now);
        }
    }

    /// A session that has lost its last pipe goes on by what there is now.
    pub(super) fn send_again(&mut self, now: Instant) {
        if self.pipes.active().is_none() && self.sessions.active().is_some() {
            self.select_pipe(now);
        }
    }

    /// Lets the best pipe send.
    pub(super) fn select_pipe(&mut self, now: Instant) {
        let Some(best) = self.pipes.best(now) else {
            return;
        };
        let active = self.pipes.active();
        if active != Some(best) {
            self.stats.moves += u64::from(self.pipes.activate(best));
            self.flow.pipe_selected(now, best);
            if let Some(rtt) = self.pipes.get(best).and_then(super::pipes::Pipe::rtt) {
                self.flow.assume_rtt(best, rtt);
            }
            let fled = active.and_then(|old| Some((old, self.pipes.get_mut(old)?)));
            if let Some((old, pipe)) = fled.filter(|(_, pipe)| pipe.standing.is_doubted()) {
                pipe.standing.fall(now);
                self.flow.pipe_given_up(now, old);
            }
            self.push_event(Event::PipeSelected(best));
        }
        // Roaming wins once: from here on the pipe competes like any other.
        for (_, pipe) in self.pipes.iter_mut() {
            pipe.roamed &= !pipe.validated();
        }
        self.note_room();
    }

    /// Has the flow know at once what [`quota`](Self::quota) says, or it would refuse that.
    fn note_room(&mut self) {
        self.flow.set_max_plain(self.max_plain());
    }

    /// Largest packet for the traffic of this pipe, cloak included: it must fit every pipe that
    /// traffic may move to, since a packet with a `seq` cannot be cut again.
    pub(super) fn packet_size(&self, slot: PipeSlot) -> usize {
        let own = self.pipes.get(slot).map(super::pipes::Pipe::datagram);
        let next = self.pipes.iter().map(|(_, pipe)| pipe);
        let next = next.filter(|pipe| pipe.validated() && !pipe.standing.is_doubted());
        let sizes = next.map(super::pipes::Pipe::datagram).chain(own);
        match sizes.min().unwrap_or(BASE_DATAGRAM) {
            STREAM_PACKET if !self.may_fragment() || self.has_lesser_pipe() => PROVEN_DATAGRAM,
            size => size,
        }
    }

    /// Whether traffic may come to a pipe that carries less than a byte stream, doubted now or not.
    fn has_lesser_pipe(&self) -> bool {
        let mut pipes = self.pipes.iter();
        pipes.any(|(_, pipe)| pipe.validated() && pipe.datagram() < STREAM_PACKET)
    }

    /// Whether packets for byte streams could go on by a datagram pipe. Old peers are not put to
    /// that test.
    fn may_fragment(&self) -> bool {
        self.peer_is_ours && self.config.fragments
    }

    /// Whether the peer is of our kind: others may take probes amiss. Deflated probes would shrink.
    fn peer_probes(&self) -> bool {
        self.peer_is_ours && self.config.compression != telehash_lob::Compression::Deflate
    }
}
