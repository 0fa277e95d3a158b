//! One connection.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use quinn::{Connection, ConnectionError};
use telehash_transport::{CloseReason, ip};
use tokio::time::{sleep, timeout};

use crate::{door::is_here, inbox::Inbox, outbox::Outbox};

/// Limit: how long a connection that is closed may take until what it accepted has left; then the
/// rest is lost. Closing the transport may take as long once more, for its peers to hear of it.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a connection that is closed is asked whether its datagrams have left: quinn does not
/// say when.
const CLOSE_POLL: Duration = Duration::from_millis(2);

/// A connection, while it lasts.
pub(crate) struct Pipe {
    pub(crate) number: u64,
    pub(crate) connection: Connection,
    pub(crate) loopback: bool,
    /// Woken when packets arrive.
    pub(crate) receiver: Waker,
    /// Woken when packets can leave.
    pub(crate) sender: Waker,
    heard: AtomicBool,
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
}

impl Pipe {
    pub(crate) fn new(number: u64, connection: Connection, [receiver, sender]: [Waker; 2]) -> Self {
        Self {
            number,
            loopback: is_here(connection.remote_address().ip(), connection.local_ip()),
            heard: AtomicBool::new(false),
            inbox: Inbox::new(&connection).into(),
            outbox: Outbox::new(connection.clone()).into(),
            connection,
            receiver,
            sender,
        }
    }

    /// Where the peer is now: it may move.
    pub(crate) fn address(&self) -> SocketAddr {
        ip::canonical(self.connection.remote_address())
    }

    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the packet that came is the first one.
    pub(crate) fn is_first_packet(&self) -> bool {
        !self.heard.load(Ordering::Relaxed) && !self.heard.swap(true, Ordering::Relaxed)
    }

    /// Closes the connection at once.
    pub(crate) fn abandon(&self) {
        self.connection.close(0_u32.into(), b"");
    }

    /// Lets what was accepted leave, within bounds, and closes the connection.
    pub(crate) async fn leave(&self) {
        let left = async {
            poll_fn(|cx| self.outbox().poll_handed_over(cx)).await;
            while !self.outbox().is_empty() {
                sleep(CLOSE_POLL).await;
            }
        };
        if timeout(CLOSE_TIMEOUT, left).await.is_err() {
            tracing::debug!(
                connection = self.number,
                "closed before everything had left"
            );
        }
        self.abandon();
    }
}

/// What the end of a connection means to those above.
pub(crate) fn reason(end: &ConnectionError) -> CloseReason {
    use std::io::ErrorKind;

    const NO_ERROR: u64 = 0;
    match end {
        ConnectionError::ApplicationClosed(_) => CloseReason::Peer,
        ConnectionError::ConnectionClosed(close) if u64::from(close.error_code) == NO_ERROR => {
            CloseReason::Peer
        }
        ConnectionError::TimedOut => CloseReason::TimedOut,
        ConnectionError::Reset => CloseReason::Failed(ErrorKind::ConnectionReset),
        ConnectionError::LocallyClosed => CloseReason::Failed(ErrorKind::ConnectionAborted),
        _ => CloseReason::Failed(ErrorKind::InvalidData),
    }
}
