//! Serving requests.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{Either, select};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use telehash_channel_stream::ByteStream;
use telehash_hashname::Hashname;
use telehash_runtime::{Builder, Channel, ChannelHandler, HandlerError, IncomingChannel, Mesh};
use tokio::time::timeout;
use tower_service::Service;

use crate::body::{Body, Exchange};
use crate::error::HeadError;
use crate::headers::{IDENTITY_HEADER, strip_hop_by_hop};
use crate::read::{HEAD_TIMEOUT, ReadError};
use crate::send::{NotSent, Start};
use crate::{TYPE, head, read};

/// Who sent a request: an extension of it ([`Request::extensions`]). The link has verified it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub Hashname);

/// What can serve: any [`Service`] from requests to responses, such as an axum `Router`. An error of it
/// is a 500 to the peer and an event here.
pub trait ThtpService:
    Service<
        Request<Body>,
        Response = Response<Self::ResponseBody>,
        Error: Into<HandlerError>,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// What a response carries.
    type ResponseBody: http_body::Body<Data = Bytes, Error: Into<HandlerError>> + Send;
}

impl<S, B> ThtpService for S
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<HandlerError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<HandlerError>,
{
    type ResponseBody = B;
}

/// Adds an HTTP server to [`Builder`].
pub trait BuilderThtpExt {
    /// Answers the requests of peers with `service`, each in a task of its own. Whom the mesh accepts may
    /// ask; who it is, each request says as an extension ([`Peer`]) and in [`IDENTITY_HEADER`].
    ///
    /// When the peer gives a request up, the service's future or the response's body is dropped.
    #[must_use]
    fn serve_thtp(self, service: impl ThtpService) -> Self;
}

/// Adds an HTTP server to [`Mesh`].
pub trait MeshThtpExt {
    /// As [`BuilderThtpExt::serve_thtp`], in the place of what served before.
    fn serve_thtp(&self, service: impl ThtpService);
}

impl BuilderThtpExt for Builder {
    fn serve_thtp(self, service: impl ThtpService) -> Self {
        self.on_open(TYPE, Server(service))
    }
}

impl MeshThtpExt for Mesh {
    fn serve_thtp(&self, service: impl ThtpService) {
        self.on_open(TYPE, Server(service));
    }
}

struct Server<S>(S);

impl<S: ThtpService> ChannelHandler for Server<S> {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        if !channel.is_reliable() {
            channel.refuse("thtp is reliable");
            return Ok(());
        }
        let (peer, first) = (channel.peer(), channel.body().clone());
        let (mut reader, writer) = ByteStream::new(channel.accept()?).into_split();
        let read = timeout(HEAD_TIMEOUT, read::head(first, &mut reader)).await;
        let request = match read {
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
            // Whoever gave up before it asked for anything needs no answer.
            Ok(Err(ReadError::Channel(_))) => return Ok(()),
            Ok(read) => request(read, peer),
        };
        let (request, first) = match request {
            Ok(request) => request,
            Err(status) => return answer(status, writer.channel()).await,
        };
        let request =
            request.map(|length| Body::incoming(Exchange::of_server(reader), first, length));
        let channel = writer.channel();
        let given_up = pin!(poll_fn(|cx| channel.poll_closed(cx)));
        let work = pin!(respond(self.0.clone(), request, channel));
        match select(work, given_up).await {
            Either::Left((sent, _)) => sent,
            Either::Right(_) => {
                tracing::debug!("the peer gave the request up");
                Ok(())
            }
        }
    }
}

/// What was asked for, the length of its body, and the beginning of that.
fn request(
    read: Result<(Bytes, Bytes), ReadError>,
    peer: Hashname,
) -> Result<(Request<Option<u64>>, Bytes), StatusCode> {
    let refused = |error: HeadError| {
        tracing::debug!(%error, "a request is refused");
        match error {
            HeadError::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            HeadError::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    };
    let (json, first) = match read {
        Ok(read) => read,
        Err(ReadError::Head(error)) => return Err(refused(error)),
        Err(ReadError::Ended | ReadError::Channel(_)) => return Err(StatusCode::BAD_REQUEST),
    };
    let mut request = head::read_request(&json).map_err(refused)?;
    let length = head::content_length(request.headers()).map_err(refused)?;
    // What a peer says about itself is not what we know about it.
    request.headers_mut().remove(IDENTITY_HEADER);
    if let Ok(name) = HeaderValue::try_from(peer.to_string()) {
        request.headers_mut().insert(IDENTITY_HEADER, name);
    }
    request.extensions_mut().insert(Peer(peer));
    Ok((request.map(|()| length), first))
}

/// Has the service answer, and sends that.
async fn respond<S: ThtpService>(
    service: S,
    request: Request<Body>,
    channel: &Channel,
) -> Result<(), HandlerError> {
    let method = request.method().clone();
    match called(service, request).await {
        Ok(response) => send_response(response, &method, channel).await,
        Err(error) => {
            answer(StatusCode::INTERNAL_SERVER_ERROR, channel).await?;
            Err(error)
        }
    }
}

/// The service's response; an error if it fails or panics.
async fn called<S: ThtpService>(
    mut service: S,
    request: Request<Body>,
) -> Result<Response<S::ResponseBody>, HandlerError> {
    let call = async move {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(request).await
    };
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(response) => response.map_err(Into::into),
        Err(_panic) => Err("the service panicked".into()),
    }
}

/// A response of our own, of nothing but its status.
async fn answer(status: StatusCode, channel: &Channel) -> Result<(), HandlerError> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    send_response(response, &Method::GET, channel).await
}

/// Sends a response to a request of this method.
async fn send_response<B>(
    mut response: Response<B>,
    method: &Method,
    channel: &Channel,
) -> Result<(), HandlerError>
where
    B: http_body::Body<Data = Bytes, Error: Into<HandlerError>> + Send,
{
    strip_hop_by_hop(response.headers_mut());
    if response.status().is_informational() {
        return Err("an informational response cannot be sent".into());
    }
    let head = head::write_response(&response)?;
    if head::is_bodiless(method, response.status()) {
        return send(head, Body::empty(), channel).await;
    }
    send(head, response.into_body(), channel).await
}

async fn send<B>(head: Vec<u8>, body: B, channel: &Channel) -> Result<(), HandlerError>
where
    B: http_body::Body<Data = Bytes, Error: Into<HandlerError>> + Send,
{
    let mut body = pin!(body);
    let start = Start::gather(head, &mut body, channel.quota())?;
    match start.send(body, channel).await {
        Ok(()) => Ok(()),
        Err(NotSent::Source(error)) => Err(error),
        // The peer's doing: no fault of the service.
        Err(NotSent::Channel(error)) => {
            tracing::debug!(%error, "the response was not taken");
            Ok(())
        }
    }
}
