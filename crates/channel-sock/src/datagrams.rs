//! UDP at the other end of a link.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, ChannelError, Link, Open, Packet};

use crate::destination::Destination;
use crate::error::SockError;
use crate::wire;

/// How long an answer is waited for, one attempt after the other: the open or its answer may be
/// lost.
const ATTEMPTS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(10),
];

/// A tunnel of datagrams to one UDP destination. They may be lost, and come in another order.
///
/// It ends when it is dropped, and when nothing went through for
/// [`UDP_IDLE`](crate::limits::UDP_IDLE).
#[derive(Debug)]
pub struct SockDatagrams {
    channel: Channel,
}

impl SockDatagrams {
    /// Opens it, until the peer says that it serves it.
    pub(crate) async fn open(link: &Link, to: &Destination) -> Result<Self, SockError> {
        for wait in ATTEMPTS {
            let open = Open::unreliable(wire::TYPE).head(wire::connect(to));
            let mut channel = link.open(open.timeout(wait)).await?;
            match channel.opened().await {
                Ok(()) => return Ok(Self { channel }),
                Err(ChannelError::Timeout) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChannelError::Timeout.into())
    }

    /// The endpoint that has the socket.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The largest datagram that fits now, in bytes.
    #[must_use]
    pub fn max_datagram(&self) -> usize {
        self.channel.quota()
    }

    /// Sends a datagram. The link paces what leaves; of what waits for too long the oldest is
    /// dropped.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The datagram is too large, which the error says, or the tunnel is over.
    pub async fn send(&self, datagram: impl Into<Bytes>) -> Result<(), SockError> {
        let mut packet = Some(Packet::new(datagram));
        let sent = poll_fn(|cx| self.channel.poll_send(cx, &mut packet)).await;
        sent.map_err(Into::into)
    }

    /// The next datagram; `None` when the tunnel is over.
    ///
    /// Cancel-safe.
    pub async fn recv(&self) -> Option<Bytes> {
        loop {
            match poll_fn(|cx| self.channel.poll_recv(cx)).await {
                Ok(Some(packet)) if is_answer(&packet) => {}
                Ok(Some(packet)) if packet.end && packet.body.is_empty() => return None,
                Ok(Some(packet)) => return Some(packet.body),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// Not a datagram: it says that the tunnel is there.
fn is_answer(packet: &Packet) -> bool {
    packet.body.is_empty() && wire::bound(packet.head.as_deref()).is_some()
}
