//! UDP for a peer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use telehash_runtime::{Channel, IncomingChannel, Packet};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout};

use super::addresses;
use crate::destination::Destination;
use crate::handler::Sock;
use crate::limits::{CONNECT_TIMEOUT, UDP_IDLE};
use crate::wire::{self, refusal};

/// Answers are sent again as long as nobody can have heard of the first, but not for ever.
const ANSWERS: usize = 3;

/// All datagrams that there are fit.
const DATAGRAM_SIZE: usize = 65_535;

/// A socket of its own for each flow, which takes from its destination alone.
pub(crate) async fn udp(sock: &Sock, channel: IncomingChannel, to: Destination) {
    let Some(_place) = sock.take_tunnel(channel.peer()) else {
        return channel.refuse(refusal::BUSY);
    };
    let found = timeout(CONNECT_TIMEOUT, addresses(sock, &channel, &to)).await;
    let found = found.unwrap_or(Err(refusal::TIMEOUT));
    let first = match found.map(|addresses| addresses.first().copied()) {
        Ok(Some(address)) => address,
        Ok(None) => return channel.refuse(refusal::NO_SUCH_HOST),
        Err(why) => return channel.refuse(why),
    };
    let Ok(socket) = connected(first).await else {
        return channel.refuse(refusal::UNREACHABLE);
    };
    let body = channel.body().clone();
    let Ok(channel) = channel.accept() else {
        return;
    };
    flow(channel, &socket, first, body).await;
}

async fn connected(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = match to {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// Both ways, until either end has enough or nothing went through for a while.
async fn flow(mut channel: Channel, socket: &UdpSocket, to: SocketAddr, first: Bytes) {
    let answer = || Packet::new(Bytes::new()).head(wire::bound_at(to));
    let mut answers = 1;
    if channel.send(answer()).await.is_err() {
        return;
    }
    if !first.is_empty() {
        let _ = socket.send(&first).await;
    }
    let mut buffer = vec![0; DATAGRAM_SIZE];
    let mut quiet_at = Instant::now() + UDP_IDLE;
    loop {
        tokio::select! {
            received = channel.recv() => {
                let Ok(Some(packet)) = received else { return };
                // What the socket does not take now is lost, as anywhere on UDP's way.
                let _ = socket.send(&packet.body).await;
                if answers < ANSWERS {
                    answers += 1;
                    let _ = channel.send(answer()).await;
                }
            }
            received = socket.recv(&mut buffer) => {
                // An error tells of an earlier datagram that nobody took.
                let Some(data) = received.ok().and_then(|len| buffer.get(..len)) else { continue };
                answers = ANSWERS;
                // One that is too large for the link is lost.
                let _ = channel.send(Packet::new(Bytes::copy_from_slice(data))).await;
            }
            () = sleep_until(quiet_at) => {
                let _ = channel.end();
                return;
            }
        }
        quiet_at = Instant::now() + UDP_IDLE;
    }
}
