//! Packets that this link carries for others: raw, by the pipe that sends (channel-types.md, "peer,
//! connect").

use alloc::{collections::VecDeque, vec::Vec};

use telehash_e3x::Instant;
use telehash_lob::cloak::{self, WorkBudget};

use super::{Link, Transmit, pipes::Pipe};
use crate::{LinkState, PipeCapabilities, PipeId, PipeSlot, Remote};

/// Limit: packets of others that wait to leave by one link; the oldest is dropped.
pub const MAX_RELAYED: usize = 256;

/// Packets of others, as they go on the wire.
#[derive(Debug, Default)]
pub(super) struct Relayed(VecDeque<(PipeSlot, Vec<u8>)>);

/// Packets of one size for one pipe.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    slot: PipeSlot,
    size: usize,
    /// Larger than the pipe carries.
    fragment: bool,
}

impl Relayed {
    fn push(&mut self, slot: PipeSlot, packet: Vec<u8>) {
        if self.0.len() >= MAX_RELAYED {
            self.0.pop_front();
        }
        self.0.push_back((slot, packet));
    }

    /// Takes a run out, of `most` packets at most. One that was cut for a byte stream before that broke
    /// cannot be cut again, and goes alone.
    fn take_run(
        &mut self,
        buf: &mut Vec<u8>,
        most: usize,
        carries: impl FnOnce(PipeSlot) -> usize,
    ) -> Option<Run> {
        let (slot, first) = self.0.pop_front()?;
        let size = first.len();
        let fragment = size > carries(slot);
        buf.extend_from_slice(&first);
        for _ in 1..if fragment { 1 } else { most } {
            let next = self.0.front();
            if next.is_none_or(|(to, packet)| *to != slot || packet.len() != size) {
                break;
            }
            let next = self.0.pop_front();
            buf.extend_from_slice(&next.map(|(_, packet)| packet).unwrap_or_default());
        }
        Some(Run {
            slot,
            size,
            fragment,
        })
    }
}

impl Link {
    /// Sends a channel packet of another link, cloaked or not, by the pipe that sends. Its cloak
    /// stays, or is put on or taken off where the pipe needs that.
    ///
    /// False if that cannot be: the link is down, or its own packets go through a router.
    pub fn forward(&mut self, packet: &[u8]) -> bool {
        let slot = self
            .pipes
            .active()
            .filter(|_| self.state == LinkState::Up)
            .filter(|slot| !self.pipes.get(*slot).is_none_or(Pipe::is_routed));
        let cloaks = slot.and_then(|slot| self.pipes.get(slot)).map(Pipe::cloaks);
        let Some((slot, cloaks)) = slot.zip(cloaks) else {
            return false;
        };
        let is_cloaked = packet.first() != Some(&0);
        let packet = match (is_cloaked, cloaks) {
            (true, false) => uncloaked(packet),
            (false, true) => Some(self.cloaked(packet)),
            _ => Some(packet.to_vec()),
        };
        let is_packet = packet.is_some();
        if let Some(packet) = packet {
            self.relayed.push(slot, packet);
        }
        is_packet
    }

    fn cloaked(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut cloaked = Vec::with_capacity(cloak::NONCE_LEN + packet.len());
        cloaked.resize(cloak::NONCE_LEN, 0);
        cloaked.extend_from_slice(packet);
        self.write_nonce(&mut cloaked);
        cloak::cloak_in_place(&mut cloaked);
        cloaked
    }

    pub(super) fn transmit_relayed(
        &mut self,
        now: Instant,
        buf: &mut Vec<u8>,
        max_segments: usize,
    ) -> Option<Transmit> {
        loop {
            let pipes = &self.pipes;
            let carries = |slot| pipes.get(slot).map_or(usize::MAX, Pipe::datagram);
            let Run {
                slot,
                size,
                fragment,
            } = self.relayed.take_run(buf, max_segments, carries)?;
            let run = (buf.len() > size).then_some(size);
            // The pipe may have left in the meantime, and another taken its place: what is for the
            // peer gets there by any of them.
            if let Some(transmit) = self.sent(now, slot, buf.len(), run, fragment) {
                return Some(transmit);
            }
            buf.clear();
        }
    }

    /// What a pipe can do; nothing if there is no such transport, or if it leads through the peer
    /// itself.
    pub(super) fn capabilities_of(&self, id: PipeId) -> Option<PipeCapabilities> {
        match id.remote {
            Remote::Router(router) if router == self.hashname => None,
            Remote::Router(_) => Some(PipeCapabilities::ROUTED),
            Remote::Socket(_) | Remote::Connection(_) => {
                let transports = &self.config.transports;
                transports.get(usize::from(id.transport.0)).copied()
            }
        }
    }
}

/// The packet below its only cloak.
fn uncloaked(packet: &[u8]) -> Option<Vec<u8>> {
    let mut plain = packet.to_vec();
    let offset = cloak::decloak_in_place(&mut plain, &mut WorkBudget::new(packet.len())).ok()?;
    plain.drain(..offset);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn one_packet_more_than_the_limit_pushes_out_the_oldest() {
        let mut relayed = Relayed::default();
        for size in 1..=MAX_RELAYED + 1 {
            relayed.push(PipeSlot(0), vec![7; size]);
        }
        assert_eq!(relayed.0.len(), MAX_RELAYED);
        let run = relayed.take_run(&mut Vec::new(), 9, |_| usize::MAX);
        assert_eq!(run.map(|run| run.size), Some(2));
    }

    #[test]
    fn only_packets_of_one_size_for_one_pipe_make_a_run() {
        let mut relayed = Relayed::default();
        for (slot, size) in [(0, 5), (0, 5), (0, 5), (0, 6), (1, 6)] {
            relayed.push(PipeSlot(slot), vec![1; size]);
        }
        let mut runs = Vec::new();
        loop {
            let mut buf = Vec::new();
            let Some(run) = relayed.take_run(&mut buf, 2, |_| usize::MAX) else {
                break;
            };
            runs.push((run.slot.0, run.size, buf.len()));
        }
        assert_eq!(runs, [(0, 5, 10), (0, 5, 5), (0, 6, 6), (1, 6, 6)]);
    }

    #[test]
    fn what_is_larger_than_its_pipe_carries_goes_alone_in_fragments() {
        let mut relayed = Relayed::default();
        for size in [9, 9, 8, 8] {
            relayed.push(PipeSlot(0), vec![1; size]);
        }
        let mut runs = Vec::new();
        loop {
            let mut buf = Vec::new();
            let Some(run) = relayed.take_run(&mut buf, 2, |_| 8) else {
                break;
            };
            runs.push((run.fragment, buf.len()));
        }
        assert_eq!(runs, [(true, 9), (true, 9), (false, 16)]);
    }
}
