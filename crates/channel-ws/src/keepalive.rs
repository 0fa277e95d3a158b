//! Notices that a peer says nothing any more.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// What is to be done about a silent peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Ask it.
    Ping,
    /// Give it up; it has been silent for so long.
    Failure(Duration),
}

/// Times pings, and how long their answers take.
#[derive(Debug)]
pub(crate) struct Keepalive {
    interval: Duration,
    timeout: Duration,
    /// When something came last, or was asked for.
    since: Instant,
    asked: bool,
    alarm: Pin<Box<Sleep>>,
}

impl Keepalive {
    pub(crate) fn new((interval, timeout): (Duration, Duration)) -> Self {
        Self {
            interval,
            timeout,
            since: Instant::now(),
            asked: false,
            alarm: Box::pin(sleep(interval)),
        }
    }

    /// Something came.
    pub(crate) fn heard(&mut self) {
        (self.since, self.asked) = (Instant::now(), false);
    }

    /// Nothing is there: what is due? To be asked only when all that came was read.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        let wait = if self.asked {
            self.timeout
        } else {
            self.interval
        };
        let until = self.since + wait;
        if self.alarm.deadline() != until {
            self.alarm.as_mut().reset(until);
        }
        ready!(self.alarm.as_mut().poll(cx));
        if self.asked {
            return Poll::Ready(Due::Failure(self.interval + self.timeout));
        }
        (self.since, self.asked) = (Instant::now(), true);
        Poll::Ready(Due::Ping)
    }
}
