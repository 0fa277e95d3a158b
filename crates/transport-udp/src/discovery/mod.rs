//! Announcements on the local networks (transports.md, "LAN discovery"): hearing those of others,
//! and sending ours. What they say is not looked at here.

mod announce;
mod ears;
mod interfaces;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use telehash_transport::ip::Family;
use tokio::net::UdpSocket;

use self::ears::Ears;

/// The UDP port on which endpoints of a local network hear each other.
pub const DISCOVERY_PORT: u16 = 42_420;

/// The group that announcements go to over IPv4, beside the broadcast addresses.
pub const DISCOVERY_GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 42, 42, 42);

/// The group that announcements go to over IPv6: `ff02::4242`. Ours; others use IPv4.
pub const DISCOVERY_GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x4242);

/// The part of one socket in LAN discovery.
#[derive(Debug)]
pub(crate) struct Discovery {
    /// What the socket is bound to: announcements leave from there.
    bound: IpAddr,
    family: Family,
    /// `None` once closed.
    ears: Mutex<Option<Ears>>,
}

impl Discovery {
    pub(crate) fn new(bound: IpAddr, family: Family) -> Self {
        Self {
            bound,
            family,
            ears: Mutex::new(Some(Ears::open(bound, family))),
        }
    }

    /// Waits for the next announcement, or what looks like one; and where it came from. Remembers
    /// only the waker of the last call.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<(SocketAddr, Vec<u8>)> {
        match &mut *self.ears() {
            Some(ears) => ears.poll(cx),
            None => Poll::Pending,
        }
    }

    /// Sends packets from `socket` to every network that it is attached to, and says to how many
    /// groups and broadcast addresses.
    pub(crate) fn announce(&self, socket: &UdpSocket, packets: &[Vec<u8>]) -> io::Result<usize> {
        let interfaces = interfaces::list(self.bound);
        announce::to_all(socket, self.family, &interfaces, packets)
    }

    /// Hears nothing any more; the port is free.
    pub(crate) fn close(&self) {
        self.ears().take();
    }

    fn ears(&self) -> MutexGuard<'_, Option<Ears>> {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
