//! Who comes in.

use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered, unfold},
};
use quinn::{Connection, ConnectionError, Endpoint, Incoming};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::{
    limits::{HANDSHAKE_TIMEOUT, MAX_STRANGERS_PER_HOST},
    parameters::Parameters,
    pipes::Pipes,
    stats::count,
    strangers::Host,
};

/// Handshakes that one poll lets begin. Then it lets others have their turn first.
const ARRIVALS: usize = 32;

/// Takes connections, and closes those of strangers whose time is over.
pub(crate) struct Door {
    arrivals: BoxStream<'static, Incoming>,
    handshakes: FuturesUnordered<BoxFuture<'static, Arrived>>,
    /// Where the handshakes come from.
    hosts: Vec<Host>,
    /// Set for the next stranger whose time is over.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// What became of a handshake.
struct Arrived {
    host: Host,
    connection: Result<Connection, ConnectionError>,
}

impl Door {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        let arrivals = unfold(endpoint, async |endpoint| {
            let incoming = endpoint.accept().await?;
            Some((incoming, endpoint))
        });
        Self {
            arrivals: arrivals.boxed(),
            handshakes: FuturesUnordered::new(),
            hosts: Vec::new(),
            alarm: None,
        }
    }

    /// Sees to all that happened at the door, and has `cx` woken when more does.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, pipes: &Pipes, parameters: &Parameters) {
        self.poll_arrivals(cx, pipes, parameters);
        while let Poll::Ready(Some(arrived)) = self.handshakes.poll_next_unpin(cx) {
            self.admit(arrived, pipes);
        }
        pipes.poll_leaving(cx);
        self.poll_alarm(cx, pipes);
    }

    fn poll_arrivals(&mut self, cx: &mut Context<'_>, pipes: &Pipes, parameters: &Parameters) {
        for _ in 0..ARRIVALS {
            match self.arrivals.poll_next_unpin(cx) {
                Poll::Ready(Some(incoming)) => self.welcome(incoming, pipes, parameters),
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Begins a handshake, unless there are too many.
    fn welcome(&mut self, incoming: Incoming, pipes: &Pipes, parameters: &Parameters) {
        let remote = incoming.remote_address().ip().to_canonical();
        let host = Host::of(remote);
        let limits = &pipes.limits;
        let from_there = self.hosts.iter().filter(|&&other| other == host).count();
        if self.handshakes.len() >= limits.handshakes || from_there >= MAX_STRANGERS_PER_HOST {
            count(&pipes.counters.refused, 1);
            return incoming.refuse();
        }
        if self.handshakes.len() >= limits.unvalidated && !incoming.remote_address_validated() {
            count(&pipes.counters.retried, 1);
            // It fails only for addresses that are validated.
            let _ = incoming.retry();
            return;
        }
        let loopback = is_here(remote, incoming.local_ip());
        let Ok(connecting) = incoming.accept_with(parameters.server(loopback)) else {
            count(&pipes.counters.failed_handshakes, 1);
            return;
        };
        self.hosts.push(host);
        let handshake = timeout(HANDSHAKE_TIMEOUT, connecting).map(move |done| Arrived {
            host,
            connection: done.unwrap_or(Err(ConnectionError::TimedOut)),
        });
        self.handshakes.push(handshake.boxed());
    }

    fn admit(&mut self, Arrived { host, connection }: Arrived, pipes: &Pipes) {
        if let Some(place) = self.hosts.iter().position(|&other| other == host) {
            self.hosts.swap_remove(place);
        }
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => {
                count(&pipes.counters.failed_handshakes, 1);
                tracing::debug!(%error, "an incoming QUIC handshake failed");
                return;
            }
        };
        if let Err(error) = pipes.make_room() {
            count(&pipes.counters.refused, 1);
            tracing::debug!(%error, "an incoming QUIC connection was refused");
            return connection.close(0_u32.into(), b"");
        }
        count(&pipes.counters.accepted, 1);
        pipes.add(connection, Some(host));
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, pipes: &Pipes) {
        loop {
            pipes.evict_overdue(Instant::now());
            let Some(deadline) = pipes.strangers().deadline() else {
                self.alarm = None;
                return;
            };
            let alarm = self
                .alarm
                .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return;
            }
        }
    }
}

/// Whether both ends of a connection are on this host, as far as its addresses tell.
pub(crate) fn is_here(remote: IpAddr, local: Option<IpAddr>) -> bool {
    remote.to_canonical().is_loopback()
        || local.is_some_and(|local| local.to_canonical() == remote.to_canonical())
}
