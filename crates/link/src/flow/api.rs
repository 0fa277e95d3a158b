//! What the application does.

use alloc::boxed::Box;

use telehash_e3x::Instant;
use telehash_lob::ChannelHeader;

use super::{
    Flow,
    channel::{Channel, Flavor, Stage},
    error::{ChannelError, OpenError, SendError},
    grave::Grave,
    pinned::{MAX_PINNED, Pinned},
    reliable::Reliable,
    table::Key,
    types::{AckMode, ChannelEvent, ChannelId, Open, Packet, PipeSlot},
    unreliable::Unreliable,
    wire,
};

/// Opening.
impl Flow {
    /// Opens a channel. The opening packet leaves with the next poll; content may be sent at once.
    ///
    /// # Errors
    /// See [`OpenError`]; all are local.
    pub fn open(&mut self, now: Instant, open: Open) -> Result<ChannelId, OpenError> {
        let Open {
            kind,
            reliable,
            head,
            body,
            ack_mode,
            timeout,
            pipe,
            fill,
        } = open;
        if pipe.is_some() && reliable {
            return Err(OpenError::Pinned);
        }
        if pipe.is_some_and(|slot| self.lanes.get(slot).is_none()) {
            return Err(OpenError::NoSuchPipe);
        }
        let mut packet = Packet {
            head,
            body,
            ..Packet::default()
        };
        self.check_size(u32::MAX, Some(&kind), reliable.then_some(1), &mut packet)
            .map_err(|quota| OpenError::TooLarge { quota })?;
        if !self.has_room(true) {
            return Err(OpenError::TooMany {
                limit: self.config.max_channels,
            });
        }
        let id = self.ids.allocate().ok_or(OpenError::IdsExhausted)?;
        let until = now + timeout.unwrap_or(self.config.open_timeout);
        let kind = kind.into_boxed_str();
        let flavor = if reliable {
            let mut reliable = Reliable::opener(now, ack_mode, &self.config);
            reliable.outbound.push_packet(Some(kind), packet);
            Flavor::Reliable(reliable.into())
        } else if let Some(slot) = pipe {
            self.pin(
                slot,
                Pinned {
                    id,
                    kind: Some(kind),
                    packet,
                    fill,
                },
            );
            Flavor::Unreliable(Box::default())
        } else {
            Flavor::Unreliable(Unreliable::opener(kind, packet).into())
        };
        self.insert(
            now,
            Channel::new(id, true, Stage::Opening { until }, flavor),
        );
        Ok(id)
    }

    /// Accepts a channel that the peer opened. Its open is acknowledged from now on: by the next
    /// packet, so that a first [`send`](Self::send) right after this carries the ack.
    ///
    /// # Errors
    /// [`ChannelError::Unknown`] if it is gone, or the error it failed with.
    pub fn accept(&mut self, now: Instant, id: ChannelId) -> Result<(), ChannelError> {
        let key = self.live(id)?;
        self.change(now, key, Channel::accept);
        Ok(())
    }

    /// Refuses a channel that the peer opened, saying why.
    pub fn refuse(&mut self, now: Instant, id: ChannelId, err: &str) {
        self.fail_local(now, id, err, false);
    }

    /// When the packets of a reliable channel are acknowledged.
    ///
    /// # Errors
    /// [`ChannelError::Unknown`] if it is gone, or the error it failed with.
    pub fn set_ack_mode(&mut self, id: ChannelId, mode: AckMode) -> Result<(), ChannelError> {
        let key = self.live(id)?;
        if let Some(Channel {
            flavor: Flavor::Reliable(reliable),
            ..
        }) = self.table.get_mut(key)
        {
            reliable.inbound.set_mode(mode);
        }
        Ok(())
    }
}

/// Limit: bytes of body that [`Flow::post`] takes, a handshake of the longest keys; more are refused.
/// What exceeds the packets of the pipe goes as one that may be fragmented.
pub const MAX_POSTED: usize = 2048;

/// Channels that are nothing but their opening packet.
impl Flow {
    /// Sends the opening packet of an unreliable channel and forgets the channel: an answer would be
    /// dropped. It leaves by the selected pipe; at most [`MAX_PINNED`] wait there.
    ///
    /// # Errors
    /// See [`OpenError`]; all are local.
    pub fn post(&mut self, open: Open) -> Result<(), OpenError> {
        let slot = self.lanes.selected().ok_or(OpenError::NoSuchPipe)?;
        let packet = Packet {
            head: open.head,
            body: open.body,
            ..Packet::default()
        };
        if packet.body.len() > MAX_POSTED {
            return Err(OpenError::TooLarge { quota: MAX_POSTED });
        }
        let id = self.ids.allocate().ok_or(OpenError::IdsExhausted)?;
        let pinned = Pinned {
            id,
            kind: Some(open.kind.into_boxed_str()),
            packet,
            fill: None,
        };
        self.pin(slot, pinned);
        Ok(())
    }

    /// Drops a channel without a word to the peer, whoever opened it. What still comes on it is
    /// dropped too.
    pub fn forget(&mut self, id: ChannelId) {
        if let Some(key) = self.table.find(id) {
            self.remove(key);
        }
    }
}

/// Sending.
impl Flow {
    /// Sends one packet. On a reliable channel it is one packet of the wire, never cut; on an
    /// unreliable one the oldest queued packet makes room.
    ///
    /// # Errors
    /// [`SendError::Blocked`] gives the packet back; [`ChannelEvent::Writable`] says when to try
    /// again. See [`SendError`] for the others.
    pub fn send(
        &mut self,
        now: Instant,
        id: ChannelId,
        mut packet: Packet,
    ) -> Result<(), SendError> {
        let key = self.sendable(id)?;
        let channel = self.table.get(key).ok_or(ChannelError::Unknown)?;
        let sequenced = matches!(channel.flavor, Flavor::Reliable(_));
        self.check_size(id.get(), None, sequenced.then_some(u32::MAX), &mut packet)
            .map_err(|quota| SendError::TooLarge { quota })?;
        match packet.pipe {
            Some(_) if sequenced => Err(SendError::Pinned),
            Some(slot) => self.send_by(now, key, slot, packet),
            None => self.send_queued(now, key, packet),
        }
    }

    fn send_by(
        &mut self,
        now: Instant,
        key: Key,
        slot: PipeSlot,
        packet: Packet,
    ) -> Result<(), SendError> {
        if self.lanes.get(slot).is_none() {
            return Err(SendError::NoSuchPipe);
        }
        let end = packet.end;
        let id = self.change(now, key, |channel, _| {
            if let Flavor::Unreliable(unreliable) = &mut channel.flavor {
                unreliable.on_sent(now, end);
            }
            channel.id
        });
        let id = id.ok_or(ChannelError::Unknown)?;
        self.pin(
            slot,
            Pinned {
                id,
                kind: None,
                packet,
                fill: None,
            },
        );
        Ok(())
    }

    fn send_queued(&mut self, now: Instant, key: Key, packet: Packet) -> Result<(), SendError> {
        let sent = self.change(now, key, |channel, cx| {
            match &mut channel.flavor {
                Flavor::Reliable(reliable) => {
                    let outbound = &mut reliable.outbound;
                    // An `end` ends the queue: it may exceed it.
                    if !(packet.end || outbound.takes(packet.body.len(), cx.config)) {
                        channel.blocked = true;
                        return Err(SendError::Blocked(packet));
                    }
                    outbound.push_packet(None, packet);
                }
                Flavor::Unreliable(unreliable) => unreliable.send(packet, cx.config),
                Flavor::Nothing => return Err(ChannelError::Unknown.into()),
            }
            Ok(())
        });
        sent.unwrap_or(Err(ChannelError::Unknown.into()))
    }

    /// Writes bytes of a stream to a reliable channel; they are cut into packets when they leave.
    /// Returns how many were taken, from the front. If not all were, [`ChannelEvent::Writable`]
    /// says when to go on.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn write(&mut self, now: Instant, id: ChannelId, data: &[u8]) -> Result<usize, SendError> {
        let key = self.sendable(id)?;
        let written = self.change(now, key, |channel, cx| {
            let Flavor::Reliable(reliable) = &mut channel.flavor else {
                return Err(SendError::NotAStream);
            };
            let taken = data
                .get(..reliable.outbound.room(cx.config))
                .unwrap_or(data);
            reliable.outbound.push_bytes(taken);
            channel.blocked |= taken.len() < data.len();
            Ok(taken.len())
        });
        written.unwrap_or(Err(ChannelError::Unknown.into()))
    }

    /// Bytes that [`write`](Self::write) would take now.
    #[must_use]
    pub fn writable(&self, id: ChannelId) -> usize {
        let channel = self.table.find(id).and_then(|key| self.table.get(key));
        channel.map_or(0, |channel| channel.room(&self.config))
    }

    /// Packets of this many body bytes that an unreliable channel queues without dropping earlier ones.
    #[must_use]
    pub fn queue_room(&self, id: ChannelId, body: usize) -> usize {
        let channel = self.table.find(id).and_then(|key| self.table.get(key));
        match channel.map(|channel| &channel.flavor) {
            Some(Flavor::Unreliable(unreliable)) => unreliable.room(body, &self.config),
            _ => 0,
        }
    }

    /// Body bytes that fit a packet of `max_plain` bytes without header fields of its own.
    #[must_use]
    pub fn quota(&self, id: ChannelId, max_plain: usize) -> usize {
        let Some(channel) = self.table.find(id).and_then(|key| self.table.get(key)) else {
            return 0;
        };
        let mut header = ChannelHeader::new(id.get());
        header.seq = matches!(channel.flavor, Flavor::Reliable(_)).then_some(u32::MAX);
        header.frag = true;
        wire::fit(&header, max_plain, max_plain, self.z, &mut 0)
    }

    /// Makes sure that a packet fits; otherwise says how many body bytes fit beside its head.
    fn check_size(
        &self,
        id: u32,
        kind: Option<&str>,
        seq: Option<u32>,
        packet: &mut Packet,
    ) -> Result<(), usize> {
        let mut header = ChannelHeader::new(id);
        header.kind = kind.map(Into::into);
        header.seq = seq;
        header.frag = packet.frag;
        header.end = packet.end;
        header.extra = packet.head.take();
        let len = wire::len(&header, packet.body.len(), self.z);
        let fits = len <= self.most_plain && wire::head_fits(&header);
        let quota = || wire::fit(&header, self.max_plain, self.max_plain, self.z, &mut 0);
        let result = if fits { Ok(()) } else { Err(quota()) };
        packet.head = header.extra;
        result
    }

    fn pin(&mut self, slot: PipeSlot, pinned: Pinned) {
        let Some(lane) = self.lanes.get_mut(slot) else {
            return;
        };
        if lane.pinned.len() >= MAX_PINNED {
            lane.pinned.pop_front();
        }
        lane.pinned.push_back(pinned);
    }
}

/// Receiving, and ending.
impl Flow {
    /// The next packet of a channel, in order if it is reliable; `None` until
    /// [`ChannelEvent::Readable`] comes again.
    ///
    /// # Errors
    /// [`ChannelError::Unknown`] if it is gone, or the error it failed with.
    pub fn read(&mut self, now: Instant, id: ChannelId) -> Result<Option<Packet>, ChannelError> {
        let key = self.live(id)?;
        Ok(self.change(now, key, Channel::read).flatten())
    }

    /// Ends our direction, after what is queued. Receiving goes on until the peer ends its own.
    /// Nothing happens if it was ended before.
    ///
    /// # Errors
    /// [`ChannelError::Unknown`] if it is gone, or the error it failed with.
    pub fn end(&mut self, now: Instant, id: ChannelId) -> Result<(), ChannelError> {
        let key = self.live(id)?;
        self.change(now, key, |channel, cx| {
            if channel.is_ended() {
                return;
            }
            let packet = Packet::default().end();
            match &mut channel.flavor {
                Flavor::Reliable(reliable) => reliable.outbound.push_packet(None, packet),
                Flavor::Unreliable(unreliable) => unreliable.send(packet, cx.config),
                Flavor::Nothing => {}
            }
        });
        Ok(())
    }

    /// Fails a channel: its buffers are dropped, the peer is told why.
    pub fn fail(&mut self, now: Instant, id: ChannelId, err: &str) {
        self.fail_local(now, id, err, true);
    }

    fn fail_local(&mut self, now: Instant, id: ChannelId, err: &str, persistent: bool) {
        let Ok(key) = self.live(id) else { return };
        self.bury(now, key, ChannelError::Local(err.into()), err, persistent);
    }

    /// Fails a channel for a reason that its owner has to be told too.
    pub(super) fn fail_key(&mut self, now: Instant, key: Key, error: ChannelError) {
        let Some(channel) = self.table.get(key) else {
            return;
        };
        self.events.push_back(ChannelEvent::Failed {
            id: channel.id,
            error: error.clone(),
        });
        let err = match &error {
            ChannelError::Exhausted => "sequence numbers exhausted",
            _ => "timeout",
        };
        self.bury(now, key, error, err, true);
    }

    /// Drops the buffers of a channel, and remembers it to tell the peer.
    fn bury(&mut self, now: Instant, key: Key, error: ChannelError, err: &str, persistent: bool) {
        let Some(mut channel) = self.remove(key) else {
            return;
        };
        let reliable = matches!(channel.flavor, Flavor::Reliable(_));
        let until = now + self.config.ended_linger;
        let grave = Grave::new(error, err, persistent && reliable, until);
        channel.flavor = Flavor::Nothing;
        channel.stage = Stage::Failed(grave.into());
        self.insert(now, channel);
    }

    /// The key of a channel that has not failed.
    fn live(&self, id: ChannelId) -> Result<Key, ChannelError> {
        let key = self.table.find(id).ok_or(ChannelError::Unknown)?;
        match self.table.get(key).map(|channel| &channel.stage) {
            Some(Stage::Failed(grave)) => Err(grave.error().clone()),
            Some(_) => Ok(key),
            None => Err(ChannelError::Unknown),
        }
    }

    /// The key of a channel that content may be sent on.
    fn sendable(&self, id: ChannelId) -> Result<Key, SendError> {
        let key = self.live(id)?;
        let channel = self.table.get(key).ok_or(ChannelError::Unknown)?;
        if matches!(channel.stage, Stage::Offered { .. }) {
            return Err(SendError::NotAccepted);
        }
        if channel.is_ended() {
            return Err(SendError::Ended);
        }
        Ok(key)
    }
}
