//! Packets out: sealed handshakes first, then runs of equal-sized channel packets.

use alloc::vec::Vec;

use rand_core::Rng;
use telehash_e3x::{Instant, Overhead};
use telehash_lob::cloak;

use super::Link;
use crate::{Event, PipeId, PipeSlot, config::MAX_CONTROL_QUEUE};

/// Bytes of packets in one run: as many as a system call takes, and the caches of a processor keep.
const RUN_BYTES: usize = 65_507;

/// One system call's worth of packets for one pipe; the bytes are in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub pipe: PipeId,
    /// Size of each packet in the buffer but the last, which may be smaller; `None` for one packet.
    pub segment_size: Option<usize>,
    /// It is a packet that was cut for a larger path and cannot be cut again: the network may
    /// fragment it on its way.
    pub fragment: bool,
}

/// A packet that waits for the transport.
#[derive(Debug)]
pub(super) enum Queued {
    /// A handshake: cloaked when it leaves, if the pipe wants that.
    Plain(Vec<u8>),
    /// As it goes on the wire, and whether it may be fragmented.
    Wire(Vec<u8>, bool),
}

impl Link {
    /// Fills `buf` (empty, from a pool of the caller's) with up to `max_segments` packets for one
    /// pipe, sealed and cloaked. Call until `None`, or until the transport takes no more.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buf: &mut Vec<u8>,
        max_segments: usize,
    ) -> Option<Transmit> {
        // Packets of others may need the handshake that a request brings: they do not overtake it.
        let asks = |link: &Self| {
            let active = link.pipes.active();
            active.is_some_and(|slot| link.flow.has_pinned_on(slot))
        };
        let mut first = self.transmit_control(now, buf);
        if first.is_none() && !asks(self) {
            first = self.transmit_relayed(now, buf, max_segments);
        }
        let own = first.or_else(|| {
            let active = self.pipes.active()?;
            self.transmit_on(now, active, buf, max_segments)
                .or_else(|| self.transmit_pinned(now, active, buf, max_segments))
        });
        own.or_else(|| self.transmit_relayed(now, buf, max_segments))
    }

    /// Queues a handshake for one pipe.
    pub(super) fn queue(&mut self, slot: PipeSlot, packet: Queued) {
        if self.control.len() >= MAX_CONTROL_QUEUE {
            self.control.pop_front();
        }
        self.control.push_back((slot, packet));
    }

    fn transmit_control(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some((slot, packet)) = self.next_control() {
            let Some(pipe) = self.pipes.get_mut(slot) else {
                continue;
            };
            let mut fragment = false;
            match packet {
                Queued::Wire(packet, fragmentable) => {
                    if pipe.allowance() < packet.len() {
                        continue;
                    }
                    fragment = fragmentable;
                    buf.extend_from_slice(&packet);
                }
                Queued::Plain(packet) => {
                    let gap = pipe.gap();
                    if pipe.allowance() < gap + packet.len() {
                        continue;
                    }
                    pipe.introduced = true;
                    buf.resize(gap, 0);
                    buf.extend_from_slice(&packet);
                    if gap > 0 {
                        self.write_nonce(buf);
                        cloak::cloak_in_place(buf);
                    }
                }
            }
            return self.sent(now, slot, buf.len(), None, fragment);
        }
        None
    }

    /// The first packet in the queue whose pipe is not blocked.
    fn next_control(&mut self) -> Option<(PipeSlot, Queued)> {
        let free = |slot| self.pipes.get(slot).is_none_or(|pipe| !pipe.blocked);
        let at = self.control.iter().position(|(slot, _)| free(*slot))?;
        self.control.remove(at)
    }

    /// Answers that belong on a pipe other than the active one (channel-types.md, path).
    fn transmit_pinned(
        &mut self,
        now: Instant,
        active: PipeSlot,
        buf: &mut Vec<u8>,
        max_segments: usize,
    ) -> Option<Transmit> {
        if !self.flow.has_pinned() {
            return None;
        }
        let others: Vec<PipeSlot> = self
            .pipes
            .iter()
            .map(|(slot, _)| slot)
            .filter(|slot| *slot != active)
            .collect();
        others
            .into_iter()
            .find_map(|slot| self.transmit_on(now, slot, buf, max_segments))
    }

    fn transmit_on(
        &mut self,
        now: Instant,
        slot: PipeSlot,
        buf: &mut Vec<u8>,
        max_segments: usize,
    ) -> Option<Transmit> {
        let pipe = self.pipes.get(slot).filter(|pipe| !pipe.blocked)?;
        // One packet at a time while every one counts against the budget of an unproven address.
        let max_segments = if pipe.validated() {
            max_segments
        } else {
            max_segments.min(1)
        };
        let (gap, carries, routed) = (pipe.gap(), pipe.datagram(), pipe.is_routed());
        let full = self.packet_size(slot);
        let datagram = full.min(pipe.allowance());
        // A router that cloaks for us, or takes the cloak off, does so in full.
        let session = self.sessions.active_token()?;
        self.sessions.address(session, self.head_only && !routed);
        let overhead = self.sessions.active()?.overhead();
        let max_plain = datagram.checked_sub(gap + overhead.total())?;
        let (mut segment, mut fragment) = (None, false);
        for _ in 0..max_segments.min(RUN_BYTES / datagram.max(1)).max(1) {
            let start = buf.len();
            let Some(probe) = self.append_packet(now, slot, buf, gap, overhead, max_plain) else {
                break;
            };
            let len = buf.len() - start;
            let oversized = len > carries && !probe;
            match segment {
                None => (segment, fragment) = (Some(len), oversized),
                // Larger than the run: a probe, or an old packet of a pipe that carried more. It
                // goes alone.
                Some(size) if len > size => {
                    let alone = buf.split_off(start);
                    self.queue(slot, Queued::Wire(alone, oversized));
                    break;
                }
                Some(_) => {}
            }
            // Only full packets make runs; a smaller one is the last.
            if len != datagram {
                break;
            }
        }
        let segment = segment?;
        if segment >= full {
            self.note_full_packets();
        }
        self.sent(
            now,
            slot,
            buf.len(),
            (buf.len() > segment).then_some(segment),
            fragment,
        )
    }

    fn note_full_packets(&mut self) {
        if !core::mem::replace(&mut self.fills_packets, true) {
            self.push_event(Event::PacketsFull);
        }
    }

    /// Appends one sealed packet, and says whether it is a probe; nothing if nothing may go now.
    fn append_packet(
        &mut self,
        now: Instant,
        slot: PipeSlot,
        buf: &mut Vec<u8>,
        gap: usize,
        overhead: Overhead,
        max_plain: usize,
    ) -> Option<bool> {
        let start = buf.len();
        buf.resize(start + gap + overhead.head, 0);
        let polled = self.flow.poll_packet(now, slot, max_plain, buf);
        let Some((session, sent)) = self.sessions.active().zip(polled) else {
            buf.truncate(start);
            return None;
        };
        buf.resize(buf.len() + overhead.tail, 0);
        if session.seal(now, &mut buf[start + gap..]).is_err() {
            // The keys are used up: the packet counts as lost until a new session carries it.
            buf.truncate(start);
            self.note_wear(now);
            return None;
        }
        if gap > 0 {
            self.write_nonce(&mut buf[start..]);
            match self.head_only {
                true => cloak::cloak_head_in_place(&mut buf[start..]),
                false => cloak::cloak_in_place(&mut buf[start..]),
            }
        }
        Some(sent.probe)
    }

    pub(super) fn write_nonce(&mut self, packet: &mut [u8]) {
        let mut nonce = [0; cloak::NONCE_LEN];
        self.rng.fill_bytes(&mut nonce);
        packet[..cloak::NONCE_LEN].copy_from_slice(&cloak::make_nonce(nonce));
    }

    /// Books what leaves.
    pub(super) fn sent(
        &mut self,
        now: Instant,
        slot: PipeSlot,
        bytes: usize,
        segment_size: Option<usize>,
        fragment: bool,
    ) -> Option<Transmit> {
        let pipe = self.pipes.get_mut(slot)?;
        pipe.count_sent(bytes);
        self.rounds.on_sent(now, slot);
        self.stats.datagrams_sent += segment_size.map_or(1, |size| bytes.div_ceil(size)) as u64;
        self.stats.bytes_sent += bytes as u64;
        Some(Transmit {
            pipe: pipe.id,
            segment_size,
            fragment,
        })
    }
}
