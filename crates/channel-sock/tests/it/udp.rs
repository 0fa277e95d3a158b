//! UDP flows.

use telehash_channel_sock::{LinkSockExt as _, SockError};
use tokio::net::UdpSocket;

use crate::common::{Pair, local, within};

#[tokio::test]
async fn datagrams_go_there_and_back_and_keep_their_bounds() {
    let pair = Pair::new(local()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    within(async {
        let flow = pair.link.datagrams(address.into()).await.unwrap();
        let mut buffer = [0; 16 << 10];
        for text in ["one", "", "three"] {
            flow.send(text).await.unwrap();
            let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..len], text.as_bytes());
            socket.send_to(text.as_bytes(), from).await.unwrap();
            assert_eq!(flow.recv().await.unwrap(), text);
        }
        let limit = flow.max_datagram();
        flow.send(vec![1; limit]).await.unwrap();
        let (len, _) = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!(len, limit);
        // The figure has room for what some packets need in their heads.
        let refused = flow.send(vec![1; limit + 64]).await;
        let told = match refused {
            Err(SockError::TooLarge { limit }) => limit,
            other => panic!("{other:?}"),
        };
        assert!((limit..limit + 64).contains(&told), "{told}, not {limit}");
        flow.send(vec![1; told]).await.unwrap();
        let (len, _) = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!(len, told);
    })
    .await;
}

#[tokio::test]
async fn each_flow_has_a_socket_that_takes_from_its_destination_alone() {
    let pair = Pair::new(local()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    within(async {
        let first = pair.link.datagrams(address.into()).await.unwrap();
        let second = pair.link.datagrams(address.into()).await.unwrap();
        let mut buffer = [0; 16];
        first.send("first").await.unwrap();
        let (_, from_first) = socket.recv_from(&mut buffer).await.unwrap();
        second.send("second").await.unwrap();
        let (_, from_second) = socket.recv_from(&mut buffer).await.unwrap();
        assert_ne!(from_first, from_second);
        let _ = stranger.send_to(b"forged", from_first).await;
        socket.send_to(b"real", from_first).await.unwrap();
        assert_eq!(first.recv().await.unwrap(), "real");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_flow_ends() {
    let pair = Pair::new(local()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let since = tokio::time::Instant::now();
    let flow = pair.link.datagrams(address.into()).await.unwrap();
    assert_eq!(flow.recv().await, None);
    let quiet = since.elapsed();
    let limit = telehash_channel_sock::limits::UDP_IDLE;
    assert!(quiet >= limit && quiet < limit * 2, "{quiet:?}");
}
