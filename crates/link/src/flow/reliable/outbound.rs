//! What a reliable channel sends: queued, cut into packets, kept until acknowledged.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use telehash_e3x::Instant;
use telehash_lob::{ChannelHeader, Compression, Misses};

use super::{
    peer_window::PeerWindow,
    segment::{Head, Queued, Segment, State, with_header},
    send_buffer::SendBuffer,
};
use crate::flow::{
    config::FlowConfig,
    lane::Lane,
    lanes::Lanes,
    types::{ChannelId, Packet, PipeSlot},
    wire,
};

/// A message of a byte stream ends once it has this many bytes (channel-types.md, stream).
const MESSAGE: usize = 16 << 10;

/// JS stalls when more unfragmented packets than this are in flight.
const OLD_PEERS_UNFRAGMENTED: u32 = 16;

/// Limit: packets of one channel that wait for their ack. At the limit nothing new is sent.
pub const MAX_IN_FLIGHT: usize = 1 << 14;

/// The sending half of a reliable channel.
#[derive(Debug)]
pub(in crate::flow) struct Outbound {
    pub(super) buffer: SendBuffer,
    queue: VecDeque<Queued>,
    /// Bytes of the queue.
    unsent: usize,
    /// Packets from `acked + 1` on.
    pub(super) flight: VecDeque<Segment>,
    /// Those of them to be retransmitted, and perhaps some that need not be any more.
    pub(super) lost: VecDeque<u32>,
    pub(super) acked: u32,
    pub(super) peer: PeerWindow,
    /// Bytes sent of the message under way.
    message: usize,
    /// Whether the last packet queued goes on in the next.
    unfinished: bool,
    /// Unfragmented packets that wait for their ack.
    pub(super) unfragmented: u32,
    /// The last packet that the peer must answer at once.
    prompted: u32,
    ended: bool,
    /// The peer has sent something on this channel.
    pub(super) heard: bool,
    /// A packet may go beyond the peer's window.
    pub(super) may_probe: bool,
    /// When content left last, and whether the peer must answer it at once.
    pub(super) sent_at: Instant,
    pub(super) sent_prompt: bool,
    /// When the ack advanced last, and when there was any.
    pub(super) progress_at: Instant,
    pub(super) alive_at: Instant,
    /// Timeouts in a row.
    pub(super) backoff: u32,
    /// The highest number that a `miss` list reached.
    pub(super) judged: u32,
    /// When a packet that was reported missing is late enough to be lost.
    pub(super) suspect_at: Option<Instant>,
    /// What the head of the last packet took, without and with `frag`.
    guess: [usize; 2],
    retransmitted: u64,
}

/// Where a packet goes.
#[derive(Debug)]
pub(in crate::flow) struct Outlet<'a> {
    pub(in crate::flow) now: Instant,
    pub(in crate::flow) id: ChannelId,
    pub(in crate::flow) z: Compression,
    /// Bytes that the packet may have.
    pub(in crate::flow) max: usize,
    pub(in crate::flow) slot: PipeSlot,
    pub(in crate::flow) lane: &'a mut Lane,
    pub(in crate::flow) out: &'a mut Vec<u8>,
}

/// An ack to be carried along.
#[derive(Debug)]
pub(super) struct Ack {
    pub(super) ack: u32,
    pub(super) misses: Option<Misses>,
}

/// A packet that was appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Emitted {
    pub(super) len: usize,
    /// It carries the ack.
    pub(super) with_ack: bool,
}

/// How the next packet of a byte stream is cut.
struct Cut {
    len: usize,
    frag: bool,
}

impl Outbound {
    pub(super) fn new(now: Instant, heard: bool, config: &FlowConfig) -> Self {
        Self {
            buffer: SendBuffer::default(),
            queue: VecDeque::new(),
            unsent: 0,
            flight: VecDeque::new(),
            lost: VecDeque::new(),
            acked: 0,
            peer: PeerWindow::new(config.default_peer_window),
            message: 0,
            unfinished: false,
            unfragmented: 0,
            prompted: 0,
            ended: false,
            heard,
            may_probe: false,
            sent_at: now,
            sent_prompt: false,
            progress_at: now,
            alive_at: now,
            backoff: 0,
            judged: 0,
            suspect_at: None,
            guess: [0; 2],
            retransmitted: 0,
        }
    }

    /// The last number sent; 0 for none.
    pub(super) fn last_sent(&self) -> u32 {
        // The flight is far shorter than a u32, and `next_seq` lets nothing exceed the last number.
        self.acked + self.flight.len() as u32
    }

    /// The next number, unless they are used up.
    fn next_seq(&self) -> Option<u32> {
        self.last_sent()
            .checked_add(1)
            .filter(|seq| *seq < u32::MAX)
    }

    pub(in crate::flow) fn is_exhausted(&self) -> bool {
        !self.queue.is_empty() && self.next_seq().is_none()
    }

    /// Everything up to this number is acknowledged.
    pub(super) const fn acked(&self) -> u32 {
        self.acked
    }

    /// Whether nothing was sent at all.
    pub(super) fn is_unopened(&self) -> bool {
        self.last_sent() == 0 && self.has_unsent()
    }

    /// Packets that were sent again.
    pub(in crate::flow) const fn retransmitted(&self) -> u64 {
        self.retransmitted
    }

    /// Gives up on what was not acknowledged.
    pub(in crate::flow) fn abandon(&mut self, lanes: &mut Lanes) {
        self.withdraw(lanes);
        self.flight.clear();
        self.lost.clear();
        self.buffer = SendBuffer::default();
    }

    /// Whether the peer has sent anything on this channel.
    pub(in crate::flow) const fn is_heard(&self) -> bool {
        self.heard
    }

    pub(in crate::flow) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether everything including the `end` is acknowledged.
    pub(in crate::flow) fn is_finished(&self) -> bool {
        self.ended && self.queue.is_empty() && self.flight.is_empty()
    }

    /// Whether nothing but the ack of the `end` is missing; since when.
    pub(in crate::flow) fn end_unanswered_since(&self) -> Option<Instant> {
        let waits = self.flight.len() == 1 && self.queue.is_empty();
        let end = self.flight.front().is_some_and(|last| last.end);
        (waits && end).then(|| self.progress_at.max(self.alive_at))
    }

    /// Everything up to this number counts as sent and acknowledged.
    #[cfg(test)]
    pub(in crate::flow) fn skip_to(&mut self, seq: u32) {
        self.acked = seq;
        self.peer.on_ack(seq, None);
    }

    /// Whether anything was never sent yet.
    pub(in crate::flow) fn has_unsent(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Bytes that a write would take.
    pub(in crate::flow) fn room(&self, config: &FlowConfig) -> usize {
        if self.queue.len() >= config.unsent_packets {
            return 0;
        }
        let unsent = config.unsent_bytes.saturating_sub(self.unsent);
        unsent.min(config.send_bytes.saturating_sub(self.buffer.len()))
    }

    /// Whether a packet with such a body may be queued.
    pub(in crate::flow) fn takes(&self, len: usize, config: &FlowConfig) -> bool {
        let fits = len <= self.room(config) && self.queue.len() < config.unsent_packets;
        fits || (self.queue.is_empty() && self.buffer.len() == 0)
    }

    /// Bytes queued and in flight.
    pub(in crate::flow) fn buffered(&self) -> usize {
        self.buffer.len()
    }
}

/// Queueing.
impl Outbound {
    /// Queues bytes of a stream.
    pub(in crate::flow) fn push_bytes(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.buffer.push(data);
        self.unsent += data.len();
        self.unfinished = false;
        match self.queue.back_mut() {
            Some(Queued::Bytes(len)) => *len += data.len(),
            _ => self.queue.push_back(Queued::Bytes(data.len())),
        }
    }

    /// Queues one packet; `kind` makes it the opening one.
    pub(in crate::flow) fn push_packet(&mut self, kind: Option<Box<str>>, packet: Packet) {
        let Packet {
            head,
            body,
            frag,
            end,
            ..
        } = packet;
        if end {
            self.finish_message();
        }
        self.buffer.push(&body);
        self.unsent += body.len();
        self.unfinished = frag;
        self.ended |= end;
        let head = Head::new(kind, head);
        self.queue.push_back(Queued::Packet {
            len: body.len(),
            head,
            frag,
            end,
        });
    }

    /// The last packet before the `end` has no `frag`.
    fn finish_message(&mut self) {
        if !core::mem::take(&mut self.unfinished) {
            return;
        }
        match self.queue.back_mut() {
            Some(Queued::Packet { frag, .. }) => *frag = false,
            _ => self.queue.push_back(Queued::Packet {
                len: 0,
                head: None,
                frag: false,
                end: false,
            }),
        }
    }
}

/// Sending.
impl Outbound {
    /// Whether a packet could go that was never sent. (It may still have to wait for acks of an old
    /// peer, which shows when it is cut.)
    pub(in crate::flow) fn wants_fresh(&self) -> bool {
        let Some(first) = self.queue.front() else {
            return false;
        };
        let Some(seq) = self.next_seq() else {
            return false;
        };
        let waits = matches!(
            first,
            Queued::Packet {
                frag: false,
                end: false,
                ..
            }
        );
        (seq <= self.peer.limit() || self.may_probe)
            && self.flight.len() < MAX_IN_FLIGHT
            && !(waits && self.is_stalling())
    }

    /// Whether one more unfragmented packet could stall an old peer.
    fn is_stalling(&self) -> bool {
        self.unfragmented >= OLD_PEERS_UNFRAGMENTED && self.peer.may_be_old()
    }

    /// Whether something is to be retransmitted.
    pub(in crate::flow) fn wants_lost(&mut self) -> bool {
        while let Some(&seq) = self.lost.front() {
            if self
                .segment(seq)
                .is_some_and(|segment| segment.state == State::Lost)
            {
                return true;
            }
            self.lost.pop_front();
        }
        false
    }

    /// Whether the next packet should make the peer answer at once: nothing could follow it, and
    /// nothing before it did.
    pub(super) fn wants_answer(&self, lane: &Lane) -> bool {
        let next = self.last_sent().saturating_add(1);
        if next >= self.peer.limit() {
            return true;
        }
        let waiting = next.saturating_sub(self.prompted);
        lane.is_last() && (self.prompted <= self.acked || u64::from(waiting) >= lane.quarter())
    }

    pub(super) fn segment(&self, seq: u32) -> Option<&Segment> {
        self.flight
            .get(seq.checked_sub(self.acked)?.checked_sub(1)? as usize)
    }

    pub(super) fn segment_mut(&mut self, seq: u32) -> Option<&mut Segment> {
        self.flight
            .get_mut(seq.checked_sub(self.acked)?.checked_sub(1)? as usize)
    }

    /// Sends the next packet for the first time.
    pub(super) fn emit_fresh(&mut self, outlet: Outlet<'_>, ack: Option<Ack>) -> Option<Emitted> {
        let seq = self.next_seq()?;
        let (len, mut head, frag, end) = match self.queue.front_mut()? {
            Queued::Packet {
                len,
                head,
                frag,
                end,
            } => (*len, head.take(), *frag, *end),
            Queued::Bytes(_) => {
                let Cut { len, frag } = self.cut(&outlet, seq, ack.as_ref())?;
                (len, None, frag, false)
            }
        };
        let address = self.buffer.end() - self.unsent as u64;
        let body = self.buffer.slice(address, len);
        let Outlet {
            now,
            id,
            z,
            max,
            slot,
            lane,
            out,
        } = outlet;
        let emitted = with_header(id, seq, &mut head, |header| {
            header.frag = frag;
            header.end = end;
            append(out, header, body, z, max, ack)
        })?;
        let opens = head.as_ref().is_some_and(|head| head.kind.is_some());
        let probe = seq > self.peer.limit();
        let wire = emitted.len as u64;
        let number = lane.on_sent_sequenced(now, wire, !opens && !probe);
        let prompt = emitted.with_ack || !frag;
        if self.flight.is_empty() {
            self.alive_at = self.alive_at.max(now);
        }
        self.flight.push_back(Segment {
            address,
            len,
            head,
            number,
            sent_at: now,
            wire: u32::try_from(wire).unwrap_or(u32::MAX),
            slot,
            attempts: 1,
            reported: 0,
            state: State::Sent,
            frag,
            end,
            prompt,
            probe,
            blamed: false,
        });
        self.sent_at = now;
        self.sent_prompt = prompt;
        self.on_emitted(seq, len, frag, prompt);
        Some(emitted)
    }

    /// Books what left the queue.
    fn on_emitted(&mut self, seq: u32, len: usize, frag: bool, prompt: bool) {
        self.may_probe = false;
        self.unsent -= len;
        match self.queue.front_mut() {
            Some(Queued::Bytes(left)) if *left > len => *left -= len,
            _ => _ = self.queue.pop_front(),
        }
        self.message = if frag { self.message + len } else { 0 };
        self.unfragmented += u32::from(!frag);
        if prompt {
            self.prompted = seq;
        }
    }

    /// Cuts the next packet from a byte stream: as large as fits, with `frag` unless the buffer
    /// drains or a message is complete. Nothing may go if that could stall an old peer.
    fn cut(&mut self, outlet: &Outlet<'_>, seq: u32, ack: Option<&Ack>) -> Option<Cut> {
        let Some(&Queued::Bytes(available)) = self.queue.front() else {
            return None;
        };
        let mut header = ChannelHeader::new(outlet.id.get());
        header.seq = Some(seq);
        if let Some(ack) = ack {
            header.ack = Some(ack.ack);
            header.miss.clone_from(&ack.misses);
        }
        let guesses = &mut self.guess;
        let mut fit = |frag: bool| {
            header.frag = frag;
            let guess = &mut guesses[usize::from(frag)];
            Cut {
                len: wire::fit(&header, available, outlet.max, outlet.z, guess),
                frag,
            }
        };
        let mut cut = if available <= outlet.max {
            fit(false)
        } else {
            fit(true)
        };
        if !cut.frag && cut.len < available {
            cut = fit(true);
        }
        if cut.frag && self.message + cut.len >= MESSAGE {
            cut = fit(false);
        }
        // Not even a byte fits: send one all the same, or the stream would never move.
        cut.len = cut.len.max(1);
        (cut.frag || !self.is_stalling()).then_some(cut)
    }

    /// Retransmits the next lost packet.
    pub(super) fn emit_lost(&mut self, outlet: Outlet<'_>, ack: Option<Ack>) -> Option<Emitted> {
        if !self.wants_lost() {
            return None;
        }
        let seq = self.lost.pop_front()?;
        let segment = self
            .flight
            .get_mut(seq.checked_sub(self.acked)?.checked_sub(1)? as usize)?;
        let opens = segment.is_open();
        let body = self.buffer.slice(segment.address, segment.len);
        let Outlet {
            now,
            id,
            z,
            max,
            slot,
            lane,
            out,
        } = outlet;
        let (frag, end) = (segment.frag, segment.end);
        let emitted = with_header(id, seq, &mut segment.head, |header| {
            header.frag = frag;
            header.end = end;
            append(out, header, body, z, max, ack.filter(|_| !opens))
        })?;
        let counts = !opens && !segment.probe;
        segment.number = lane.on_sent_sequenced(now, emitted.len as u64, counts);
        segment.sent_at = now;
        segment.slot = slot;
        segment.attempts = segment.attempts.saturating_add(1);
        segment.reported = 0;
        segment.state = State::Sent;
        segment.prompt = emitted.with_ack || !frag;
        self.sent_at = now;
        self.sent_prompt = segment.prompt;
        self.retransmitted += 1;
        Some(emitted)
    }

    /// Forgets all packets; none counts as under way any more.
    pub(in crate::flow) fn withdraw(&self, lanes: &mut Lanes) {
        for segment in &self.flight {
            if let Some(lane) = lanes.get_mut(segment.slot) {
                lane.on_withdrawn(segment.number);
            }
        }
    }
}

/// Appends a packet, with the ack if that fits.
fn append(
    out: &mut Vec<u8>,
    header: &mut ChannelHeader<'_>,
    body: &[u8],
    z: Compression,
    max: usize,
    ack: Option<Ack>,
) -> Option<Emitted> {
    if let Some(ack) = ack {
        header.ack = Some(ack.ack);
        header.miss = ack.misses;
        if wire::len(header, body.len(), z) > max {
            header.ack = None;
            header.miss = None;
        }
    }
    let with_ack = header.ack.is_some();
    wire::append(out, header, body, z).map(|len| Emitted { len, with_ack })
}
