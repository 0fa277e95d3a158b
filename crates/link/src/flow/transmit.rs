//! Packets out.

use alloc::{borrow::Cow, vec::Vec};

use telehash_e3x::Instant;
use telehash_lob::ChannelHeader;

use super::{
    Flow,
    channel::{Flavor, Stage},
    lane::Gate,
    ready::Turn,
    reliable::Outlet,
    table::Key,
    types::{PipeSlot, Sent},
    wire,
};

/// Bytes that a channel may send before it is the next one's turn.
const QUANTUM: i64 = 4096;

/// What a channel beyond the limit is refused with.
const TOO_MANY: &str = "too many channels";

/// A packet that was appended: its length, and whether it will be acknowledged.
type Appended = (usize, bool);

impl Flow {
    /// Appends one inner plaintext for the pipe `slot` to `out`; call until `None`.
    ///
    /// It has at most `max_plain` bytes, and exactly that many while a byte stream has enough, so
    /// that packets make runs of equal size. Only a packet that was cut for a larger pipe, and
    /// cannot be cut again, exceeds it; [`Sent::len`] tells.
    ///
    /// Acks, errors and opens come first, then retransmissions, then fresh content, round robin by
    /// bytes. Pipes that are not selected get pinned packets only. `None` means that nothing may go
    /// now: [`poll_timeout`](Self::poll_timeout) says when that changes by itself.
    pub fn poll_packet(
        &mut self,
        now: Instant,
        slot: PipeSlot,
        max_plain: usize,
        out: &mut Vec<u8>,
    ) -> Option<Sent> {
        if let Some(sent) = self.send_pinned(slot, out) {
            return Some(sent);
        }
        if self.lanes.selected() != Some(slot) {
            return None;
        }
        self.set_max_plain(max_plain);
        let (len, ack_eliciting) = self
            .send_refusal(out)
            .or_else(|| self.send_control(now, out))
            .or_else(|| self.send_content(now, out))?;
        Some(Sent {
            ack_eliciting,
            len,
            probe: false,
        })
    }

    /// Packets sent from now on have room for this many bytes on the selected pipe. Polling tells
    /// as well; tell before if [`send`](Self::send) should know sooner. Packets that fitted once are
    /// still taken when there is less room: they go as they are.
    pub fn set_max_plain(&mut self, max_plain: usize) {
        self.max_plain = max_plain;
        self.most_plain = self.most_plain.max(max_plain);
        if let Some(lane) = self.lanes.current_mut() {
            lane.set_packet_size(max_plain as u64);
        }
    }

    fn send_pinned(&mut self, slot: PipeSlot, out: &mut Vec<u8>) -> Option<Sent> {
        let lane = self.lanes.get_mut(slot)?;
        while let Some(pinned) = lane.pinned.pop_front() {
            let probe = pinned.fill.is_some();
            if let Some(len) = pinned.append(out, self.z) {
                lane.on_sent(len as u64);
                return Some(Sent {
                    ack_eliciting: false,
                    len,
                    probe,
                });
            }
        }
        None
    }

    /// Refuses a channel that there was no room for.
    fn send_refusal(&mut self, out: &mut Vec<u8>) -> Option<Appended> {
        let id = self.refusals.pop_front()?;
        let mut header = ChannelHeader::new(id.get());
        header.err = Some(Cow::Borrowed(TOO_MANY));
        self.append_control(&header, out)
    }

    fn append_control(
        &mut self,
        header: &ChannelHeader<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Appended> {
        let len = wire::append(out, header, &[], self.z)?;
        self.lanes.current_mut()?.on_sent(len as u64);
        Some((len, false))
    }

    /// Sends an `err` or an ack. These do not wait for the congestion window.
    fn send_control(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Appended> {
        while let Some(key) = self.ready.first(Turn::Control) {
            let appended = self
                .send_err(now, key, out)
                .or_else(|| self.send_ack(now, key, out));
            self.settle(now, key);
            if appended.is_some() {
                return appended;
            }
            // It had nothing to say after all.
            self.ready.set(Turn::Control, key, false);
        }
        None
    }

    fn send_err(&mut self, now: Instant, key: Key, out: &mut Vec<u8>) -> Option<Appended> {
        let channel = self.table.get_mut(key)?;
        let Stage::Failed(grave) = &mut channel.stage else {
            return None;
        };
        let mut header = ChannelHeader::new(channel.id.get());
        header.err = Some(Cow::Borrowed(grave.text()));
        let len = wire::append(out, &header, &[], self.z);
        grave.on_sent(now);
        let len = len?;
        self.lanes.current_mut()?.on_sent(len as u64);
        Some((len, false))
    }

    /// Sends an ack along with content if there is some, by itself otherwise.
    fn send_ack(&mut self, now: Instant, key: Key, out: &mut Vec<u8>) -> Option<Appended> {
        if self.table.get(key)?.wants_fresh()
            && self.lanes.current_mut()?.gate(now) == Gate::Open
            && let Some(appended) = self.send_fresh(now, key, out)
        {
            return Some(appended);
        }
        let spare = self.spare();
        let Self {
            table,
            lanes,
            config,
            z,
            max_plain,
            ..
        } = self;
        let channel = table.get_mut(key)?;
        let Flavor::Reliable(reliable) = &mut channel.flavor else {
            return None;
        };
        let len = reliable.emit_ack(channel.id, *z, *max_plain, out, spare, config)?;
        lanes.current_mut()?.on_sent(len as u64);
        Some((len, false))
    }

    /// Sends an open, a retransmission or fresh content, as far as the pipe lets it.
    fn send_content(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Appended> {
        let waits = [Turn::Open, Turn::Lost, Turn::Fresh].map(|turn| self.ready.first(turn));
        if waits.iter().any(Option::is_some) && self.lanes.current_mut()?.gate(now) != Gate::Open {
            return None;
        }
        let appended = self
            .send_in_turn(now, Turn::Open, out)
            .or_else(|| self.send_in_turn(now, Turn::Lost, out))
            .or_else(|| self.send_in_turn(now, Turn::Fresh, out));
        if appended.is_none() {
            self.lanes.current_mut()?.on_idle();
        }
        appended
    }

    /// Lets the first channel of a queue that has something after all send one packet.
    fn send_in_turn(&mut self, now: Instant, turn: Turn, out: &mut Vec<u8>) -> Option<Appended> {
        while let Some(key) = self.ready.first(turn) {
            let appended = match turn {
                Turn::Lost => self.send_lost(now, key, out),
                _ => self.send_fresh(now, key, out),
            };
            if let Some(appended) = appended {
                self.settle(now, key);
                self.end_turn(turn, key);
                return Some(appended);
            }
            // Old peers let an unfragmented packet wait for acks, which bring the channel back.
            self.ready.set(turn, key, false);
        }
        None
    }

    /// Sends the channel to the back of its queue once it has used up its share.
    fn end_turn(&mut self, turn: Turn, key: Key) {
        let Some(channel) = self.table.get_mut(key) else {
            return;
        };
        if turn != Turn::Fresh {
            self.ready.rotate(turn, key);
        } else if channel.deficit <= 0 {
            channel.deficit += QUANTUM;
            self.ready.rotate(turn, key);
        }
    }

    fn send_fresh(&mut self, now: Instant, key: Key, out: &mut Vec<u8>) -> Option<Appended> {
        let spare = self.spare();
        let Self {
            table,
            lanes,
            config,
            events,
            z,
            max_plain,
            ..
        } = self;
        let slot = lanes.selected()?;
        let (channel, lane) = (table.get_mut(key)?, lanes.current_mut()?);
        let outlet = Outlet {
            now,
            id: channel.id,
            z: *z,
            max: *max_plain,
            slot,
            lane,
            out,
        };
        let appended = channel.emit_fresh(outlet, spare, config);
        channel.tell_writable(config, events);
        appended
    }

    fn send_lost(&mut self, now: Instant, key: Key, out: &mut Vec<u8>) -> Option<Appended> {
        let spare = self.spare();
        let Self {
            table,
            lanes,
            config,
            z,
            max_plain,
            ..
        } = self;
        let slot = lanes.selected()?;
        let (channel, lane) = (table.get_mut(key)?, lanes.current_mut()?);
        let outlet = Outlet {
            now,
            id: channel.id,
            z: *z,
            max: *max_plain,
            slot,
            lane,
            out,
        };
        Some((channel.emit_lost(outlet, spare, config)?, true))
    }

    /// Bytes that all channels together may still hold for their readers.
    fn spare(&self) -> usize {
        self.config.link_recv_bytes.saturating_sub(self.held)
    }
}
