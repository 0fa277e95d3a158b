//! Channels, as the application holds them.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_hashname::Hashname;
use telehash_link::{ChannelError, ChannelId, Instant, Packet, SendError};

use crate::driver::{Core, LinkDriver, Opened};
use crate::link::Link;
use crate::shared::Shared;

/// A channel that a peer opened, before it is accepted.
///
/// Nothing is acknowledged to the opener until [`accept`](Self::accept). Dropping it refuses the
/// channel with `refused`.
#[derive(Debug)]
#[must_use = "dropping an incoming channel refuses it"]
pub struct IncomingChannel {
    handle: Handle,
    packet: Packet,
}

impl IncomingChannel {
    pub(crate) fn new(shared: Arc<Shared>, driver: Arc<LinkDriver>, opened: Opened) -> Self {
        let Opened {
            id,
            generation,
            kind,
            reliable,
            packet,
        } = opened;
        Self {
            handle: Handle {
                shared,
                driver,
                id,
                generation,
                kind,
                reliable,
            },
            packet,
        }
    }

    /// Who opened it.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.handle.driver.hashname()
    }

    /// The link that it is a channel of.
    #[must_use]
    pub fn link(&self) -> Link {
        self.handle.link()
    }

    /// The type of the channel.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.handle.kind
    }

    /// Whether it is reliable.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.handle.reliable
    }

    /// Header fields of the opening packet, besides the channel's own.
    #[must_use]
    pub fn head(&self) -> Option<&Map<String, Value>> {
        self.packet.head.as_deref()
    }

    /// Body of the opening packet.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.packet.body
    }

    /// Whether the opener ended its direction with the opening packet.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.packet.end
    }

    /// Accepts the channel: only now the opener's packet is acknowledged.
    ///
    /// # Errors
    /// The channel has failed meanwhile: the opener gave up, or the link went down.
    pub fn accept(self) -> Result<Channel, ChannelError> {
        let id = self.handle.id;
        self.handle.run(|core, now| core.accept(now, id))?;
        Ok(Channel {
            handle: Arc::new(self.handle),
        })
    }

    /// Refuses the channel and tells the opener why.
    pub fn refuse(self, error: &str) {
        let id = self.handle.id;
        let _ = self.handle.run(|core, now| {
            core.refuse(now, id, error);
            Ok(())
        });
    }
}

/// An open channel: packets to and from the peer, in order if it is reliable.
///
/// Each direction ends on its own: [`end`](Self::end) says that nothing more comes from us,
/// [`recv`](Self::recv) returns `None` when nothing more comes from the peer.
///
/// Dropping it (or both halves) fails the channel, which the peer is told, unless it was ended:
/// then what was written is still delivered in the background, unless the peer takes nothing for
/// [`LINGER_TIMEOUT`](crate::limits::LINGER_TIMEOUT), and what still arrives is discarded.
#[derive(Debug)]
pub struct Channel {
    handle: Arc<Handle>,
}

/// The sending half of a [`Channel`]; see [`Channel::split`].
#[derive(Debug)]
pub struct ChannelSender {
    handle: Arc<Handle>,
}

/// The receiving half of a [`Channel`]; see [`Channel::split`].
#[derive(Debug)]
pub struct ChannelReceiver {
    handle: Arc<Handle>,
}

impl Channel {
    pub(crate) fn ours(
        shared: Arc<Shared>,
        driver: Arc<LinkDriver>,
        id: ChannelId,
        generation: u64,
        kind: String,
        reliable: bool,
    ) -> Self {
        Self {
            handle: Arc::new(Handle {
                shared,
                driver,
                id,
                generation,
                kind,
                reliable,
            }),
        }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.handle.driver.hashname()
    }

    /// The link that it is a channel of.
    #[must_use]
    pub fn link(&self) -> Link {
        self.handle.link()
    }

    /// Its number on the wire.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        self.handle.id
    }

    /// The type of the channel.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.handle.kind
    }

    /// Whether it is reliable.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.handle.reliable
    }

    /// Body bytes that fit into one packet now.
    #[must_use]
    pub fn quota(&self) -> usize {
        self.handle.quota()
    }

    /// Packets of this many body bytes that an unreliable channel queues without dropping earlier ones.
    #[must_use]
    pub fn queue_room(&self, body: usize) -> usize {
        self.handle.queue_room(body)
    }

    /// Waits until the peer has answered the open: a first packet, or an acknowledgement. There is
    /// no need to wait before sending.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The channel failed: refused, timed out, or the link went down.
    pub async fn opened(&mut self) -> Result<(), ChannelError> {
        let Handle { id, .. } = *self.handle;
        poll_fn(|cx| self.handle.poll(|core, _| core.poll_established(id, cx))).await
    }

    /// Sends one packet, once there is room.
    ///
    /// Cancel-safe: a packet that was not sent when the future is dropped never is.
    ///
    /// # Errors
    /// The packet is too large, or the channel ended or failed; never
    /// [`SendError::Blocked`].
    pub async fn send(&mut self, packet: Packet) -> Result<(), SendError> {
        self.handle.send(packet).await
    }

    /// The next packet; `None` when the peer has ended its direction.
    ///
    /// Cancel-safe: a packet is taken only by the call that returns it.
    ///
    /// # Errors
    /// The channel failed.
    pub async fn recv(&mut self) -> Result<Option<Packet>, ChannelError> {
        poll_fn(|cx| self.handle.poll_recv(cx)).await
    }

    /// Ends our direction after what was sent. Receiving goes on.
    ///
    /// # Errors
    /// The channel failed.
    pub fn end(&self) -> Result<(), ChannelError> {
        self.handle.end()
    }

    /// Waits until both directions have ended and everything of ours was acknowledged.
    ///
    /// Packets that arrive meanwhile are kept for [`recv`](Self::recv); unread ones keep the peer
    /// from ending. Cancel-safe.
    ///
    /// # Errors
    /// The channel failed.
    pub async fn closed(&mut self) -> Result<(), ChannelError> {
        let Handle { id, .. } = *self.handle;
        poll_fn(|cx| self.handle.poll(|core, _| core.poll_closed(id, cx))).await
    }

    /// Fails the channel at once and tells the peer why. What was not delivered is lost.
    pub fn fail(&self, error: &str) {
        self.handle.fail(error);
    }

    /// Takes the two directions apart, for two tasks.
    #[must_use]
    pub fn split(self) -> (ChannelSender, ChannelReceiver) {
        let sender = ChannelSender {
            handle: self.handle.clone(),
        };
        (
            sender,
            ChannelReceiver {
                handle: self.handle,
            },
        )
    }

    /// Polls for the next packet, as [`recv`](Self::recv). Only the last caller's waker is kept.
    ///
    /// # Errors
    /// The channel failed.
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Packet>, ChannelError>> {
        self.handle.poll_recv(cx)
    }

    /// Takes what is there, up to `limit` packets, into `out`, and returns their number: 0 when the
    /// peer has ended its direction. Only the last caller's waker is kept.
    ///
    /// # Errors
    /// The channel failed.
    pub fn poll_recv_many(
        &self,
        cx: &mut Context<'_>,
        out: &mut VecDeque<Packet>,
        limit: usize,
    ) -> Poll<Result<usize, ChannelError>> {
        self.handle.poll_recv_many(cx, out, limit)
    }

    /// Writes bytes to a reliable channel, which cuts them into packets, and returns how many were
    /// taken. Only the last caller's waker is kept.
    ///
    /// # Errors
    /// The channel is not reliable, ended or failed; never [`SendError::Blocked`].
    pub fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, SendError>> {
        let Handle { id, .. } = *self.handle;
        self.handle
            .poll(|core, now| core.poll_write(now, id, data, cx))
    }

    /// Sends the packet in `packet` once there is room, and takes it. Only the last caller's waker
    /// is kept.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        packet: &mut Option<Packet>,
    ) -> Poll<Result<(), SendError>> {
        self.handle.poll_send(cx, packet)
    }

    /// Polls for the end of both directions, as [`closed`](Self::closed). Only the last caller's
    /// waker is kept.
    ///
    /// # Errors
    /// The channel failed.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Result<(), ChannelError>> {
        let Handle { id, .. } = *self.handle;
        self.handle.poll(|core, _| core.poll_closed(id, cx))
    }
}

impl ChannelSender {
    /// Sends one packet, once there is room; see [`Channel::send`].
    ///
    /// Cancel-safe: a packet that was not sent when the future is dropped never is.
    ///
    /// # Errors
    /// As there.
    pub async fn send(&mut self, packet: Packet) -> Result<(), SendError> {
        self.handle.send(packet).await
    }

    /// Ends our direction after what was sent.
    ///
    /// # Errors
    /// The channel failed.
    pub fn end(&mut self) -> Result<(), ChannelError> {
        self.handle.end()
    }

    /// Body bytes that fit into one packet now.
    #[must_use]
    pub fn quota(&self) -> usize {
        self.handle.quota()
    }
}

impl ChannelReceiver {
    /// The next packet; `None` when the peer has ended its direction; see [`Channel::recv`].
    ///
    /// Cancel-safe: a packet is taken only by the call that returns it.
    ///
    /// # Errors
    /// The channel failed.
    pub async fn recv(&mut self) -> Result<Option<Packet>, ChannelError> {
        poll_fn(|cx| self.handle.poll_recv(cx)).await
    }
}

/// What every form of a channel holds on to. Releases the channel when dropped.
struct Handle {
    shared: Arc<Shared>,
    driver: Arc<LinkDriver>,
    id: ChannelId,
    /// A new session may have another channel of this number before this handle is gone.
    generation: u64,
    kind: String,
    reliable: bool,
}

impl Handle {
    fn link(&self) -> Link {
        Link::new(self.shared.clone(), self.driver.clone())
    }

    /// Works on the channel, if its link is still there.
    fn run<R>(
        &self,
        work: impl FnOnce(&mut Core, Instant) -> Result<R, ChannelError>,
    ) -> Result<R, ChannelError> {
        let work = |core: &mut Core, now| match core.is_replaced(self.id, self.generation) {
            true => Err(ChannelError::Reset),
            false => work(core, now),
        };
        self.driver
            .run(&self.shared, work)
            .unwrap_or(Err(ChannelError::LinkDown))
    }

    fn poll<R, E: From<ChannelError>>(
        &self,
        work: impl FnOnce(&mut Core, Instant) -> Poll<Result<R, E>>,
    ) -> Poll<Result<R, E>> {
        let gone = |_| Poll::Ready(Err(ChannelError::LinkDown.into()));
        let work = |core: &mut Core, now| match core.is_replaced(self.id, self.generation) {
            true => Poll::Ready(Err(ChannelError::Reset.into())),
            false => work(core, now),
        };
        self.driver.run(&self.shared, work).unwrap_or_else(gone)
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Packet>, ChannelError>> {
        self.poll(|core, now| core.poll_recv(now, self.id, cx))
    }

    fn poll_recv_many(
        &self,
        cx: &mut Context<'_>,
        out: &mut VecDeque<Packet>,
        limit: usize,
    ) -> Poll<Result<usize, ChannelError>> {
        self.poll(|core, now| {
            let first = ready!(core.poll_recv(now, self.id, cx))?;
            let Some(first) = first else {
                return Poll::Ready(Ok(0));
            };
            out.push_back(first);
            let mut taken = 1;
            // An end or a failure behind the packets is found by the next call.
            while taken < limit
                && let Poll::Ready(Ok(Some(packet))) = core.poll_recv(now, self.id, cx)
            {
                out.push_back(packet);
                taken += 1;
            }
            Poll::Ready(Ok(taken))
        })
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        packet: &mut Option<Packet>,
    ) -> Poll<Result<(), SendError>> {
        self.poll(|core, now| core.poll_send(now, self.id, packet, cx))
    }

    async fn send(&self, packet: Packet) -> Result<(), SendError> {
        let mut packet = Some(packet);
        poll_fn(|cx| self.poll_send(cx, &mut packet)).await
    }

    fn end(&self) -> Result<(), ChannelError> {
        self.run(|core, now| core.end(now, self.id))
    }

    fn fail(&self, error: &str) {
        let _ = self.run(|core, now| {
            core.fail(now, self.id, error);
            Ok(())
        });
    }

    fn quota(&self) -> usize {
        self.driver
            .look(&self.shared, |core| core.link.quota(self.id))
            .unwrap_or(0)
    }

    fn queue_room(&self, body: usize) -> usize {
        self.driver
            .look(&self.shared, |core| core.link.queue_room(self.id, body))
            .unwrap_or(0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.run(|core, now| {
            core.release(now, self.id);
            Ok(())
        });
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("peer", &self.driver.hashname())
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("reliable", &self.reliable)
            .finish()
    }
}
