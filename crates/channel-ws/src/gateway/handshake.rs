//! The HTTP side of opening a WebSocket (RFC 6455, 4).

use data_encoding::BASE64;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};
use tungstenite::handshake::derive_accept_key;

use crate::error::WsError;
use crate::request::WsRequest;

/// Headers that are passed on to the other end's application.
const PASSED_ON: [HeaderName; 2] = [AUTHORIZATION, COOKIE];

/// Whether a request asks for a WebSocket, in order or not.
#[must_use]
pub fn is_upgrade<B>(request: &Request<B>) -> bool {
    has_word(request.headers(), UPGRADE, "websocket")
}

/// What is in order in a browser's request; otherwise the status to answer with.
pub(super) fn check<B>(request: &Request<B>) -> Result<HeaderValue, StatusCode> {
    let headers = request.headers();
    let upgrades = is_upgrade(request) && has_word(headers, CONNECTION, "upgrade");
    if request.method() != Method::GET || request.version() != Version::HTTP_11 || !upgrades {
        return Err(StatusCode::BAD_REQUEST);
    }
    if single(headers, SEC_WEBSOCKET_VERSION)?.as_bytes() != b"13" {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    let key = single(headers, SEC_WEBSOCKET_KEY)?.as_bytes();
    if BASE64.decode(key).map(|key| key.len()) != Ok(16) {
        return Err(StatusCode::BAD_REQUEST);
    }
    HeaderValue::from_str(&derive_accept_key(key)).map_err(|_| StatusCode::BAD_REQUEST)
}

/// The same request over a link. The origin of a page of the same host is left out: nobody has to
/// mind it.
pub(super) fn to_request<B>(request: &Request<B>) -> Result<WsRequest, StatusCode> {
    let headers = request.headers();
    let target = request.uri().path_and_query().map_or("/", |at| at.as_str());
    let mut asked = WsRequest::new(target);
    for name in words(headers, SEC_WEBSOCKET_PROTOCOL) {
        asked = asked.protocol(name);
    }
    if headers.contains_key(ORIGIN) {
        let origin = text(single(headers, ORIGIN)?)?;
        let host = text(single(headers, HOST)?)?;
        if !origin
            .strip_prefix("http://")
            .is_some_and(|at| at.eq_ignore_ascii_case(host))
        {
            asked = asked.origin(origin);
        }
    }
    for name in PASSED_ON {
        if headers.contains_key(&name) {
            asked = asked.header(name.as_str(), text(single(headers, name.clone())?)?);
        }
    }
    Ok(asked)
}

/// The answer that turns the connection into a WebSocket.
pub(super) fn switching(accept: HeaderValue, protocol: Option<&str>) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol.and_then(|name| HeaderValue::from_str(name).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// The status that says why there is no WebSocket.
pub(super) fn status(error: &WsError) -> StatusCode {
    match error {
        WsError::Refused(why) if why == "not found" => StatusCode::NOT_FOUND,
        WsError::Refused(why) if why == "forbidden" => StatusCode::FORBIDDEN,
        WsError::Refused(why) if why == "bad request" => StatusCode::BAD_REQUEST,
        WsError::BadRequest(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        WsError::Unanswered(_) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// What a server's status means to the peer.
pub(super) fn refusal(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not found",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "forbidden",
        status if status.is_client_error() => "bad request",
        _ => "bad gateway",
    }
}

/// The only value of a header.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<&HeaderValue, StatusCode> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    first
        .filter(|_| second.is_none())
        .ok_or(StatusCode::BAD_REQUEST)
}

fn text(value: &HeaderValue) -> Result<&str, StatusCode> {
    value.to_str().map_err(|_| StatusCode::BAD_REQUEST)
}

/// The members of a list.
pub(super) fn words(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    let lists = values.filter_map(|value| value.to_str().ok());
    let words = lists.flat_map(|list| list.split(',')).map(str::trim);
    words.filter(|word| !word.is_empty())
}

fn has_word(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    words(headers, name).any(|found| found.eq_ignore_ascii_case(word))
}
