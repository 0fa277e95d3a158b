//! Requests over a link.

use std::future::Future;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response};
use telehash_channel_stream::{ByteReader, ByteStream, ByteWriter, io_error};
use telehash_runtime::{Link, Open};
use tokio::task::AbortHandle;

use crate::body::{Body, Exchange};
use crate::error::ThtpError;
use crate::headers::strip_hop_by_hop;
use crate::read::ReadError;
use crate::send::Start;
use crate::{TYPE, head, read};

/// Bytes of the head that the opening packet carries: they fit, whatever path the packet takes.
const FIRST: usize = 900;

/// Adds requests to [`Link`].
pub trait LinkThtpExt {
    /// Sends a request, once the link is up, and returns the response as soon as its head is there.
    /// The request's body goes on being sent meanwhile, in a task of its own.
    ///
    /// Dropping the future, or the response's [`Body`] before its end, gives the request up, which the
    /// server is told. There is no time limit but the channel's: wrap it in a timeout where one is wanted.
    /// As many requests run at once as the link lets channels be open; one more is an error.
    ///
    /// # Errors
    /// [`ThtpError`]. A response with an error status is no error.
    fn request<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<Body>, ThtpError>> + Send
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>;
}

impl LinkThtpExt for Link {
    async fn request<B>(&self, mut request: Request<B>) -> Result<Response<Body>, ThtpError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        strip_hop_by_hop(request.headers_mut());
        let head = head::write_request(&request).map_err(ThtpError::Request)?;
        let method = request.method().clone();
        let mut body = Box::pin(request.into_body());
        let mut start = Start::gather(head, &mut body.as_mut(), FIRST)
            .map_err(|error| ThtpError::Failed(io::Error::other(error)))?;
        let first = start.split(FIRST);
        let channel = self.open(Open::reliable(TYPE).body(first)).await?;
        let (reader, writer) = ByteStream::new(channel).into_split();
        let mut exchange = Exchange::of_client(reader);
        exchange.upload = upload(start, body, writer).map_err(ThtpError::of_channel)?;
        let (response, first) = response(&mut exchange.reader).await?;
        let (mut parts, ()) = response.into_parts();
        let length = match head::is_bodiless(&method, parts.status) {
            true => Some(0),
            false => head::content_length(&parts.headers).map_err(ThtpError::Response)?,
        };
        if length == Some(0) && method != Method::HEAD {
            // A 304 may tell the length of what it does not carry: no server sends that on.
            parts.headers.remove(CONTENT_LENGTH);
        }
        let body = Body::incoming(exchange, first, length);
        Ok(Response::from_parts(parts, body))
    }
}

/// Sends the rest of a request: here and now if there is none but the end, or else in a task.
fn upload<B>(
    start: Start,
    mut body: Pin<Box<B>>,
    writer: ByteWriter,
) -> io::Result<Option<AbortHandle>>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if start.is_sent() {
        writer
            .channel()
            .end()
            .map_err(|error| io_error(error.into()))?;
        return Ok(None);
    }
    let task = tokio::spawn(async move {
        // The response tells what became of it.
        let _ = start.send(body.as_mut(), writer.channel()).await;
    });
    Ok(Some(task.abort_handle()))
}

async fn response(reader: &mut ByteReader) -> Result<(Response<()>, Bytes), ThtpError> {
    let (json, body) = read::head(Bytes::new(), reader)
        .await
        .map_err(|error| match error {
            ReadError::Head(error) => ThtpError::Response(error),
            ReadError::Ended => ThtpError::NoResponse,
            ReadError::Channel(error) => ThtpError::of_channel(error),
        })?;
    let response = head::read_response(&json).map_err(ThtpError::Response)?;
    Ok((response, body))
}
