//! Pings: round trips over every pipe of a link.

use std::time::Duration;

use telehash_channel_path::PingId;
use telehash_hashname::Path;
use telehash_link::{LinkState, MAX_PIPES, PipeId};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::PingError;
use crate::limits::MAX_PINGS;
use crate::link::Link;

/// How long [`Link::ping`] waits for an answer.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer, before its path is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pong {
    pub(crate) pipe: PipeId,
    pub(crate) rtt: Duration,
    pub(crate) active: bool,
}

/// An answer to a ping.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PingReply {
    /// Time from the ping to this answer.
    pub rtt: Duration,
    /// The path that the answer came by.
    pub path: Option<Path>,
    /// It came by the pipe that sends.
    pub active: bool,
}

impl Link {
    /// The round trip to the peer and back: the first answer, whichever pipe it comes by.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The link is down, or nothing came back within 5 s.
    pub async fn ping(&self) -> Result<PingReply, PingError> {
        let mut ping = self.start_ping(PING_TIMEOUT)?;
        ping.first(PING_TIMEOUT).await
    }

    /// Round trips over every pipe that the peer answers on: what comes within `wait`, best first.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The link is down, or nothing came back in time.
    pub async fn ping_all(&self, wait: Duration) -> Result<Vec<PingReply>, PingError> {
        let until = Instant::now() + wait;
        let mut ping = self.start_ping(wait)?;
        let mut replies = vec![ping.first(wait).await?];
        while let Ok(Some(pong)) = timeout_at(until, ping.pongs.recv()).await {
            replies.push(self.reply(pong));
        }
        replies.sort_by_key(|reply| reply.rtt);
        Ok(replies)
    }

    fn start_ping(&self, wait: Duration) -> Result<Ping<'_>, PingError> {
        // One answer a pipe counts, so that there is always room.
        let (sender, pongs) = mpsc::channel(MAX_PIPES);
        let started = self.driver().run(self.shared(), |core, now| {
            if core.link.state() != LinkState::Up {
                return None;
            }
            if core.pings.len() >= MAX_PINGS {
                return Some(Err(telehash_link::OpenError::TooMany { limit: MAX_PINGS }));
            }
            let ping = core.paths.ping(now, &mut core.link, wait);
            Some(ping.inspect(|id| core.pings.push((*id, sender))))
        });
        match started {
            Ok(Some(Ok(id))) => Ok(Ping {
                link: self,
                id,
                pongs,
            }),
            Ok(Some(Err(error))) => Err(PingError::Busy(error)),
            Ok(None) | Err(_) => Err(PingError::Down(self.hashname())),
        }
    }

    fn reply(&self, pong: Pong) -> PingReply {
        let path = telehash_channel_path::Whereabouts::path_of(&**self.shared(), pong.pipe);
        PingReply {
            rtt: pong.rtt,
            path,
            active: pong.active,
        }
    }
}

/// A ping that is under way; it ends when dropped.
struct Ping<'a> {
    link: &'a Link,
    id: PingId,
    pongs: mpsc::Receiver<Pong>,
}

impl Ping<'_> {
    async fn first(&mut self, wait: Duration) -> Result<PingReply, PingError> {
        let hashname = self.link.hashname();
        match timeout(wait, self.pongs.recv()).await {
            Ok(Some(pong)) => Ok(self.link.reply(pong)),
            Ok(None) if !self.link.is_up() => Err(PingError::Down(hashname)),
            Ok(None) => Err(PingError::Refused(hashname)),
            Err(_) => Err(PingError::TimedOut {
                hashname,
                waited: wait,
            }),
        }
    }
}

impl Drop for Ping<'_> {
    fn drop(&mut self) {
        let _ = self.link.driver().run(self.link.shared(), |core, now| {
            core.paths.end_ping(now, &mut core.link, self.id);
        });
    }
}
