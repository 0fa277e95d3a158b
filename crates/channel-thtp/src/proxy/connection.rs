//! Listening, and one connection after another, each bounded.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::forward::Forward;
use super::stall::Patient;
use crate::limits::MAX_HEADERS;

/// Limit: connections to the forward proxy at once; one more waits until another is closed.
pub const MAX_CONNECTIONS: usize = 512;

/// Limit: how long a client may take for the head of a request, and how long a connection may be idle;
/// then it is closed.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Limit: bytes of the head of a request to the forward proxy; a longer one gets 431.
pub const MAX_PROXY_HEAD: usize = 32 * 1024;

/// How long to wait when the system has no file descriptors left.
const RETRY: Duration = Duration::from_millis(200);

/// Serves for ever. Dropping the future closes all connections.
pub(super) async fn serve(listener: TcpListener, forward: Forward) -> io::Result<()> {
    let local = listener.local_addr()?;
    let forward = Arc::new(forward);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else {
            return Ok(());
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the proxy takes no connection");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let forward = forward.clone();
        connections.spawn(async move {
            if let Err(error) = converse(stream, local, forward).await {
                tracing::debug!(%error, "a connection to the proxy ended");
            }
            drop(place);
        });
    }
}

async fn converse(
    stream: TcpStream,
    local: SocketAddr,
    forward: Arc<Forward>,
) -> hyper::Result<()> {
    // What is small and due now, as an event is, should not wait for more.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| {
        let forward = forward.clone();
        async move { Ok::<_, Infallible>(forward.answer(request, local.port()).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_PROXY_HEAD)
        .half_close(false)
        .serve_connection(TokioIo::new(Patient::new(stream)), answer)
        .with_upgrades()
        .await
}
