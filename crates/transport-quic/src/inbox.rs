//! The receiving half of a connection.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{BoxStream, unfold},
};
use quinn::{Connection, ConnectionError, ReadToEndError, RecvStream};
use telehash_transport::{Capabilities, Remote};

use crate::{
    limits::MAX_STREAMS,
    packer::Packer,
    stats::{Counters, count},
};

/// Packets that arrive on one connection.
pub(crate) struct Inbox {
    /// Ends with the reason why the connection did.
    datagrams: BoxStream<'static, Result<Bytes, ConnectionError>>,
    /// Packets on streams: what was read of each, or nothing.
    streams: BoxStream<'static, Option<Vec<u8>>>,
    streams_ended: bool,
    end: Option<ConnectionError>,
}

/// How receiving went.
pub(crate) enum Received {
    /// Everything was received that has arrived.
    All,
    /// There may be more.
    Some,
    /// Everything was received that ever will arrive.
    Last(ConnectionError),
}

impl Inbox {
    pub(crate) fn new(connection: &Connection) -> Self {
        let datagrams = unfold(connection.clone(), async |connection| {
            Some((connection.read_datagram().await, connection))
        });
        let streams = unfold(connection.clone(), async |connection| {
            let stream = connection.accept_uni().await.ok()?;
            Some((stream, connection))
        });
        Self {
            datagrams: datagrams.boxed(),
            streams: streams
                .map(read_packet)
                .buffer_unordered(MAX_STREAMS)
                .boxed(),
            streams_ended: false,
            end: None,
        }
    }

    /// Puts packets into a batch while it has room.
    pub(crate) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        remote: Remote,
        packer: &mut Packer<'_>,
        counters: &Counters,
    ) -> Received {
        let streams_waited = self.receive_streams(cx, remote, packer, counters);
        let datagrams_waited = self.receive_datagrams(cx, remote, packer, counters);
        match &self.end {
            Some(end) if self.streams_ended => Received::Last(end.clone()),
            _ if streams_waited && datagrams_waited => Received::All,
            _ => Received::Some,
        }
    }

    /// True once there is nothing left to receive now; false if there may be.
    fn receive_datagrams(
        &mut self,
        cx: &mut Context<'_>,
        remote: Remote,
        packer: &mut Packer<'_>,
        counters: &Counters,
    ) -> bool {
        if self.end.is_some() {
            return true;
        }
        let (mut packets, mut bytes) = (0, 0);
        let waited = loop {
            if !packer.has_room() {
                break false;
            }
            match self.datagrams.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(packet))) => {
                    if !packet.is_empty() && packer.push(remote, &packet) {
                        packets += 1;
                        bytes += packet.len();
                    }
                }
                Poll::Ready(Some(Err(end))) => {
                    self.end = Some(end);
                    break true;
                }
                // It only ends with an error.
                Poll::Ready(None) | Poll::Pending => break true,
            }
        };
        count(&counters.received_datagrams, packets);
        count(&counters.received_bytes, bytes);
        waited
    }

    /// As for datagrams, but no more than are under way at once: those have their turn then.
    fn receive_streams(
        &mut self,
        cx: &mut Context<'_>,
        remote: Remote,
        packer: &mut Packer<'_>,
        counters: &Counters,
    ) -> bool {
        for _ in 0..MAX_STREAMS {
            if self.streams_ended {
                return true;
            }
            if !packer.has_room() {
                return false;
            }
            match self.streams.poll_next_unpin(cx) {
                Poll::Ready(Some(Some(packet))) => {
                    if !packet.is_empty() && packer.push(remote, &packet) {
                        count(&counters.received_streams, 1);
                        count(&counters.received_bytes, packet.len());
                    }
                }
                Poll::Ready(Some(None)) => count(&counters.oversized, 1),
                Poll::Ready(None) => self.streams_ended = true,
                Poll::Pending => return true,
            }
        }
        self.streams_ended
    }
}

/// The packet on a stream: nothing if it is larger than any, empty if it never came in full.
async fn read_packet(mut stream: RecvStream) -> Option<Vec<u8>> {
    match stream.read_to_end(Capabilities::MAX_DATAGRAM).await {
        Ok(packet) => Some(packet),
        Err(ReadToEndError::TooLong) => None,
        Err(ReadToEndError::Read(_)) => Some(Vec::new()),
    }
}
