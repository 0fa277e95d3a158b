//! Closes a transport: what it has leaves first, within bounds.

use std::{
    collections::HashSet,
    future::poll_fn,
    task::{Context, Poll},
};

use tokio::time::timeout;

use crate::{
    connection::Connection,
    inner::Inner,
    limits::{CLOSE_TIMEOUT, LINGER},
    stats::count,
    token::Token,
};

/// Lets every connection send what it has, tells the peers, and waits a moment for them to close as
/// well. Nobody polls the transport any more.
pub(crate) async fn close(inner: &Inner) {
    let connections = inner.connections();
    let mut unfinished: HashSet<u64> = connections.iter().map(|c| c.number()).collect();
    let mut scratch = vec![0; 16 * 1024];
    for connection in &connections {
        connection.close();
    }
    drop(connections);
    let finished = poll_fn(|cx| poll(inner, cx, &mut unfinished, &mut scratch, false));
    if timeout(CLOSE_TIMEOUT, finished).await.is_err() {
        let left = unfinished.len();
        tracing::debug!(
            left,
            "peers do not take what was sent; closing nevertheless"
        );
    }
    // It does not matter who closes later.
    let gone = poll_fn(|cx| poll(inner, cx, &mut unfinished, &mut scratch, true));
    let _ = timeout(LINGER, gone).await;
    for connection in inner.connections() {
        remove(inner, &connection);
    }
}

/// Serves closing connections until all have finished sending or, with `peers`, are gone.
fn poll(
    inner: &Inner,
    cx: &Context<'_>,
    unfinished: &mut HashSet<u64>,
    scratch: &mut [u8],
    peers: bool,
) -> Poll<()> {
    loop {
        let left = if peers {
            inner.crowd().len()
        } else {
            unfinished.len()
        };
        if left == 0 {
            return Poll::Ready(());
        }
        let Poll::Ready(code) = inner.readiness.poll_next(cx) else {
            return Poll::Pending;
        };
        match Token::decode(code) {
            Token::Read(number) => {
                if let Some(connection) = inner.connection(number)
                    && is_over(&connection, scratch)
                {
                    unfinished.remove(&number);
                    remove(inner, &connection);
                }
            }
            Token::Write(number) => {
                if let Some(connection) = inner.connection(number)
                    && let Poll::Ready(result) = connection.poll_finish(&inner.counters)
                {
                    unfinished.remove(&number);
                    if result.is_err() {
                        remove(inner, &connection);
                    }
                }
            }
            Token::Listener | Token::Timer => {}
        }
    }
}

/// Reads what nobody wants any more; whether the peer has closed as well.
fn is_over(connection: &Connection, scratch: &mut [u8]) -> bool {
    let read = connection.read(&mut connection.reading(), scratch);
    if !read.dry && read.end.is_none() {
        connection.wake();
    }
    read.end.is_some()
}

fn remove(inner: &Inner, connection: &Connection) {
    if inner.remove(connection.number()) {
        count(&inner.counters.closed_by_us, 1);
    }
}
