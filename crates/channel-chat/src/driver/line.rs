//! A channel with one participant: what we say goes out, and what they say comes in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Map;
use telehash_channel_stream::{Message as Sent, MessageError as StreamError, MessageStream};
use telehash_hashname::Hashname;
use telehash_lob::Lob;
use telehash_runtime::{Channel, ChannelError, HandlerError, IncomingChannel, Link, Open, Packet};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::lines::MAX_RECEIPTS;
use super::shared::{Core, Taken};
use super::{CHAT, Registry, id_of};
use crate::id::Id;
use crate::message::MAX_MESSAGE;
use crate::room::Cursor;

/// Limit: messages on one channel that are refused; one more ends the channel.
pub const MAX_REFUSALS: u32 = 16;

/// How long the peer may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// How long the end of a channel may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

type Sink = SplitSink<MessageStream, Sent>;

/// Somebody opens a channel with us.
pub(super) async fn opened(
    registry: &Arc<Registry>,
    channel: IncomingChannel,
) -> Result<(), HandlerError> {
    let peer = channel.peer();
    let Some(core) = id_of(channel.head(), "chat").and_then(|chat| registry.get(chat)) else {
        channel.refuse("unknown chat");
        return Ok(());
    };
    let known = {
        let room = core.room();
        let cursor = id_of(channel.head(), "last").and_then(|last| room.cursor(last));
        room.last_from(&peer).zip(cursor)
    };
    let Some((last, cursor)) = known else {
        channel.refuse("no profile");
        return Ok(());
    };
    let mut channel = channel.accept()?;
    channel
        .send(Packet::default().head(head([("last", last)])))
        .await?;
    run(&core, channel, cursor).await;
    Ok(())
}

/// Opens a channel with somebody and talks until it ends.
pub(super) async fn open(core: &Arc<Core>, link: &Link) -> Result<(), HandlerError> {
    let peer = link.hashname();
    let last = core.room().last_from(&peer).ok_or(ChannelError::LinkDown)?;
    let open = Open::reliable(CHAT).head(head([("chat", core.id()), ("last", last)]));
    if core.is_closed() {
        return Ok(());
    }
    let mut channel = link.open(open).await?;
    let answer = timeout(ANSWER, channel.recv()).await??;
    let last = id_of(answer.and_then(|packet| packet.head).as_deref(), "last");
    let cursor = last.and_then(|last| core.room().cursor(last));
    let Some(cursor) = cursor else {
        channel.fail("unknown last");
        return Err("the answer has no last id of ours".into());
    };
    run(core, channel, cursor).await;
    Ok(())
}

/// Talks until the channel ends, or the chat does.
async fn run(core: &Arc<Core>, channel: Channel, cursor: Cursor) {
    let peer = channel.peer();
    let (receipts, waiting) = mpsc::channel(MAX_RECEIPTS);
    let Some(number) = core.add_line(peer, receipts) else {
        channel.fail("busy");
        return;
    };
    let _registered = Registered { core, peer, number };
    let (mut sink, stream) = MessageStream::new(channel, MAX_MESSAGE).split();
    tokio::select! {
        () = send(core, &mut sink, cursor, waiting) => {}
        () = receive(core, stream, peer) => {}
        () = core.closed() => {}
    }
    // So that they hear at once that we are not there any more. There may be nobody to hear it.
    let _ = timeout(GOODBYE, sink.close()).await;
}

/// Takes the channel off the list, whatever ends it.
struct Registered<'a> {
    core: &'a Core,
    peer: Hashname,
    number: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.core.remove_line(self.peer, self.number);
    }
}

/// Ends when the channel fails; while another channel is used for sending, it waits.
async fn send(
    core: &Core,
    sink: &mut Sink,
    mut cursor: Cursor,
    mut receipts: mpsc::Receiver<Bytes>,
) {
    let (mut said, mut kept) = (core.said(), core.kept());
    loop {
        said.mark_unchanged();
        if let Some(kept) = &mut kept {
            kept.mark_unchanged();
        }
        let unsent = core.room().unsent(&mut cursor);
        let packets = match unsent {
            Ok(packets) => packets,
            Err(error) => {
                core.fail(error);
                return;
            }
        };
        let more = !packets.is_empty();
        for packet in packets {
            let Some(message) = to_send(&packet) else {
                continue;
            };
            if receipts.is_closed() {
                // What the one that took over has sent may be newer.
                return replaced().await;
            }
            if sink.send(message).await.is_err() {
                return;
            }
        }
        if more {
            continue;
        }
        tokio::select! {
            changed = said.changed() => if changed.is_err() { return },
            () = more_kept(&mut kept) => {}
            packet = receipts.recv() => {
                let Some(message) = packet.map(|packet| to_send(&packet)) else {
                    return replaced().await;
                };
                if let Some(message) = message && sink.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Another channel took over. What JavaScript sends may still come on this one.
async fn replaced() {
    std::future::pending::<()>().await;
}

/// Waits until the store has kept more; for ever if it keeps everything at once.
async fn more_kept(kept: &mut Option<watch::Receiver<u64>>) {
    if let Some(kept) = kept
        && kept.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

async fn receive(core: &Core, mut stream: SplitStream<MessageStream>, peer: Hashname) {
    let mut refusals = 0;
    while let Some(message) = stream.next().await {
        let taken = match message {
            Ok(Sent::Lob { head, body }) => match telehash_lob::encode_json(&head, &body) {
                Ok(packet) => core.take(peer, &packet.into()),
                Err(_) => Taken::Refused,
            },
            // What is no message does not keep the next one from being one.
            Ok(_) | Err(StreamError::Malformed { .. } | StreamError::UnknownEncoding(_)) => {
                Taken::Refused
            }
            Err(_) => return,
        };
        match taken {
            Taken::In => {}
            Taken::Refused if refusals < MAX_REFUSALS => refusals += 1,
            Taken::Refused | Taken::Again => return,
        }
    }
}

/// A packet, as the stream takes it.
pub(super) fn to_send(packet: &Bytes) -> Option<Sent> {
    let lob = Lob::parse(packet).ok()?;
    let body = packet.slice(packet.len() - lob.body().len()..);
    let head = lob.json().ok()?;
    Some(Sent::Lob { head, body })
}

/// A head with these ids.
pub(super) fn head<const N: usize>(ids: [(&str, Id); N]) -> Map<String, serde_json::Value> {
    let field = |(name, id): (&str, Id)| (name.to_owned(), id.to_string().into());
    ids.into_iter().map(field).collect()
}
