//! What an application does with its channels: writes, reads, ends, and notes what it was told.

use telehash_link::{ChannelEvent, ChannelId, Instant, Packet, SendError};

use crate::{
    ledger::{Ledger, Side},
    node::Held,
};

/// One end of a channel.
#[derive(Debug)]
pub(crate) struct End {
    /// Of the channel, in the ledger.
    pub(crate) number: usize,
    pub(crate) side: Side,
    pub(crate) reliable: bool,
    /// Bytes that are still to be written.
    backlog: usize,
    /// To be ended once they are.
    ending: bool,
    ended: bool,
    /// Read as things come; others wait for somebody who reads.
    eager: bool,
    /// Both directions have ended.
    closed: bool,
}

impl End {
    pub(crate) fn new(number: usize, side: Side, reliable: bool) -> Self {
        Self {
            number,
            side,
            reliable,
            backlog: 0,
            ending: false,
            ended: false,
            eager: !number.is_multiple_of(3),
            closed: false,
        }
    }

    /// The same, with something to say, after which it ends.
    pub(crate) fn saying(mut self, bytes: usize) -> Self {
        (self.backlog, self.ending) = (bytes, true);
        self
    }
}

/// Bytes that are written at once at most.
const CHUNK: usize = 4_096;

impl Held {
    /// Takes an end into the books.
    pub(crate) fn put(&mut self, id: ChannelId, end: End) {
        let former = self.ends.insert(id, end);
        assert!(
            former.is_none_or(|former| former.closed || !former.reliable),
            "channel id {id} was used twice in one session"
        );
    }

    pub(crate) fn accept(&mut self, now: Instant, id: ChannelId, end: End) {
        if end.number % 11 == 10 {
            return self.link.refuse(now, id, "no");
        }
        if self.link.accept(now, id).is_ok() {
            self.put(id, end);
        }
    }

    /// The session is over: of channels that were open we were told before.
    pub(crate) fn forget_channels(&mut self) {
        for (id, end) in std::mem::take(&mut self.ends) {
            assert!(
                end.closed || !end.reliable,
                "channel {id} outlived its session without a word: {end:?}"
            );
        }
    }

    pub(crate) fn heard(&mut self, now: Instant, event: &ChannelEvent, ledger: &mut Ledger) {
        match event {
            ChannelEvent::Closed(id) => {
                if let Some(end) = self.ends.get_mut(id) {
                    assert!(!end.closed, "channel {id} closed twice");
                    end.closed = true;
                    ledger.closed(end.number, end.side);
                }
            }
            ChannelEvent::Failed { id, .. } => {
                if let Some(end) = self.ends.remove(id) {
                    assert!(!end.closed, "channel {id} failed after it had closed");
                    ledger.closed(end.number, end.side);
                }
            }
            ChannelEvent::Readable(id) if self.ends.get(id).is_some_and(|end| end.eager) => {
                self.read(now, *id, usize::MAX, ledger);
            }
            _ => {}
        }
    }

    /// Writes what is still to be written, and ends what is to be ended. Whoever is tidy ends
    /// everything and reads all there is.
    pub(crate) fn work(&mut self, now: Instant, tidy: bool, ledger: &mut Ledger) {
        let ids: Vec<_> = self.ends.keys().copied().collect();
        for id in ids {
            if let Some(end) = self.ends.get_mut(&id) {
                end.ending |= tidy;
                end.eager |= tidy;
            }
            self.flush(now, id, ledger);
            if tidy {
                self.read(now, id, usize::MAX, ledger);
            }
        }
    }

    /// Has bytes written to a channel, now or when there is room.
    pub(crate) fn write(&mut self, now: Instant, id: ChannelId, bytes: usize, ledger: &mut Ledger) {
        if let Some(end) = self.ends.get_mut(&id)
            && !end.ending
        {
            end.backlog += bytes;
        }
        self.flush(now, id, ledger);
    }

    /// Sends one packet.
    pub(crate) fn send(&mut self, now: Instant, id: ChannelId, bytes: usize, ledger: &mut Ledger) {
        let len = bytes.min(self.link.quota(id));
        let Some(end) = self.ends.get_mut(&id) else {
            return;
        };
        if end.ending || end.backlog > 0 {
            return;
        }
        if end.reliable {
            let body = ledger.next_bytes(end.number, end.side, len);
            if self.link.send(now, id, Packet::new(body)).is_ok() {
                ledger.wrote(end.number, end.side, len);
            }
        } else if len > 8 {
            let body = ledger.next_packet(end.number, end.side, len);
            let _ = self.link.send(now, id, Packet::new(body));
        }
    }

    pub(crate) fn end(&mut self, now: Instant, id: ChannelId, ledger: &mut Ledger) {
        if let Some(end) = self.ends.get_mut(&id) {
            end.ending = true;
        }
        self.flush(now, id, ledger);
    }

    /// Reads so many packets.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        id: ChannelId,
        packets: usize,
        ledger: &mut Ledger,
    ) {
        let Some(end) = self.ends.get(&id) else {
            return;
        };
        for _ in 0..packets {
            let Ok(Some(packet)) = self.link.read(now, id) else {
                return;
            };
            ledger.read(end.number, end.side, &packet);
        }
    }

    fn flush(&mut self, now: Instant, id: ChannelId, ledger: &mut Ledger) {
        let Some(end) = self.ends.get_mut(&id) else {
            return;
        };
        while end.reliable && end.backlog > 0 {
            let data = ledger.next_bytes(end.number, end.side, end.backlog.min(CHUNK));
            match self.link.write(now, id, &data) {
                Ok(0) => return,
                Ok(taken) => {
                    ledger.wrote(end.number, end.side, taken);
                    end.backlog -= taken;
                }
                Err(SendError::Channel(_)) => return,
                Err(error) => panic!("channel {id} takes nothing: {error}"),
            }
        }
        if end.ending && !end.ended && self.link.end(now, id).is_ok() {
            end.ended = true;
            ledger.ended(end.number, end.side);
        }
    }

    /// Fails a channel.
    pub(crate) fn fail(&mut self, now: Instant, id: ChannelId, ledger: &mut Ledger) {
        self.link.fail(now, id, "chaos");
        if let Some(end) = self.ends.remove(&id) {
            ledger.closed(end.number, end.side);
        }
    }

    /// Reliable channels that this end waits for. One that is over for the other end does not count:
    /// who has no answer to its last word, an `end` or an `err`, for ten seconds takes it for read, and
    /// if it was lost nobody ever says it again.
    pub(crate) fn left(&self, ledger: &Ledger) -> Vec<&End> {
        let is_left = |end: &&End| {
            let settled = end.closed || ledger.has_closed(end.number, end.side.other());
            end.reliable && !settled
        };
        self.ends.values().filter(is_left).collect()
    }

    /// Channels that are over for the application, but not for the link.
    pub(crate) fn remembered(&self) -> usize {
        let ends = self
            .ends
            .iter()
            .filter(|(_, end)| end.closed || !end.reliable);
        ends.filter(|(id, _)| self.link.channel_stats(**id).is_some())
            .count()
    }

    /// Whether the channel of this number in the ledger has closed.
    pub(crate) fn has_closed(&self, number: usize) -> bool {
        let mut ends = self.ends.values();
        ends.any(|end| end.number == number && end.closed)
    }
}
