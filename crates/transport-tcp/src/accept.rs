//! Takes in connections of peers, and pauses while the system cannot.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::limits::{FIRST_PAUSE, MAX_PAUSE};

/// The listener of a transport, until it closes.
#[derive(Debug)]
pub(crate) struct Accepter {
    listener: Option<TcpListener>,
    /// The next pause.
    pause: Duration,
    until: Option<Instant>,
}

/// What accepting came to.
#[derive(Debug)]
pub(crate) enum Accept {
    Connection(TcpStream, SocketAddr),
    /// Nobody is there, or it is no time to look.
    Nobody,
    /// The system could not; look again at this time.
    Pause(Instant),
}

impl Accepter {
    pub(crate) const fn new(listener: TcpListener) -> Self {
        Self {
            listener: Some(listener),
            pause: FIRST_PAUSE,
            until: None,
        }
    }

    /// Listens no more.
    pub(crate) fn stop(&mut self) {
        self.listener = None;
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Accept {
        let Some(listener) = &self.listener else {
            return Accept::Nobody;
        };
        if self.until.is_some_and(|until| Instant::now() < until) {
            return Accept::Nobody;
        }
        self.until = None;
        loop {
            match listener.poll_accept(cx) {
                Poll::Ready(Ok((stream, peer))) => {
                    self.recovered();
                    return Accept::Connection(stream, peer);
                }
                Poll::Ready(Err(error)) if is_about_one(&error) => {
                    tracing::debug!(%error, "a peer was gone before it was let in");
                }
                Poll::Ready(Err(error)) => return self.failed(&error),
                Poll::Pending => {
                    self.recovered();
                    return Accept::Nobody;
                }
            }
        }
    }

    fn recovered(&mut self) {
        if std::mem::replace(&mut self.pause, FIRST_PAUSE) != FIRST_PAUSE {
            tracing::info!("connections can be accepted again");
        }
    }

    fn failed(&mut self, error: &io::Error) -> Accept {
        if self.pause == FIRST_PAUSE {
            tracing::warn!(%error, "no connection can be accepted now; trying again, ever more slowly");
        }
        let until = Instant::now() + self.pause;
        self.until = Some(until);
        self.pause = (2 * self.pause).min(MAX_PAUSE);
        Accept::Pause(until)
    }
}

/// Whether the next connection may well be accepted at once.
fn is_about_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, PermissionDenied};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut accepter = Accepter::new(listener);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let Accept::Pause(until) = accepter.failed(&io::ErrorKind::OutOfMemory.into()) else {
                panic!("a pause")
            };
            pauses.push((until - Instant::now()).as_millis());
        }
        assert_eq!(pauses[..4], [10, 20, 40, 80]);
        assert_eq!(pauses.last(), Some(&MAX_PAUSE.as_millis()));
        accepter.until = None;
        accepter.recovered();
        assert_eq!(accepter.pause, FIRST_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_accepted_during_a_pause() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepter = Accepter::new(listener);
        let _peer = std::net::TcpStream::connect(address).unwrap();
        accepter.failed(&io::ErrorKind::OutOfMemory.into());
        let paused = std::future::poll_fn(|cx| Poll::Ready(accepter.poll(cx))).await;
        assert!(matches!(paused, Accept::Nobody));
        tokio::time::advance(FIRST_PAUSE).await;
        std::future::poll_fn(|cx| match accepter.poll(cx) {
            Accept::Connection(..) => Poll::Ready(()),
            _ => Poll::Pending,
        })
        .await;
    }
}
