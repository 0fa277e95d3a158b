//! What an application may choose.

use std::time::Duration;

/// Limit: bytes of one message received, unless the application sets another. At the limit the peer
/// is told with the code 1009, and the WebSocket fails. Pieces are not messages: a
/// [`PieceSocket`](crate::PieceSocket) carries messages of any size.
pub const DEFAULT_MAX_MESSAGE: usize = 16 << 20;

/// Limit: how long the peer may take to accept a WebSocket, and to answer a close; then opening
/// fails, or the channel is cut off.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit: WebSockets that one peer may have at once with the same [`WsRoutes`](crate::WsRoutes); one
/// more is refused with `busy`. Each may hold a message that is not complete.
pub const MAX_SOCKETS_PER_PEER: usize = 256;

/// How a [`WebSocket`](crate::WebSocket) behaves.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WsConfig {
    /// See [`DEFAULT_MAX_MESSAGE`].
    pub max_message: usize,
    /// How long after the last sign of life a ping is sent, and how long one is waited for then.
    pub keepalive: Option<(Duration, Duration)>,
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            max_message: DEFAULT_MAX_MESSAGE,
            keepalive: None,
        }
    }
}

impl WsConfig {
    /// Messages up to [`DEFAULT_MAX_MESSAGE`], and no keepalive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, taking messages of at most so many bytes.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The same, pinging the peer when nothing came from it for `interval`, and failing if nothing
    /// comes for `timeout` after that.
    ///
    /// The link below notices by itself when it breaks. This notices an application that does not
    /// read any more: a ping waits in line behind what was sent before it. It works while the
    /// WebSocket is being read from.
    #[must_use]
    pub fn keepalive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.keepalive = Some((interval, timeout));
        self
    }
}
