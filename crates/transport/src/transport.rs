//! The trait that transports implement and the runtime drives.

use std::{
    fmt, io,
    task::{Context, Poll},
};

use async_trait::async_trait;
use telehash_hashname::Path;

use crate::{Capabilities, RecvBatch, Remote, Transmit, TransportError};

/// A way to carry packets: one UDP socket, a TCP listener with its connections, a QUIC endpoint.
///
/// A transport owns any number of pipes, each named by its [`Remote`]. It moves whole packets and
/// knows nothing of links, keys or cloaking. There are no callbacks and no tasks in this interface:
/// whoever drives a transport polls it, from any task.
///
/// # Driving it
///
/// - One task calls [`poll_recv`](Self::poll_recv) in a loop, handles the batch, and calls again.
/// - Anyone calls [`try_send`](Self::try_send) at any time. When that is short or would block, the
///   rest waits until [`poll_writable`](Self::poll_writable) names its pipe.
/// - One task each (usually the same one) calls `poll_writable` and
///   [`poll_event`](Self::poll_event).
///
/// Each `poll_*` function remembers only the waker of its last call.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Short name for logs and statistics, such as `udp`.
    fn name(&self) -> &'static str;

    /// What the pipe to `remote` can do. The answer for a pipe never changes.
    fn capabilities(&self, remote: &Remote) -> Capabilities;

    /// How others may reach this transport now: what goes into our link JSON.
    ///
    /// Wildcard binds are expanded to the addresses of the interfaces. Loopback addresses appear
    /// only when the transport is bound to one, or when there is nothing else.
    fn local_paths(&self) -> Vec<Path>;

    /// The path that describes `remote`: the address that we see a peer at. `None` if the pipe is
    /// gone or has no path of its own.
    fn remote_path(&self, remote: &Remote) -> Option<Path>;

    /// Whether [`dial`](Self::dial) could use `path`: of our kind, complete, of an address family
    /// that we have.
    fn dialable(&self, path: &Path) -> bool;

    /// Whether [`dial`](Self::dial) makes a connection, which takes time and is worth having once
    /// for each peer.
    fn connects(&self) -> bool {
        false
    }

    /// Opens a pipe along `path`. Nothing is known of the peer afterwards: a datagram transport
    /// returns at once and sends nothing.
    ///
    /// Cancel-safe: a connection that is still being made is given up.
    ///
    /// # Errors
    /// [`TransportError::UnsupportedPath`] if the path is not [`dialable`](Self::dialable); for
    /// connections, why none could be made.
    async fn dial(&self, path: &Path) -> Result<Remote, TransportError>;

    /// Buffers of the number and size that suit this transport, for
    /// [`poll_recv`](Self::poll_recv). One per receive loop.
    fn recv_batch(&self) -> RecvBatch;

    /// Receives what is there, at most one system call's worth, into `batch` (cleared first), and
    /// returns the number of packets, at least 1.
    ///
    /// Errors that concern one datagram or one pipe never surface here.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) after [`close`](Self::close); anything else
    /// means that the whole transport failed.
    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>>;

    /// Sends a run of packets, without waiting, and returns how many bytes of it were accepted.
    ///
    /// The number is less than the whole run, always whole packets, only when the pipe has no room
    /// for the rest; that is then treated as if the call had been made for the rest alone and would
    /// have blocked. Packets that were accepted may still be lost on an unreliable pipe: one that
    /// is larger than the path carries is accepted and dropped.
    ///
    /// # Errors
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): nothing was accepted; wait for
    ///   [`poll_writable`](Self::poll_writable).
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the remote is not of this transport's kind,
    ///   or a packet for a reliable pipe is larger than its
    ///   [`max_packet`](Capabilities::max_packet).
    /// - [`NotConnected`](io::ErrorKind::NotConnected): the pipe or the transport is closed.
    /// - Anything else: this run cannot be sent now (no route, say). Treat it as lost; the
    ///   transport goes on.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize>;

    /// Waits until pipes for which [`try_send`](Self::try_send) would have blocked can be tried
    /// again, and says which. Call it only while something waits to be sent.
    ///
    /// # Errors
    /// As [`poll_recv`](Self::poll_recv).
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>>;

    /// Waits for the next event. A transport that has none stays pending for ever.
    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent>;

    /// How many packets of a run one system call takes; 1 where runs bring no gain. Longer runs are
    /// allowed everywhere. May shrink over time.
    fn max_segments(&self) -> usize {
        1
    }

    /// Sends `packets`, one after the other, to whoever listens on the local networks that this
    /// transport is attached to, without waiting; returns how many groups and broadcast addresses
    /// took them. It is the only way in which a transport sends to anyone it was not told of.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported), the default: this transport takes no part in
    /// LAN discovery. [`NotConnected`](io::ErrorKind::NotConnected) after [`close`](Self::close).
    fn announce(&self, packets: &[Vec<u8>]) -> io::Result<usize> {
        let _ = packets;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Notes that a link uses the pipe to `remote`: whoever is at its other end proved an identity
    /// that is accepted, so bounds for strangers hold for it no more. Nothing happens on transports
    /// without connections.
    fn keep(&self, remote: &Remote) {
        let _ = remote;
    }

    /// Gives up the pipe to `remote`: a connection is closed once what it accepted is on its way.
    /// No event follows. Nothing happens on transports without connections.
    fn close_pipe(&self, remote: &Remote) {
        let _ = remote;
    }

    /// Stops: lets what was accepted leave, closes every pipe, wakes `poll_recv` and
    /// `poll_writable` with [`NotConnected`](io::ErrorKind::NotConnected). Further calls do nothing.
    /// Ports are free once the transport is dropped.
    async fn close(&self);
}

/// Which pipes can be tried again; see [`Transport::poll_writable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writable {
    /// All of them: they share one socket.
    All,
    /// This one.
    Only(Remote),
}

/// News of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// A pipe is gone. Packets that had arrived are received first.
    PipeClosed(Remote, CloseReason),
    /// The addresses or routes of this host changed: paths should be checked and announced anew.
    NetworkChanged,
    /// A datagram where endpoints of the local network announce themselves (transports.md, "LAN
    /// discovery"). Nothing is known of it but its source.
    Announcement {
        /// Where it came from: where its sender may be reached.
        from: Remote,
        /// Its bytes.
        packet: Vec<u8>,
    },
}

/// Why a pipe is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it in order.
    Peer,
    /// Nothing was heard for too long.
    TimedOut,
    /// It broke.
    Failed(io::ErrorKind),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer => f.write_str("the peer closed the connection"),
            Self::TimedOut => f.write_str("nothing was heard for too long"),
            Self::Failed(kind) => write!(f, "the connection failed: {kind}"),
        }
    }
}
