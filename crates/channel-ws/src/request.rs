//! What the opener of a WebSocket asks for (channel-types.md, "ws").

use std::time::Duration;

use serde_json::{Map, Value};
use telehash_runtime::Open;

use crate::config::{ANSWER_TIMEOUT, WsConfig};
use crate::error::WsError;

/// The `type` of the channel.
pub const TYPE: &str = "ts";

/// Another name of it, which is accepted and never sent.
pub const OTHER_TYPE: &str = "ws";

/// Limit: bytes of the path, the subprotocols, the origin and the headers of a request together. They
/// travel in one packet; a request with more cannot be made, and is refused when received.
pub const MAX_REQUEST: usize = 900;

/// What is asked for: a path, and what may come with it.
///
/// ```
/// use telehash_channel_ws::WsRequest;
///
/// let request = WsRequest::new("/chat?room=7").protocol("chat.v2").protocol("chat.v1");
/// assert_eq!(request.path(), "/chat");
/// assert_eq!(request.query(), Some("room=7"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct WsRequest {
    target: String,
    protocols: Vec<String>,
    origin: Option<String>,
    headers: Vec<(String, String)>,
    pub(crate) config: WsConfig,
    pub(crate) timeout: Option<Duration>,
}

impl WsRequest {
    /// A request for this path, which begins with `/` and may have a query.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        let target = target.into();
        Self {
            target,
            ..Self::default()
        }
    }

    /// The same, offering this subprotocol, too.
    #[must_use]
    pub fn protocol(mut self, name: impl Into<String>) -> Self {
        self.protocols.push(name.into());
        self
    }

    /// The same for a web page of this origin. Programs have none.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// The same with this header for the peer's application, such as `cookie`. The name is lower case.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with these limits and habits on our side.
    #[must_use]
    pub fn config(mut self, config: WsConfig) -> Self {
        self.config = config;
        self
    }

    /// The same, waiting this long for the link and for the peer's answer; [`ANSWER_TIMEOUT`] unless
    /// said otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The path, without a query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// What follows the `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The path with its query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The subprotocols on offer, the preferred one first.
    #[must_use]
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// The origin of the web page that asks, as the peer tells it.
    #[must_use]
    pub fn page(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        self.timeout.unwrap_or(ANSWER_TIMEOUT)
    }

    /// The channel to open.
    pub(crate) fn to_open(&self) -> Result<Open, WsError> {
        self.check().map_err(WsError::BadRequest)?;
        let mut head = Map::from_iter([("path".to_owned(), self.target.clone().into())]);
        if !self.protocols.is_empty() {
            head.insert("protocols".to_owned(), self.protocols.clone().into());
        }
        if let Some(origin) = &self.origin {
            head.insert("origin".to_owned(), origin.clone().into());
        }
        if !self.headers.is_empty() {
            let headers = self.headers.iter().cloned();
            let headers = headers.map(|(name, value)| (name, value.into()));
            head.insert("headers".to_owned(), Value::Object(headers.collect()));
        }
        let mut open = Open::reliable(TYPE).head(head);
        open.timeout = self.timeout;
        Ok(open)
    }

    /// Reads the head of an open.
    pub(crate) fn from_head(head: Option<&Map<String, Value>>) -> Result<Self, &'static str> {
        let text = |value: &Value| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or("a field that is no text")
        };
        let field = |name| head.and_then(|head| head.get(name));
        let mut request = Self::new(field("path").map_or(Ok("/".to_owned()), text)?);
        if let Some(protocols) = field("protocols") {
            let protocols = protocols
                .as_array()
                .ok_or("subprotocols that are no list")?;
            request.protocols = protocols.iter().map(text).collect::<Result<_, _>>()?;
        }
        request.origin = field("origin").map(text).transpose()?;
        if let Some(headers) = field("headers") {
            let headers = headers.as_object().ok_or("headers that are no object")?;
            let pair =
                |(name, value): (&String, &Value)| Ok::<_, &str>((name.clone(), text(value)?));
            request.headers = headers.iter().map(pair).collect::<Result<_, _>>()?;
        }
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), &'static str> {
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let printable = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let pairs = self.headers();
        let len = self.target.len()
            + self.protocols.iter().map(String::len).sum::<usize>()
            + self.origin.as_ref().map_or(0, String::len)
            + self
                .headers()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
        if len > MAX_REQUEST {
            return Err("it is too long");
        }
        if !self.target.starts_with('/') || !visible(&self.target) || self.target.contains('#') {
            return Err("a path begins with `/` and has no spaces");
        }
        if !self.protocols.iter().all(|name| is_token(name)) {
            return Err("a subprotocol is a word");
        }
        if !self.origin.as_deref().is_none_or(visible) {
            return Err("an origin has no spaces");
        }
        let lower =
            |name: &str| is_token(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        if !{ pairs }.all(|(name, value)| lower(name) && printable(value)) {
            return Err("a header has a lower-case name, and a value in one line");
        }
        Ok(())
    }
}

impl From<&str> for WsRequest {
    fn from(target: &str) -> Self {
        Self::new(target)
    }
}

impl From<String> for WsRequest {
    fn from(target: String) -> Self {
        Self::new(target)
    }
}

/// Whether it is a `token` of HTTP.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_made() {
        let request = WsRequest::new("/a?b=c")
            .protocol("x")
            .origin("https://page.example");
        let open = request.header("cookie", "id=7; z").to_open().unwrap();
        let read = WsRequest::from_head(open.head.as_deref()).unwrap();
        assert_eq!(
            (read.target(), read.page()),
            ("/a?b=c", Some("https://page.example"))
        );
        assert_eq!(read.protocols(), ["x"]);
        assert_eq!(read.headers().collect::<Vec<_>>(), [("cookie", "id=7; z")]);
    }

    #[test]
    fn what_would_be_two_things_in_http_is_refused() {
        for head in [
            json!({ "path": "chat" }),
            json!({ "path": "/a b" }),
            json!({ "path": "/a\r\nx: y" }),
            json!({ "path": 7 }),
            json!({ "path": "/", "protocols": "x" }),
            json!({ "path": "/", "protocols": ["a, b"] }),
            json!({ "path": "/", "origin": "null\r\n" }),
            json!({ "path": "/", "headers": { "Cookie": "x" } }),
            json!({ "path": "/", "headers": { "cookie": "x\r\nhost: y" } }),
            json!({ "path": "/", "headers": [] }),
        ] {
            assert!(WsRequest::from_head(head.as_object()).is_err(), "{head}");
        }
    }

    #[test]
    fn a_request_has_as_many_bytes_as_the_limit_and_no_more() {
        let target = format!("/{}", "x".repeat(MAX_REQUEST - 1));
        assert!(WsRequest::new(&*target).to_open().is_ok());
        let longer = WsRequest::new(&*target).protocol("x").to_open();
        assert!(matches!(longer, Err(WsError::BadRequest(_))));
        let head = json!({ "path": target, "origin": "x" });
        assert!(WsRequest::from_head(head.as_object()).is_err());
    }
}
