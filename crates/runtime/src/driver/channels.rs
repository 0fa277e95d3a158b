//! The driver's side of channels: who waits for which, and what is left of dropped ones.

use std::task::{Context, Poll, Waker};

use telehash_link::{ChannelError, ChannelId, Instant, Packet, SendError};

use super::Core;
use crate::limits::LINGER_TIMEOUT;

/// What a channel's handle shares with the driver.
#[derive(Debug, Default)]
pub(crate) struct ChannelSlot {
    /// Tells apart the channels of several sessions that have the same number.
    generation: u64,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Waits for the answer to our open, or for both ends.
    watcher: Option<Waker>,
    /// The peer opened it, and it is neither accepted nor refused yet.
    undecided: bool,
    /// The peer has answered.
    established: bool,
    /// Our end is queued.
    ended: bool,
    /// The peer's end has arrived.
    finished: bool,
    /// All of the peer's direction was read.
    drained: bool,
    /// It is over: both ends went through, or it failed.
    outcome: Option<Result<(), ChannelError>>,
}

/// Channels whose handles were dropped after their end: they deliver what was written.
#[derive(Debug, Default)]
pub(crate) struct Lingering {
    /// Whose time is up soonest first.
    channels: Vec<Linger>,
}

/// A channel that stays to deliver what was written.
#[derive(Debug)]
struct Linger {
    id: ChannelId,
    until: Instant,
    /// Bytes that were left to deliver when its time began.
    buffered: usize,
}

impl ChannelSlot {
    /// A channel that we opened.
    pub(crate) fn ours() -> Self {
        Self::default()
    }

    /// A channel that the peer opened.
    pub(super) fn incoming() -> Self {
        Self {
            undecided: true,
            ..Self::default()
        }
    }

    pub(super) fn established(&mut self, wakers: &mut Vec<Waker>) {
        self.established = true;
        wakers.extend(self.watcher.take());
    }

    pub(super) fn readable(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.reader.take());
    }

    pub(super) fn writable(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.writer.take());
    }

    pub(super) fn finished(&mut self, wakers: &mut Vec<Waker>) {
        self.finished = true;
        wakers.extend(self.reader.take());
    }

    pub(super) fn over(&mut self, outcome: Result<(), ChannelError>, wakers: &mut Vec<Waker>) {
        self.outcome = Some(outcome);
        wakers.extend(
            [self.reader.take(), self.writer.take(), self.watcher.take()]
                .into_iter()
                .flatten(),
        );
    }

    pub(super) fn into_wakers(self) -> impl Iterator<Item = Waker> {
        [self.reader, self.writer, self.watcher]
            .into_iter()
            .flatten()
    }

    /// Whether something that was written may still be on its way.
    pub(crate) fn is_closing(&self) -> bool {
        self.ended && self.outcome.is_none()
    }

    fn failure(&self) -> Option<ChannelError> {
        self.outcome.clone()?.err()
    }
}

impl Lingering {
    pub(super) fn contains(&self, id: ChannelId) -> bool {
        self.channels.iter().any(|linger| linger.id == id)
    }

    pub(super) fn over(&mut self, id: ChannelId) {
        self.channels.retain(|linger| linger.id != id);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.channels.first().map(|linger| linger.until)
    }
}

impl Core {
    /// Remembers a channel, and returns its generation. One of an earlier session that has the same
    /// number, and whose handle is still there, is over.
    pub(crate) fn enter(&mut self, id: ChannelId, mut slot: ChannelSlot) -> u64 {
        self.generation += 1;
        slot.generation = self.generation;
        self.channels.insert(id, slot);
        self.generation
    }

    /// Whether the channel of this number is another one by now.
    pub(crate) fn is_replaced(&self, id: ChannelId, generation: u64) -> bool {
        let slot = self.channels.get(&id);
        slot.is_some_and(|slot| slot.generation != generation)
    }

    /// Accepts a channel that the peer opened.
    pub(crate) fn accept(&mut self, now: Instant, id: ChannelId) -> Result<(), ChannelError> {
        let slot = self.channels.get_mut(&id).ok_or(ChannelError::Unknown)?;
        if let Some(error) = slot.failure() {
            return Err(error);
        }
        slot.undecided = false;
        slot.established = true;
        self.link.accept(now, id)
    }

    /// Refuses a channel that the peer opened; its handle has nothing more to do.
    pub(crate) fn refuse(&mut self, now: Instant, id: ChannelId, error: &str) {
        if self.channels.remove(&id).is_some() {
            self.link.refuse(now, id, error);
        }
    }

    /// Completes when the peer has answered our open.
    pub(crate) fn poll_established(
        &mut self,
        id: ChannelId,
        cx: &Context<'_>,
    ) -> Poll<Result<(), ChannelError>> {
        let slot = self.channels.get_mut(&id).ok_or(ChannelError::Unknown)?;
        match (&slot.outcome, slot.established) {
            (Some(Err(error)), _) => Poll::Ready(Err(error.clone())),
            (Some(Ok(())), _) | (None, true) => Poll::Ready(Ok(())),
            (None, false) => {
                slot.watcher = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Completes when both directions have ended and everything of ours was acknowledged.
    pub(crate) fn poll_closed(
        &mut self,
        id: ChannelId,
        cx: &Context<'_>,
    ) -> Poll<Result<(), ChannelError>> {
        let slot = self.channels.get_mut(&id).ok_or(ChannelError::Unknown)?;
        match &slot.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                slot.watcher = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The next packet; `None` once the peer's direction has ended and was read.
    pub(crate) fn poll_recv(
        &mut self,
        now: Instant,
        id: ChannelId,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Packet>, ChannelError>> {
        let slot = self.channels.get_mut(&id).ok_or(ChannelError::Unknown)?;
        if slot.drained {
            return Poll::Ready(Ok(None));
        }
        match self.link.read(now, id) {
            Ok(Some(packet)) => {
                slot.drained = packet.end;
                let says_nothing = packet.end && packet.body.is_empty() && packet.head.is_none();
                Poll::Ready(Ok((!says_nothing).then_some(packet)))
            }
            Ok(None) if slot.finished || slot.outcome == Some(Ok(())) => {
                slot.drained = true;
                Poll::Ready(Ok(None))
            }
            Ok(None) => {
                slot.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(slot.failure().unwrap_or(error))),
        }
    }

    /// Writes bytes to a reliable channel; the number taken is at least 1 unless `data` is empty.
    pub(crate) fn poll_write(
        &mut self,
        now: Instant,
        id: ChannelId,
        data: &[u8],
        cx: &Context<'_>,
    ) -> Poll<Result<usize, SendError>> {
        let slot = self.channels.get_mut(&id).ok_or(ChannelError::Unknown)?;
        match self.link.write(now, id, data) {
            Ok(0) if !data.is_empty() => {
                slot.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Ok(taken) => Poll::Ready(Ok(taken)),
            Err(error) => Poll::Ready(Err(slot.send_failure(error))),
        }
    }

    /// Sends one packet, which is taken out of `packet`. While the channel is full it stays there.
    pub(crate) fn poll_send(
        &mut self,
        now: Instant,
        id: ChannelId,
        packet: &mut Option<Packet>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let slot = self.channels.get_mut(&id).ok_or(ChannelError::Unknown)?;
        let Some(next) = packet.take() else {
            return Poll::Ready(Ok(()));
        };
        let ends = next.end;
        match self.link.send(now, id, next) {
            Ok(()) => {
                slot.ended |= ends;
                Poll::Ready(Ok(()))
            }
            Err(SendError::Blocked(back)) => {
                *packet = Some(back);
                slot.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(slot.send_failure(error))),
        }
    }

    /// Ends our direction. Ending it again changes nothing.
    pub(crate) fn end(&mut self, now: Instant, id: ChannelId) -> Result<(), ChannelError> {
        let slot = self.channels.get_mut(&id).ok_or(ChannelError::Unknown)?;
        if slot.ended {
            return slot.failure().map_or(Ok(()), Err);
        }
        self.link
            .end(now, id)
            .map_err(|error| slot.failure().unwrap_or(error))?;
        slot.ended = true;
        Ok(())
    }

    /// Fails the channel, telling the peer why.
    pub(crate) fn fail(&mut self, now: Instant, id: ChannelId, error: &str) {
        if let Some(slot) = self.channels.get_mut(&id)
            && slot.outcome.is_none()
        {
            self.link.fail(now, id, error);
            // The link tells nobody of what we do ourselves, but the other half may wait.
            slot.over(Err(ChannelError::Local(error.to_owned())), &mut self.wakers);
        }
    }

    /// The channel's handle is gone: refuse what was not accepted, deliver what was ended, fail
    /// everything else.
    pub(crate) fn release(&mut self, now: Instant, id: ChannelId) {
        let Some(slot) = self.channels.remove(&id) else {
            return;
        };
        if slot.outcome.is_some() {
            // What was received and not read would keep the link from forgetting the channel.
            self.discard(now, id);
        } else if slot.undecided {
            self.link.refuse(now, id, "refused");
        } else if slot.ended {
            self.linger(now, id);
            self.discard(now, id);
        } else {
            self.link.fail(now, id, "dropped");
        }
    }

    /// Reads and forgets what a lingering channel still receives.
    pub(super) fn discard(&mut self, now: Instant, id: ChannelId) {
        while let Ok(Some(_)) = self.link.read(now, id) {}
    }

    fn linger(&mut self, now: Instant, id: ChannelId) {
        self.lingering.channels.push(Linger {
            id,
            until: now + LINGER_TIMEOUT,
            buffered: self.left_to_deliver(id),
        });
    }

    fn left_to_deliver(&self, id: ChannelId) -> usize {
        let stats = self.link.channel_stats(id);
        stats.map_or(0, |stats| stats.buffered)
    }

    /// Fails the channels that delivered nothing in their time; the others get as much again.
    pub(super) fn expire_lingering(&mut self, now: Instant) {
        while let Some(first) = self.lingering.channels.first()
            && first.until <= now
        {
            let Linger { id, buffered, .. } = self.lingering.channels.remove(0);
            if self.left_to_deliver(id) < buffered {
                self.linger(now, id);
            } else {
                self.link.fail(now, id, "timeout");
            }
        }
    }

    /// Whether something that was written and ended may still be on its way.
    pub(crate) fn is_closing(&self) -> bool {
        let closing = self.channels.iter().filter(|(_, slot)| slot.is_closing());
        let lingering = self.lingering.channels.iter().map(|linger| linger.id);
        closing
            .map(|(id, _)| *id)
            .chain(lingering)
            .any(|id| self.link.is_delivering(id))
    }

    /// Fails every channel, which tells the peer, before the link closes.
    pub(super) fn fail_all(&mut self, now: Instant, error: &str) {
        let open = self
            .channels
            .iter()
            .filter(|(_, slot)| slot.outcome.is_none());
        let mut failing: Vec<ChannelId> = open.map(|(id, _)| *id).collect();
        failing.extend(self.lingering.channels.drain(..).map(|linger| linger.id));
        for id in failing {
            self.link.fail(now, id, error);
        }
    }
}

impl ChannelSlot {
    /// The reason why the channel failed says more than that it is unknown by now.
    fn send_failure(&self, error: SendError) -> SendError {
        match (error, self.failure()) {
            (SendError::Channel(_), Some(failure)) => failure.into(),
            (error, _) => error,
        }
    }
}
