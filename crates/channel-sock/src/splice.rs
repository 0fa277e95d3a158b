//! A tunnel and a TCP connection, joined.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use socket2::SockRef;
use telehash_channel_stream::io_error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stream::SockStream;
use crate::wire::refusal;

/// Bytes that are read at once in each direction.
const READ_SIZE: usize = 64 * 1024;

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spliced {
    /// Bytes from the tunnel to the TCP connection.
    pub to_tcp: u64,
    /// Bytes from the TCP connection to the tunnel.
    pub from_tcp: u64,
}

/// Copies both ways until both have ended and the peer has everything.
///
/// A side that is not read holds the other back. The end of a direction goes on as an end, and the
/// failure of either side as a reset of the other; so does dropping the future.
///
/// # Errors
/// Either side failed.
pub async fn splice(sock: SockStream, mut tcp: TcpStream) -> io::Result<Spliced> {
    // A small write is somebody's keystroke or request: it must not wait for an acknowledgement.
    let _ = tcp.set_nodelay(true);
    // Until all went well a close is a reset: half of the data must not look like all of it.
    SockRef::from(&tcp).set_linger(Some(Duration::ZERO))?;
    let (mut reader, writer) = sock.into_split();
    let (mut from_tcp, mut to_tcp) = tcp.split();
    // A failure is seen at once, even while neither direction moves.
    let watch = async {
        let over = poll_fn(|cx| writer.poll_closed(cx)).await;
        over.map_err(|error| io_error(error.into()))
    };
    let mut to_peer = &writer;
    let done = tokio::try_join!(
        copy(&mut reader, &mut to_tcp),
        copy(&mut from_tcp, &mut to_peer),
        watch,
    );
    match done {
        Ok((to_tcp, from_tcp, ())) => {
            SockRef::from(&tcp).set_linger(None)?;
            Ok(Spliced { to_tcp, from_tcp })
        }
        Err(error) => {
            writer.fail(refusal::RESET);
            Err(error)
        }
    }
}

/// Copies to the end and ends there.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<u64> {
    let mut buffer = vec![0; READ_SIZE];
    let mut copied = 0;
    loop {
        let read = from.read(&mut buffer).await?;
        let Some(data) = buffer.get(..read).filter(|data| !data.is_empty()) else {
            to.shutdown().await?;
            return Ok(copied);
        };
        to.write_all(data).await?;
        copied += data.len() as u64;
    }
}
