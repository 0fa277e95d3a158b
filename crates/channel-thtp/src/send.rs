//! Sending a head and a body.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use telehash_runtime::{Channel, ChannelError, Packet, SendError};
use tokio::time::timeout;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Limit: how long a peer may leave what it is sent unread, a request's body as well as a response's;
/// then the channel is failed.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(60);

/// What is said to a peer whose body breaks off.
const BROKE_OFF: &str = "the body broke off";

/// Why a body was not sent.
pub(crate) enum NotSent {
    /// The body itself failed.
    Source(Source),
    /// The channel failed.
    Channel(SendError),
}

/// The beginning of a message: its head, and as much of the body as was at hand.
pub(crate) struct Start {
    pub(crate) bytes: Vec<u8>,
    /// What did not fit behind that any more.
    over: Bytes,
    /// Nothing follows.
    pub(crate) ended: bool,
}

impl Start {
    /// Puts behind `head` what `body` has at hand, up to about `limit` bytes, so that a small message
    /// is one packet.
    pub(crate) fn gather<B>(
        head: Vec<u8>,
        body: &mut Pin<&mut B>,
        limit: usize,
    ) -> Result<Self, Source>
    where
        B: http_body::Body<Data = Bytes, Error: Into<Source>>,
    {
        let mut start = Self {
            bytes: head,
            over: Bytes::new(),
            ended: body.is_end_stream(),
        };
        while !start.ended && start.over.is_empty() {
            match body.frame().now_or_never() {
                None => break,
                Some(None) => start.ended = true,
                Some(Some(frame)) => {
                    // Trailers are not sent.
                    let data = frame.map_err(Into::into)?.into_data().unwrap_or_default();
                    start.push(data, limit);
                    start.ended = body.is_end_stream();
                }
            }
        }
        Ok(start)
    }

    fn push(&mut self, data: Bytes, limit: usize) {
        if self.bytes.len() + data.len() <= limit {
            self.bytes.extend_from_slice(&data);
        } else {
            self.over = data;
        }
    }

    /// Takes all but the first bytes away.
    pub(crate) fn split(&mut self, at: usize) -> Vec<u8> {
        let rest = self.bytes.split_off(at.min(self.bytes.len()));
        std::mem::replace(&mut self.bytes, rest)
    }

    /// Whether there is nothing to send but the end.
    pub(crate) fn is_sent(&self) -> bool {
        self.ended && self.bytes.is_empty() && self.over.is_empty()
    }

    /// Sends it and the rest of the body, and ends our direction. A body that fails fails the channel.
    pub(crate) async fn send<B>(
        self,
        mut body: Pin<&mut B>,
        channel: &Channel,
    ) -> Result<(), NotSent>
    where
        B: http_body::Body<Data = Bytes, Error: Into<Source>>,
    {
        if self.ended && self.over.is_empty() && self.bytes.len() <= channel.quota() {
            return Ok(send_last(self.bytes, channel).await?);
        }
        write_all(&self.bytes, channel).await?;
        write_all(&self.over, channel).await?;
        while !self.ended
            && !body.is_end_stream()
            && let Some(data) = next(body.as_mut(), channel).await?
        {
            write_all(&data, channel).await?;
        }
        channel.end().map_err(SendError::from)?;
        Ok(())
    }
}

/// The next bytes of a body; none in the place of trailers, which are not sent.
async fn next<B>(mut body: Pin<&mut B>, channel: &Channel) -> Result<Option<Bytes>, NotSent>
where
    B: http_body::Body<Data = Bytes, Error: Into<Source>>,
{
    match body.frame().await {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(error)) => {
            channel.fail(BROKE_OFF);
            Err(NotSent::Source(error.into()))
        }
    }
}

impl From<SendError> for NotSent {
    fn from(error: SendError) -> Self {
        Self::Channel(error)
    }
}

async fn write_all(mut bytes: &[u8], channel: &Channel) -> Result<(), SendError> {
    while !bytes.is_empty() {
        let taken = timeout(UNREAD_TIMEOUT, poll_fn(|cx| channel.poll_write(cx, bytes))).await;
        let Ok(taken) = taken else {
            channel.fail("timeout");
            return Err(ChannelError::Timeout.into());
        };
        let taken = taken?;
        bytes = bytes.get(taken..).unwrap_or_default();
    }
    Ok(())
}

/// One packet that is the last.
async fn send_last(bytes: Vec<u8>, channel: &Channel) -> Result<(), SendError> {
    let mut packet = Some(Packet::new(bytes).end());
    poll_fn(|cx| channel.poll_send(cx, &mut packet)).await
}
