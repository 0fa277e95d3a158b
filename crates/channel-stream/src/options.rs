//! What the opener of a stream tells beside its data.

use std::time::Duration;

use serde_json::{Map, Value};
use telehash_lob::{JsonError, Lob};
use telehash_runtime::{Open, OpenError};

/// The `type` of the channel.
pub const TYPE: &str = "stream";

/// Limit: bytes of the application's options in an open. What is longer cannot be opened, since it
/// has to fit into one packet; a received one is no larger than a packet.
pub const MAX_OPTIONS: usize = 900;

/// How to open a stream. The application's own options, a JSON object and a body, travel in the
/// opening packet; the peer sees them before it accepts.
///
/// ```
/// use telehash_channel_stream::StreamOptions;
///
/// let head = serde_json::json!({ "file": "notes.txt" });
/// let options = StreamOptions::new().head(head.as_object().unwrap().clone());
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamOptions {
    head: Map<String, Value>,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

impl StreamOptions {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this object for the peer's application.
    #[must_use]
    pub fn head(mut self, head: Map<String, Value>) -> Self {
        self.head = head;
        self
    }

    /// The same with these bytes for the peer's application.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same, waiting this long for the link, and then for the peer's answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The channel to open.
    pub(crate) fn to_open(&self) -> Result<Open, OpenError> {
        let mut open = Open::reliable(TYPE);
        open.timeout = self.timeout;
        if !self.head.is_empty() || !self.body.is_empty() {
            let packet = telehash_lob::encode_json(&self.head, &self.body);
            let packet = packet.ok().filter(|packet| packet.len() <= MAX_OPTIONS);
            open = open.body(packet.ok_or(OpenError::TooLarge { quota: MAX_OPTIONS })?);
        }
        Ok(open)
    }
}

/// The options that came with an open: none if there is no body.
pub(crate) fn parse(body: &[u8]) -> Result<(Map<String, Value>, usize), JsonError> {
    let Ok(packet) = Lob::parse(body) else {
        return Ok((Map::new(), 0));
    };
    Ok((packet.json()?, body.len() - packet.body().len()))
}
