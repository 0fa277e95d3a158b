//! Bodies, as they stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use telehash_channel_stream::ByteReader;
use tokio::task::AbortHandle;

use crate::error::BodyError;

/// A body of a request or a response: an [`http_body::Body`] of bytes.
///
/// One that arrives over a link is read from it as it is polled, and whoever sends it waits for that.
/// It ends cleanly only if the peer ended it and the length is what `content-length` says; anything
/// else is a [`BodyError`].
///
/// Dropping a response's body before its end gives the request up, which the server is told. Dropping a
/// request's body does no harm: the response is sent all the same.
#[derive(Debug)]
pub struct Body(Kind);

enum Kind {
    Channel(Incoming),
    Own(UnsyncBoxBody<Bytes, BodyError>),
}

/// What arrives.
#[derive(Debug)]
struct Incoming {
    exchange: Exchange,
    /// What came with the head.
    first: Bytes,
    /// Bytes to come, if that is known.
    left: Option<u64>,
    ended: bool,
}

/// Our end of a request under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) reader: ByteReader,
    /// The task that sends the request's body.
    pub(crate) upload: Option<AbortHandle>,
    /// Dropping this gives the request up.
    pending: bool,
}

impl Exchange {
    /// Of who asks, and gives up by dropping it.
    pub(crate) fn of_client(reader: ByteReader) -> Self {
        Self {
            reader,
            upload: None,
            pending: true,
        }
    }

    /// Of who answers.
    pub(crate) fn of_server(reader: ByteReader) -> Self {
        Self {
            reader,
            upload: None,
            pending: false,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let uploading = self.upload.as_ref().filter(|task| !task.is_finished());
        if let Some(task) = uploading {
            task.abort();
        }
        if self.pending || uploading.is_some() {
            self.reader.channel().fail("cancelled");
        }
    }
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// These bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::new(http_body_util::Full::new(bytes.into()))
    }

    /// Any other body.
    #[must_use]
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = body.map_err(|error| BodyError::Source(error.into()));
        Self(Kind::Own(body.boxed_unsync()))
    }

    /// What arrives, beginning with `first`, of this length if that is known.
    pub(crate) fn incoming(exchange: Exchange, first: Bytes, length: Option<u64>) -> Self {
        let mut incoming = Incoming {
            exchange,
            first,
            left: length,
            ended: false,
        };
        incoming.settle();
        Self(Kind::Channel(incoming))
    }
}

impl Incoming {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let data = match std::mem::take(&mut self.first) {
            first if first.is_empty() => ready!(self.exchange.reader.poll_chunk(cx)),
            first => Ok(Some(first)),
        };
        let counted = data
            .map_err(BodyError::from)
            .and_then(|data| self.count(data));
        self.ended = !matches!(counted, Ok(Some(_)));
        match counted {
            Ok(_) => self.settle(),
            Err(_) => self.left = None,
        }
        Poll::Ready(counted.transpose())
    }

    /// Whoever has all that was announced, or saw the end, does not give up by leaving.
    fn settle(&mut self) {
        let whole = self.left == Some(0) && self.first.is_empty();
        self.exchange.pending &= !(whole || self.ended);
    }

    /// Holds the bytes against the length that was announced.
    fn count(&mut self, data: Option<Bytes>) -> Result<Option<Bytes>, BodyError> {
        let Some(left) = &mut self.left else {
            return Ok(data);
        };
        match &data {
            None if *left > 0 => Err(BodyError::Short { missing: *left }),
            None => Ok(None),
            Some(bytes) => {
                *left = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or(BodyError::Long)?;
                Ok(data)
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Kind::Channel(incoming) => {
                let data = ready!(incoming.poll_data(cx));
                Poll::Ready(data.map(|data| data.map(Frame::data)))
            }
            Kind::Own(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            // What nobody polls for the end of must not count as given up: the end has to be seen.
            Kind::Channel(incoming) => incoming.ended,
            Kind::Own(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Channel(Incoming { ended: true, .. }) => SizeHint::with_exact(0),
            Kind::Channel(Incoming {
                left: Some(left), ..
            }) => SizeHint::with_exact(*left),
            Kind::Channel(_) => SizeHint::default(),
            Kind::Own(body) => body.size_hint(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(incoming) => incoming.fmt(f),
            Self::Own(_) => f.write_str("Own(..)"),
        }
    }
}
