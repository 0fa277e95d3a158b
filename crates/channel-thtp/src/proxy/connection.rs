//! Listening, and one connection after another, each bounded.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::forward::Forward;
use super::stall::Patient;
use crate::limits::MAX_HEADERS;

/// Limit: connections to the forward proxy at once; one more waits until another is closed.
pub const MAX_CONNECTIONS: usize = 256;

/// Limit: how long a client may take for the head of a request, and how long a connection may be idle;
/// then it is closed.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Limit: bytes of the head of a request to the forward proxy; a longer one gets 431.
pub const MAX_PROXY_HEAD: usize = 32 * 1024;

/// Bytes that a connection takes beyond what is on its way.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

/// How long to wait when the system has no file descriptors left.
const RETRY: Duration = Duration::from_millis(200);

/// Serves for ever. Dropping the future closes all connections but those that were upgraded: they belong
/// to whoever took them.
pub(super) async fn serve(listener: TcpListener, forward: Forward) -> io::Result<()> {
    let port = listener.local_addr()?.port();
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
        tune(&stream);
        let forward = forward.clone();
        connections.spawn(async move {
            if let Err(error) = converse(stream, port, forward).await {
                tracing::debug!(%error, "a connection to the proxy ended");
            }
            drop(place);
        });
    }
}

/// What cannot be set is left as it is.
fn tune(stream: &TcpStream) {
    // What is small and due now, as an event is, should not wait for more.
    let _ = stream.set_nodelay(true);
    // Or the system tells only once megabytes were read that a slow client reads at all.
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
}

/// Answers what is asked on a connection to `port`.
pub(super) async fn converse<I>(stream: I, port: u16, forward: Arc<Forward>) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let answer = service_fn(move |request| {
        let forward = forward.clone();
        async move { Ok::<_, Infallible>(forward.answer(request, port).await) }
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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::super::{ForwardProxy, NameError};
    use super::*;

    const ASKS: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n";

    fn proxy() -> ForwardProxy {
        ForwardProxy::new(async |_| Err(NameError::Unknown("nobody".to_owned())))
    }

    fn connected() -> DuplexStream {
        let (near, far) = duplex(1 << 20);
        tokio::spawn(converse(far, 8042, Arc::new(proxy().into_forward())));
        near
    }

    /// What comes back until the connection is closed.
    async fn rest(mut stream: DuplexStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_request_has_a_head_as_long_as_the_limit_and_no_longer() {
        for (longer, status) in [(0, "200"), (1, "431")] {
            let close = "Connection: close\r\n\r\n";
            let filler = MAX_PROXY_HEAD - ASKS.len() - close.len() - "X: \r\n".len() + longer;
            let head = format!("{ASKS}X: {}\r\n{close}", "x".repeat(filler));
            let mut stream = connected();
            stream.write_all(head.as_bytes()).await.unwrap();
            let answer = rest(stream).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_too_long_for_a_head_or_asks_for_nothing_is_closed() {
        for begun in ["", ASKS, &format!("{ASKS}\r\n")] {
            let mut stream = connected();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let start = Instant::now();
            let answer = rest(stream).await;
            assert_eq!(answer.contains("200 OK"), begun.ends_with("\r\n\r\n"));
            assert_eq!(start.elapsed(), HEAD_READ_TIMEOUT, "{begun:?}");
        }
    }

    async fn asks(stream: &mut TcpStream) {
        stream
            .write_all(format!("{ASKS}\r\n").as_bytes())
            .await
            .unwrap();
    }

    async fn is_answered(stream: &mut TcpStream) {
        let mut answer = Vec::new();
        while !answer.ends_with(b"for <name>.\n") {
            let read = stream.read_buf(&mut answer).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        }
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_until_another_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(proxy().serve(listener));
        let mut connections = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            asks(&mut stream).await;
            is_answered(&mut stream).await;
            connections.push(stream);
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        asks(&mut late).await;
        // Who came before is answered meanwhile.
        for stream in &mut connections {
            asks(stream).await;
            is_answered(stream).await;
        }
        let nothing = late.try_read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        connections.pop();
        is_answered(&mut late).await;
    }

    /// The system used to tell of a slow reader only once it had read megabytes, and it was taken for
    /// one that reads nothing.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_slow_reader_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (writer, _) = listener.accept().await.unwrap();
        tune(&writer);
        let mut full = 0;
        while writer.writable().now_or_never().is_some() {
            full += writer.try_write(&[0; 1 << 16]).unwrap_or(0);
        }
        // What is read is a small part of what the writer had to wait with.
        let mut some = vec![0; full.min(512 * 1024)];
        reader.read_exact(&mut some).await.unwrap();
        writer.writable().await.unwrap();
        let more = writer.try_write(&[0]).unwrap();
        assert_eq!(more, 1, "after {} of {full} bytes", some.len());
    }
}
