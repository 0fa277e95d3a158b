//! A listening socket for a peer.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use socket2::SockRef;
use telehash_channel_stream::ByteStream;
use telehash_runtime::{Channel, IncomingChannel, Link, Open, Packet, Place};
use tokio::net::{TcpListener, TcpStream};

use crate::destination::Destination;
use crate::handler::Sock;
use crate::splice::splice;
use crate::stream::SockStream;
use crate::wire::{self, refusal};

/// Pause after the system could not give a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens until the peer has enough; connections that it has then go on.
pub(crate) async fn bind(sock: &Sock, channel: IncomingChannel, at: Destination) {
    let (peer, link) = (channel.peer(), channel.link());
    let policy = sock.policy();
    let Some(address) = policy.bind(&peer, &at) else {
        policy.deny(peer, at, true);
        return channel.refuse(refusal::DENIED);
    };
    let Some(bound) = sock.take_bind(peer) else {
        return channel.refuse(refusal::BUSY);
    };
    let (listener, local) = match listen(address).await {
        Ok(listening) => listening,
        Err(error) => {
            tracing::debug!(%address, %error, "not bound");
            return channel.refuse(match error.kind() {
                io::ErrorKind::AddrInUse => refusal::IN_USE,
                _ => refusal::UNREACHABLE,
            });
        }
    };
    let Ok(mut channel) = channel.accept() else {
        return;
    };
    let answer = Packet::new(bytes::Bytes::new()).head(wire::bound_at(local));
    if channel.send(answer).await.is_err() {
        return;
    }
    let mut connections = FuturesUnordered::new();
    while let Some(arrived) = next(&listener, &mut channel, &mut connections).await {
        let Ok((tcp, from)) = arrived else {
            if pause(&mut channel, &mut connections).await {
                continue;
            }
            break;
        };
        match sock.take_tunnel(peer) {
            Some(place) => connections.push(carry(link.clone(), tcp, local, from, place)),
            None => reset(&tcp),
        }
    }
    drop((listener, bound));
    while connections.next().await.is_some() {}
}

async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// The next connection, while those there are go on; `None` once the peer has enough.
async fn next(
    listener: &TcpListener,
    channel: &mut Channel,
    connections: &mut FuturesUnordered<impl Future<Output = ()>>,
) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    loop {
        tokio::select! {
            arrived = listener.accept() => return Some(arrived),
            over = channel.recv() => if !matches!(over, Ok(Some(_))) { return None },
            Some(()) = connections.next() => {}
        }
    }
}

/// Lets the connections there are go on for a while; false once the peer has enough.
async fn pause(
    channel: &mut Channel,
    connections: &mut FuturesUnordered<impl Future<Output = ()>>,
) -> bool {
    let mut over = pin!(tokio::time::sleep(ACCEPT_PAUSE));
    loop {
        tokio::select! {
            () = &mut over => return true,
            more = channel.recv() => if !matches!(more, Ok(Some(_))) { return false },
            Some(()) = connections.next() => {}
        }
    }
}

/// Offers a connection to the peer, and carries it.
async fn carry(link: Link, tcp: TcpStream, local: SocketAddr, from: SocketAddr, _place: Place) {
    // A wildcard is no place that something came to.
    let local = tcp.local_addr().unwrap_or(local);
    let open = Open::reliable(wire::TYPE).head(wire::accept(local, from));
    let Ok(mut channel) = link.open(open).await else {
        return reset(&tcp);
    };
    if channel.opened().await.is_err() {
        return reset(&tcp);
    }
    let done = splice(SockStream::new(ByteStream::new(channel)), tcp).await;
    tracing::debug!(%from, ?done, "a connection to a bound port ended");
}

/// Whoever connected sees that nobody is there once it is dropped.
fn reset(tcp: &TcpStream) {
    let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
}
