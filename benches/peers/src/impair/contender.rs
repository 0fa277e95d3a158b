//! What is compared: two libraries, each with two congestion controllers.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};

use super::{our_end, quinn_end};

/// Attempts to connect; where much gets lost, one may fail.
const ATTEMPTS: usize = 4;

/// How long a farewell may take that nobody needs.
const FAREWELL: Duration = Duration::from_millis(500);

/// The first byte of a stream that is to be echoed.
const PING: u8 = b'p';

/// Bytes of a ping.
const PING_SIZE: usize = 64;

/// Between an answer and the next ping.
const PING_PAUSE: Duration = Duration::from_millis(10);

/// A library with a congestion controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    Ours(Kind),
    Quinn(Kind),
}

/// A congestion controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Cubic,
    Bbr,
}

impl Contender {
    /// All, in the order in which they run: alternating.
    pub const ALL: [Self; 4] = [
        Self::Quinn(Kind::Cubic),
        Self::Ours(Kind::Cubic),
        Self::Quinn(Kind::Bbr),
        Self::Ours(Kind::Bbr),
    ];
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (library, kind) = match self {
            Self::Ours(kind) => ("ours", kind),
            Self::Quinn(kind) => ("quinn", kind),
        };
        let kind = match kind {
            Kind::Cubic => "CUBIC",
            Kind::Bbr => "BBR",
        };
        write!(f, "{library} {kind}")
    }
}

/// A half of a stream.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// The other half.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A server for one client, which discards what streams bring and counts it, and echoes pings.
pub struct Server {
    /// Where it listens, by IPv4.
    pub address: SocketAddr,
    pub end: Box<dyn Far>,
    arrived: Arc<AtomicU64>,
}

/// What keeps a server running.
#[async_trait]
pub trait Far: Send + Sync {
    /// Connects to it by way of this IPv6 address.
    async fn dial(&self, via: SocketAddr) -> Result<Box<dyn Near>>;
    async fn close(self: Box<Self>);
}

/// A connection, as its client sees it.
#[async_trait]
pub trait Near: Send + Sync {
    async fn open(&self) -> Result<(Reader, Writer)>;
    /// What congestion control has come to.
    fn state(&self) -> State;
    async fn close(self: Box<Self>);
}

/// What congestion control has come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// Bytes that may be under way.
    pub window: u64,
    pub rtt: Duration,
    /// Largest datagram.
    pub packet: usize,
    /// Bytes that were sent and that were found lost so far.
    pub sent: u64,
    pub lost: u64,
    /// Bytes a second, where the library tells.
    pub pacing: Option<u64>,
}

impl Server {
    pub async fn start(contender: Contender) -> Result<Self> {
        let arrived = Arc::new(AtomicU64::new(0));
        let (address, end) = match contender {
            Contender::Ours(kind) => our_end::serve(kind, Arc::clone(&arrived)).await?,
            Contender::Quinn(kind) => quinn_end::serve(kind, Arc::clone(&arrived))?,
        };
        Ok(Self {
            address,
            end,
            arrived,
        })
    }

    /// Connects to it by way of this address.
    pub async fn dial(&self, via: SocketAddr) -> Result<Box<dyn Near>> {
        let mut result = Err(anyhow!("no attempt"));
        for _ in 0..ATTEMPTS {
            result = self.end.dial(via).await;
            if result.is_ok() {
                break;
            }
        }
        result.context("could not connect through the proxy")
    }

    /// Bytes of content that its application has got so far.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Ends both sides, without waiting for long.
    pub async fn close(self, near: Box<dyn Near>) {
        let _in_time = timeout(FAREWELL, near.close()).await;
        let _in_time = timeout(FAREWELL, self.end.close()).await;
    }
}

/// Serves a stream: echoes it if it begins with a ping, and counts its bytes otherwise.
pub async fn serve_stream(
    mut reader: Reader,
    mut writer: Writer,
    arrived: Arc<AtomicU64>,
) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut echo = None;
    loop {
        let read = reader.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if *echo.get_or_insert(buffer[0] == PING) {
            writer.write_all(&buffer[..read]).await?;
            writer.flush().await?;
        } else {
            arrived.fetch_add(read as u64, Ordering::Relaxed);
        }
    }
}

/// Sends all that is taken, until it is dropped.
pub async fn bulk(near: &dyn Near) -> Result<()> {
    let (_reader, mut writer) = near.open().await?;
    let chunk = vec![0x5a; 64 << 10];
    loop {
        writer.write_all(&chunk).await?;
    }
}

/// Pings on a stream of their own for this long, one after the other.
pub async fn pings(near: &dyn Near, time: Duration) -> Result<Vec<Duration>> {
    let (mut reader, mut writer) = near.open().await?;
    let mut packet = [PING; PING_SIZE];
    let (mut times, end) = (Vec::new(), Instant::now() + time);
    while Instant::now() < end {
        let start = Instant::now();
        writer.write_all(&packet).await?;
        writer.flush().await?;
        reader.read_exact(&mut packet).await?;
        times.push(start.elapsed());
        sleep(PING_PAUSE).await;
    }
    Ok(times)
}
