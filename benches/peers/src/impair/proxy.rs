//! A UDP proxy on the loopback interface that is a path: slow, far and lossy.
//!
//! Clients reach it by IPv6 and it reaches servers by IPv4. Endpoints with one socket each, of these
//! families, have no other way to each other: they cannot find the direct one and leave the proxy.

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use socket2::SockRef;

use super::{
    path::{HEADERS, Path},
    wires::{Arrived, Way, Wires},
};

/// Nothing is to be lost before the queue of the path: as much as systems grant.
const SOCKET_BUFFER: usize = 4 << 20;

/// How long a thread waits before it looks whether it should end.
const TICK: Duration = Duration::from_millis(50);

/// What the system may add to each wait: as little as can be said, instead of 50 us.
const TIMER_SLACK_NS: &str = "1000";

/// A path between each of any number of clients and its server; dropping it cuts them off.
pub struct Proxy {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What a proxy did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Datagrams lost to chance and to the queue, of those that were to go forth.
    pub lost: u64,
    pub dropped: u64,
    pub sent: u64,
    /// Datagrams that its own sockets had no room for: a measurement with any is void.
    pub overrun: u64,
    /// How late 99 of 100 datagrams left at most.
    pub late_p99: Duration,
}

struct Shared {
    flows: Vec<Flow>,
    origin: Instant,
    wires: Mutex<Wires>,
    /// Something arrives earlier than was known.
    earlier: Condvar,
    /// How late datagrams left, counted by powers of two of microseconds.
    lateness: Mutex<[u64; 32]>,
    stop: AtomicBool,
}

struct Flow {
    front: UdpSocket,
    back: UdpSocket,
    client: Mutex<Option<SocketAddr>>,
}

impl Proxy {
    /// Starts one path to these servers, IPv4 addresses, each of which gets an entrance.
    pub fn start(path: &Path, servers: &[SocketAddr], seed: u64) -> Result<Self> {
        let flows = servers.iter().map(|&server| Flow::new(server));
        let shared = Arc::new(Shared {
            flows: flows.collect::<Result<_>>()?,
            origin: Instant::now(),
            wires: Mutex::new(Wires::new(path, seed)),
            earlier: Condvar::new(),
            lateness: Mutex::new([0; 32]),
            stop: AtomicBool::new(false),
        });
        let mut threads = Vec::new();
        let out = Arc::clone(&shared);
        threads.push(thread::spawn(move || out.deliver()));
        for flow in 0..servers.len() {
            for way in [Way::Forth, Way::Back] {
                let shared = Arc::clone(&shared);
                threads.push(thread::spawn(move || shared.receive(flow, way)));
            }
        }
        Ok(Self { shared, threads })
    }

    /// Where the client of the `n`-th server sends, an IPv6 address.
    pub fn entrance(&self, n: usize) -> Result<SocketAddr> {
        let flow = self.shared.flows.get(n).context("no such server")?;
        Ok(flow.front.local_addr()?)
    }

    /// What it did so far.
    pub fn report(&self) -> Result<Report> {
        let mut overrun = 0;
        for flow in &self.shared.flows {
            for socket in [&flow.front, &flow.back] {
                overrun += overruns(socket.local_addr()?)?;
            }
        }
        let forth = lock(&self.shared.wires).counters(Way::Forth);
        Ok(Report {
            lost: forth.lost,
            dropped: forth.queue_full,
            sent: forth.sent,
            overrun,
            late_p99: p99(&lock(&self.shared.lateness)[..]),
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.earlier.notify_all();
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

impl Flow {
    fn new(server: SocketAddr) -> Result<Self> {
        let front =
            UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).context("could not bind the proxy")?;
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("could not bind the proxy")?;
        back.connect(server).context("could not reach the server")?;
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(TICK))?;
            SockRef::from(socket).set_recv_buffer_size(SOCKET_BUFFER)?;
        }
        Ok(Self {
            front,
            back,
            client: Mutex::new(None),
        })
    }

    /// Hands a datagram to whom it is for. Who is gone gets none.
    fn send(&self, arrived: &Arrived) {
        let _gone = match arrived.way {
            Way::Forth => self.back.send(&arrived.bytes),
            Way::Back => match *lock(&self.client) {
                Some(client) => self.front.send_to(&arrived.bytes, client),
                None => Ok(0),
            },
        };
    }
}

impl Shared {
    /// Takes what comes in one way.
    fn receive(&self, flow: usize, way: Way) {
        let ends = &self.flows[flow];
        let socket = match way {
            Way::Forth => &ends.front,
            Way::Back => &ends.back,
        };
        let mut packet = vec![0; HEADERS + 65_535];
        while !self.stop.load(Ordering::Relaxed) {
            // A time-out, or word that the other end is gone.
            let Ok((len, from)) = socket.recv_from(&mut packet[HEADERS..]) else {
                continue;
            };
            if way == Way::Forth {
                *lock(&ends.client) = Some(from);
            }
            let mut wires = lock(&self.wires);
            let before = wires.next();
            wires.enter(
                self.origin.elapsed(),
                way,
                flow,
                &mut packet[..HEADERS + len],
            );
            if wires.next() != before {
                self.earlier.notify_one();
            }
        }
    }

    /// Hands on what is due, both ways.
    fn deliver(&self) {
        wake_in_time();
        let mut due = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let mut wires = lock(&self.wires);
            let now = self.origin.elapsed();
            due.extend(std::iter::from_fn(|| wires.leave(now)));
            if due.is_empty() {
                let wait = wires
                    .next()
                    .map_or(TICK, |at| at.saturating_sub(now).min(TICK));
                // Whatever woke it: it looks again.
                let _woken = self.earlier.wait_timeout(wires, wait);
                continue;
            }
            drop(wires);
            for arrived in due.drain(..) {
                self.flows[arrived.flow].send(&arrived);
                self.note(self.origin.elapsed().saturating_sub(arrived.due));
            }
        }
    }

    fn note(&self, late: Duration) {
        let power = (u64::try_from(late.as_micros()).unwrap_or(u64::MAX) | 1).ilog2() as usize;
        lock(&self.lateness)[power.min(31)] += 1;
    }
}

/// The upper end of the power of two that 99 of 100 are within.
fn p99(powers: &[u64]) -> Duration {
    let total: u64 = powers.iter().sum();
    let mut seen = 0;
    for (power, count) in powers.iter().enumerate() {
        seen += count;
        if seen * 100 >= total * 99 && total > 0 {
            return Duration::from_micros(2 << power);
        }
    }
    Duration::ZERO
}

/// Has this thread woken as near to the time as the system can; where it cannot be said, waits are 50 us
/// longer.
fn wake_in_time() {
    let thread = fs::read_link("/proc/thread-self");
    if let Some(id) = thread.ok().as_deref().and_then(std::path::Path::file_name) {
        let file = std::path::Path::new("/proc").join(id).join("timerslack_ns");
        let _not_allowed = fs::write(file, TIMER_SLACK_NS);
    }
}

/// Datagrams that the socket of this address had no room for, as Linux counts them.
fn overruns(address: SocketAddr) -> Result<u64> {
    let table = if address.is_ipv4() { "udp" } else { "udp6" };
    let table = fs::read_to_string(format!("/proc/net/{table}"))?;
    let port = format!(":{:04X}", address.port());
    let line = table
        .lines()
        .skip(1)
        .find(|line| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|at| at.ends_with(&port))
        })
        .context("the system does not list the proxy's socket")?;
    let drops = line.split_whitespace().last().context("no drops")?;
    drops.parse().context("drops are a number")
}

/// A panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(address: impl std::net::ToSocketAddrs) -> UdpSocket {
        let socket = UdpSocket::bind(address).expect("a free port");
        let limit = Some(Duration::from_secs(30));
        socket.set_read_timeout(limit).expect("a valid timeout");
        socket
    }

    #[test]
    fn datagrams_take_their_time_there_and_back_and_each_flow_keeps_its_own() {
        let servers = [0, 1].map(|_| socket((Ipv4Addr::LOCALHOST, 0)));
        let clients = [0, 1].map(|_| socket((Ipv6Addr::LOCALHOST, 0)));
        let addresses = servers
            .each_ref()
            .map(|server| server.local_addr().expect("bound"));
        let path = Path::new(1_000, 20, 0.0);
        let proxy = Proxy::start(&path, &addresses, 1).expect("free ports");
        let begin = Instant::now();
        for (n, client) in clients.iter().enumerate() {
            let to = proxy.entrance(n).expect("an entrance");
            client.send_to(&[n as u8; 100], to).expect("sent");
        }
        for (n, (client, server)) in clients.iter().zip(&servers).enumerate() {
            let mut buffer = [0; 200];
            let (len, from) = server.recv_from(&mut buffer).expect("it arrives");
            assert_eq!((len, buffer[0]), (100, n as u8));
            assert!(begin.elapsed() >= path.rtt() / 2, "no earlier than due");
            server.send_to(&buffer[..50], from).expect("sent");
            let (len, from) = client.recv_from(&mut buffer).expect("it arrives");
            assert_eq!((len, buffer[0]), (50, n as u8));
            assert_eq!(from, proxy.entrance(n).expect("an entrance"));
            assert!(begin.elapsed() >= path.rtt(), "no earlier than due");
        }
        let report = proxy.report().expect("a report");
        assert_eq!((report.sent, report.lost, report.overrun), (2, 0, 0));
        assert!(report.late_p99 > Duration::ZERO, "it was measured");
    }

    #[test]
    fn p99_is_of_nearly_all() {
        assert_eq!(p99(&[0; 32]), Duration::ZERO);
        assert_eq!(p99(&[0, 0, 99, 0, 1]), Duration::from_micros(8));
        assert_eq!(p99(&[0, 0, 98, 0, 2]), Duration::from_micros(32));
    }
}
