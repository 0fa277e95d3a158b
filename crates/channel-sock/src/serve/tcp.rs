//! A TCP connection for a peer.

use std::io;

use telehash_channel_stream::ByteStream;
use telehash_runtime::IncomingChannel;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::addresses;
use crate::destination::Destination;
use crate::handler::Sock;
use crate::limits::CONNECT_TIMEOUT;
use crate::splice::splice;
use crate::stream::SockStream;
use crate::wire::refusal;

/// Connects first: only then the peer's open is acknowledged.
pub(crate) async fn tcp(sock: &Sock, channel: IncomingChannel, to: Destination) {
    let Some(_place) = sock.take_tunnel(channel.peer()) else {
        return channel.refuse(refusal::BUSY);
    };
    let connected = timeout(CONNECT_TIMEOUT, connect(sock, &channel, &to)).await;
    let tcp = match connected.unwrap_or(Err(refusal::TIMEOUT)) {
        Ok(tcp) => tcp,
        Err(why) => return channel.refuse(why),
    };
    let first = channel.body().clone();
    let Ok(channel) = channel.accept() else {
        return;
    };
    let stream = SockStream::new(ByteStream::starting_with(channel, first));
    let done = splice(stream, tcp).await;
    tracing::debug!(%to, ?done, "a tunnel ended");
}

async fn connect(
    sock: &Sock,
    channel: &IncomingChannel,
    to: &Destination,
) -> Result<TcpStream, &'static str> {
    let mut why = refusal::UNREACHABLE;
    for address in addresses(sock, channel, to).await? {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => {
                tracing::debug!(%to, %address, %error, "not connected");
                why = match error.kind() {
                    io::ErrorKind::ConnectionRefused => refusal::REFUSED,
                    io::ErrorKind::TimedOut => refusal::TIMEOUT,
                    _ => refusal::UNREACHABLE,
                };
            }
        }
    }
    Err(why)
}
