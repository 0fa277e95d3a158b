//! Hearing announcements: a socket of each family on the port that all endpoints share.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use telehash_transport::ip::Family;
use tokio::{
    io::ReadBuf,
    net::UdpSocket,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    DISCOVERY_GROUP_V4, DISCOVERY_GROUP_V6, DISCOVERY_PORT,
    interfaces::{self, Interface},
};

/// How often it is looked whether there are other interfaces, whose groups have to be joined, and a
/// port that was taken is tried again.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Longest announcement that is passed on, in bytes: one that fits a frame of Ethernet. A longer
/// datagram is dropped.
const MAX_HEARD: usize = 1472;

/// Datagrams that one poll may drop. Then it lets other tasks run first.
const MAX_DROPS: usize = 32;

/// What hears.
#[derive(Debug)]
pub(super) struct Ears {
    bound: IpAddr,
    ears: Vec<Ear>,
    /// Made with the first poll; the first tick is at once.
    check: Option<Interval>,
    buffer: Box<[u8]>,
}

/// One family.
#[derive(Debug)]
struct Ear {
    v6: bool,
    socket: Option<UdpSocket>,
    /// Indices of the interfaces on which the group is joined, as far as the system lets us.
    joined: BTreeSet<u32>,
}

impl Ears {
    /// Opens what can be opened.
    pub(super) fn open(bound: IpAddr, family: Family) -> Self {
        let v4 = (family != Family::V6).then(|| Ear::new(false));
        let v6 = (family != Family::V4).then(|| Ear::new(true));
        let mut ears = Self {
            bound,
            ears: v4.into_iter().chain(v6).collect(),
            check: None,
            // One byte more than is passed on tells what is too long.
            buffer: vec![0; MAX_HEARD + 1].into(),
        };
        ears.check();
        ears
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(SocketAddr, Vec<u8>)> {
        let check = self.check.get_or_insert_with(|| {
            let mut check = interval(CHECK_INTERVAL);
            check.set_missed_tick_behavior(MissedTickBehavior::Delay);
            check
        });
        if check.poll_tick(cx).is_ready() {
            self.check();
            // The next tick has to wake us, too.
            cx.waker().wake_by_ref();
        }
        for ear in &mut self.ears {
            if let Poll::Ready(heard) = ear.poll(cx, &mut self.buffer) {
                return Poll::Ready(heard);
            }
        }
        Poll::Pending
    }

    fn check(&mut self) {
        let interfaces = interfaces::list(self.bound);
        for ear in &mut self.ears {
            ear.check(&interfaces);
        }
    }
}

impl Ear {
    const fn new(v6: bool) -> Self {
        Self {
            v6,
            socket: None,
            joined: BTreeSet::new(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<(SocketAddr, Vec<u8>)> {
        let Some(socket) = &self.socket else {
            return Poll::Pending;
        };
        for _ in 0..MAX_DROPS {
            let mut datagram = ReadBuf::new(buffer);
            match ready!(socket.poll_recv_from(cx, &mut datagram)) {
                Ok(from) if (1..=MAX_HEARD).contains(&datagram.filled().len()) => {
                    return Poll::Ready((from, datagram.filled().to_vec()));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "announcements are not heard for a while");
                    (self.socket, self.joined) = (None, BTreeSet::new());
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Opens the socket if there is none, and joins the group on interfaces that are new.
    fn check(&mut self, interfaces: &[Interface]) {
        if self.socket.is_none() {
            match open(self.v6) {
                Ok(socket) => self.socket = Some(socket),
                // A system without IPv6 is nothing to worry about.
                Err(error) if self.v6 => {
                    tracing::debug!(%error, "announcements are not heard over IPv6");
                }
                Err(error) => tracing::warn!(
                    %error,
                    port = DISCOVERY_PORT,
                    "announcements of others cannot be heard: the UDP port cannot be opened"
                ),
            }
        }
        let Some(socket) = &self.socket else { return };
        let has_family = |interface: &&Interface| match self.v6 {
            true => interface.v6,
            false => !interface.v4.is_empty(),
        };
        let present = interfaces.iter().filter(has_family);
        let present: BTreeSet<u32> = present.map(|interface| interface.index).collect();
        for index in present.difference(&self.joined) {
            match join(socket, self.v6, *index) {
                Ok(()) => tracing::debug!(index, v6 = self.v6, "group joined"),
                Err(error) => tracing::debug!(index, v6 = self.v6, %error, "group not joined"),
            }
        }
        // With an interface its memberships go, and one that comes back is a new one.
        self.joined = present;
    }
}

fn open(v6: bool) -> io::Result<UdpSocket> {
    let (domain, any) = match v6 {
        true => (Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        false => (Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if v6 {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(any, DISCOVERY_PORT).into())?;
    UdpSocket::from_std(socket.into())
}

fn join(socket: &UdpSocket, v6: bool, index: u32) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let joined = match v6 {
        true => socket.join_multicast_v6(&DISCOVERY_GROUP_V6, index),
        false => {
            let interface = InterfaceIndexOrAddress::Index(index);
            socket.join_multicast_v4_n(&DISCOVERY_GROUP_V4, &interface)
        }
    };
    match joined {
        // Joined before.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        joined => joined,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
    };

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An ear at a loopback address, and somebody who speaks to it.
    async fn ear() -> (Ear, UdpSocket) {
        let (socket, speaker) = (bound().await, bound().await);
        let address = socket.local_addr().unwrap();
        speaker.connect(address).await.unwrap();
        let mut ear = Ear::new(false);
        ear.socket = Some(socket);
        (ear, speaker)
    }

    async fn bound() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    #[tokio::test]
    async fn an_announcement_of_the_longest_length_is_heard_and_a_longer_one_dropped() {
        let (mut ear, speaker) = ear().await;
        for length in [MAX_HEARD + 1, 0, MAX_HEARD] {
            speaker.send(&vec![7; length]).await.unwrap();
        }
        let mut buffer = vec![0; MAX_HEARD + 1];
        let (from, heard) = poll_fn(|cx| ear.poll(cx, &mut buffer)).await;
        assert_eq!(heard, vec![7; MAX_HEARD]);
        assert_eq!(from, speaker.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_flood_of_long_datagrams_lets_other_tasks_run() {
        let (mut ear, speaker) = ear().await;
        for _ in 0..MAX_DROPS {
            speaker.send(&[7; MAX_HEARD + 1]).await.unwrap();
        }
        speaker.send(&[7]).await.unwrap();
        ear.socket.as_ref().unwrap().readable().await.unwrap();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut buffer = vec![0; MAX_HEARD + 1];
        let polled = ear.poll(&mut Context::from_waker(&waker), &mut buffer);
        assert!(polled.is_pending());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let (_, heard) = poll_fn(|cx| ear.poll(cx, &mut buffer)).await;
        assert_eq!(heard, [7]);
    }
}
