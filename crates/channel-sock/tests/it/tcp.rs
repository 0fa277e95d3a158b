//! TCP: ends, resets, backpressure, limits, ports of the peer.

use std::io;

use telehash_channel_sock::limits::{ACCEPT_CAPACITY, MAX_BINDS_PER_LINK, MAX_TUNNELS_PER_LINK};
use telehash_channel_sock::{Destination, LinkSockExt as _, SockError, splice};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{Pair, echo, listener, local, within};

#[tokio::test]
async fn each_direction_ends_on_its_own() {
    let pair = Pair::new(local()).await;
    let (listener, address) = listener().await;
    within(async {
        let mut tunnel = pair.link.connect(address.into()).await.unwrap();
        let (mut tcp, _) = listener.accept().await.unwrap();
        tunnel.write_all(b"asked").await.unwrap();
        tunnel.shutdown().await.unwrap();
        let mut asked = String::new();
        tcp.read_to_string(&mut asked).await.unwrap();
        assert_eq!(asked, "asked");
        tcp.write_all(b"answered").await.unwrap();
        drop(tcp);
        let mut answered = String::new();
        tunnel.read_to_string(&mut answered).await.unwrap();
        assert_eq!(answered, "answered");
    })
    .await;
}

#[tokio::test]
async fn the_server_may_end_first() {
    let pair = Pair::new(local()).await;
    let (listener, address) = listener().await;
    within(async {
        let mut tunnel = pair.link.connect(address.into()).await.unwrap();
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.shutdown().await.unwrap();
        assert_eq!(tunnel.read(&mut [0]).await.unwrap(), 0);
        tunnel.write_all(b"still there?").await.unwrap();
        tunnel.shutdown().await.unwrap();
        let mut text = String::new();
        tcp.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "still there?");
    })
    .await;
}

#[tokio::test]
async fn a_dropped_tunnel_is_a_reset_connection() {
    let pair = Pair::new(local()).await;
    let (listener, address) = listener().await;
    within(async {
        let tunnel = pair.link.connect(address.into()).await.unwrap();
        let (mut tcp, _) = listener.accept().await.unwrap();
        drop(tunnel);
        let error = tcp.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn a_reset_connection_fails_the_tunnel_and_resets_what_it_is_spliced_to() {
    let pair = Pair::new(local()).await;
    let (far, address) = listener().await;
    let (near, entrance) = listener().await;
    within(async {
        let mut program = TcpStream::connect(entrance).await.unwrap();
        let (tcp, _) = near.accept().await.unwrap();
        let tunnel = pair.link.connect(address.into()).await.unwrap();
        let spliced = tokio::spawn(splice(tunnel, tcp));
        let (server, _) = far.accept().await.unwrap();
        socket2::SockRef::from(&server)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
        drop(server);
        let error = program.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(spliced.await.unwrap().is_err());
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_the_writer_back() {
    let pair = Pair::new(local()).await;
    let (listener, address) = listener().await;
    within(async {
        let mut tunnel = pair.link.connect(address.into()).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        let piece = vec![7; 64 * 1024];
        // Far more than all the buffers on the way.
        let mut taken = 0;
        let pause = std::time::Duration::from_millis(500);
        while let Ok(written) = tokio::time::timeout(pause, tunnel.write(&piece)).await {
            taken += written.unwrap();
            assert!(taken < 256 << 20, "nothing holds it back");
        }
        drop(tcp);
    })
    .await;
}

#[tokio::test]
async fn a_link_that_goes_down_resets_the_connections() {
    let pair = Pair::new(local()).await;
    let (listener, address) = listener().await;
    within(async {
        let _tunnel = pair.link.connect(address.into()).await.unwrap();
        let (mut tcp, _) = listener.accept().await.unwrap();
        let peer = pair.client.hashname();
        pair.server.links().iter().for_each(|link| {
            assert_eq!(link.hashname(), peer);
            link.close();
        });
        let error = tcp.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn nobody_there_is_said_as_it_is() {
    let pair = Pair::new(local()).await;
    let (listener, address) = listener().await;
    drop(listener);
    let refused = within(pair.link.connect(address.into())).await;
    assert!(matches!(refused, Err(SockError::Refused)), "{refused:?}");
}

#[tokio::test]
async fn a_peer_has_so_many_tunnels_and_those_that_end_make_room() {
    let pair = Pair::new(local()).await;
    let to: Destination = echo().await.into();
    within(async {
        let mut tunnels = Vec::new();
        for _ in 0..MAX_TUNNELS_PER_LINK {
            tunnels.push(pair.link.connect(to.clone()).await.unwrap());
        }
        let more = pair.link.connect(to.clone()).await;
        assert!(matches!(more, Err(SockError::Busy)), "{more:?}");
        tunnels.pop();
        while pair.link.connect(to.clone()).await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn a_peer_binds_so_many_ports() {
    let pair = Pair::new(local()).await;
    within(async {
        let mut bound = Vec::new();
        for _ in 0..MAX_BINDS_PER_LINK {
            bound.push(pair.link.bind(Destination::any(0)).await.unwrap());
        }
        let more = pair.link.bind(Destination::any(0)).await;
        assert!(matches!(more, Err(SockError::Busy)), "{more:?}");
    })
    .await;
}

#[tokio::test]
async fn a_port_of_the_peer_brings_its_connections_here() {
    let pair = Pair::new(local()).await;
    within(async {
        let mut bound = pair.link.bind(Destination::any(0)).await.unwrap();
        let mut program = TcpStream::connect(bound.local()).await.unwrap();
        program.write_all(b"ask").await.unwrap();
        program.shutdown().await.unwrap();
        let (mut tunnel, from) = bound.accept().await.unwrap();
        assert_eq!(from, program.local_addr().ok());
        let mut asked = String::new();
        tunnel.read_to_string(&mut asked).await.unwrap();
        tunnel
            .write_all(asked.to_uppercase().as_bytes())
            .await
            .unwrap();
        tunnel.shutdown().await.unwrap();
        let mut answer = String::new();
        program.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "ASK");
        let address = bound.local();
        drop(bound);
        while TcpStream::connect(address).await.is_ok() {}
    })
    .await;
}

#[tokio::test]
async fn connections_that_nobody_accepts_are_kept_up_to_the_limit() {
    let pair = Pair::new(local()).await;
    within(async {
        let mut bound = pair.link.bind(Destination::any(0)).await.unwrap();
        let at = bound.local();
        // Those beyond the limit are reset, perhaps at once; nothing is said to the others.
        let program = || async {
            let mut program = TcpStream::connect(at).await?;
            program.read(&mut [0]).await
        };
        let programs = (0..ACCEPT_CAPACITY + 8).map(|_| Box::pin(program()));
        let mut resets: futures::stream::FuturesUnordered<_> = programs.collect();
        for _ in 0..8 {
            let reset = futures::StreamExt::next(&mut resets).await.unwrap();
            assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
        for _ in 0..ACCEPT_CAPACITY {
            bound.accept().await.unwrap();
        }
    })
    .await;
}
