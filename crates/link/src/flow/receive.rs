//! Packets in.

use alloc::string::String;

use bytes::Bytes;
use telehash_e3x::Instant;
use telehash_lob::{ChannelHeader, HeaderError};

use super::{
    Flow, MAX_REFUSALS,
    channel::{Channel, Flavor, Received, Stage},
    error::{ChannelError, PacketError},
    reliable::Reliable,
    table::Key,
    types::{ChannelEvent, ChannelId, Packet, PipeSlot},
    unreliable::Unreliable,
};

impl Flow {
    /// Takes one decrypted inner packet that came by the pipe `slot`.
    ///
    /// # Errors
    /// It was dropped, in whole or in part: for counters, never for the sender. See
    /// [`PacketError`].
    pub fn handle_packet(
        &mut self,
        now: Instant,
        slot: PipeSlot,
        plain: &[u8],
    ) -> Result<(), PacketError> {
        let payload = self.z.open(plain)?;
        let (header, body) = ChannelHeader::decode(&payload, self.z)?;
        let body = payload.get(body).unwrap_or_default();
        let id = ChannelId::new(header.channel).ok_or(HeaderError::NoChannel)?;
        let packet = Received {
            header,
            body,
            len: payload.len(),
            slot,
        };
        match self.table.find(id) {
            Some(key) => self.on_packet(now, key, packet),
            None if packet.header.kind.is_some() && packet.header.err.is_none() => {
                self.on_open(now, id, packet)
            }
            None => Err(PacketError::UnknownChannel(id)),
        }
    }

    /// A packet of a channel in the table.
    fn on_packet(
        &mut self,
        now: Instant,
        key: Key,
        packet: Received<'_>,
    ) -> Result<(), PacketError> {
        if let Some(err) = packet.header.err {
            self.on_err(key, err.into_owned());
            return Ok(());
        }
        let result = self.change(now, key, |channel, cx| {
            if let Stage::Failed(grave) = &mut channel.stage {
                grave.on_packet();
                return Ok(());
            }
            let result = channel.receive(cx, packet);
            cx.lanes.settle(now);
            result
        });
        result.unwrap_or(Ok(()))
    }

    /// The peer failed a channel: that closes it at once, whatever is in its buffers.
    fn on_err(&mut self, key: Key, err: String) {
        let Some(channel) = self.remove(key) else {
            return;
        };
        if !matches!(channel.stage, Stage::Failed(_) | Stage::Closed { .. }) {
            let (id, error) = (channel.id, ChannelError::Peer(err));
            self.events.push_back(ChannelEvent::Failed { id, error });
        }
    }

    /// The opening packet of a channel of the peer.
    fn on_open(
        &mut self,
        now: Instant,
        id: ChannelId,
        packet: Received<'_>,
    ) -> Result<(), PacketError> {
        let Received {
            header, body, slot, ..
        } = packet;
        let reliable = match header.seq {
            None => false,
            Some(1) => true,
            Some(_) => return Err(PacketError::BadSeq(id)),
        };
        self.ids.accept(id)?;
        if !self.has_room(false) {
            if self.refusals.len() < MAX_REFUSALS {
                self.refusals.push_back(id);
            }
            return Err(PacketError::TooManyChannels(id));
        }
        let end = header.end;
        let flavor = if reliable {
            Flavor::Reliable(Reliable::opened(now, end, &self.config).into())
        } else {
            Flavor::Unreliable(Unreliable::opened(now, end).into())
        };
        let stage = Stage::Offered {
            until: now + self.config.open_timeout,
        };
        let packet = Packet {
            head: header.extra,
            body: Bytes::copy_from_slice(body),
            frag: header.frag,
            end,
            pipe: Some(slot),
        };
        let kind = header.kind.unwrap_or_default().into_owned();
        self.events.push_back(ChannelEvent::Opened {
            id,
            kind,
            reliable,
            packet,
        });
        let key = self.insert(now, Channel::new(id, false, stage, flavor));
        self.change(now, key, Channel::tell);
        Ok(())
    }
}
