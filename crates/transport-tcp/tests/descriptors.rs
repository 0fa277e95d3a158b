//! A process without free file descriptors. It is alone in this program, since it lowers a limit of
//! the whole process.
#![cfg(unix)]

use std::{fs::File, future::poll_fn, io::Write, task::Poll};

use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use telehash_transport::{Transport, TransportExt};
use telehash_transport_tcp::{TcpConfig, TcpTransport};

#[tokio::test]
async fn a_transport_without_free_descriptors_waits_and_recovers() {
    let config = TcpConfig::at("127.0.0.1:0".parse().unwrap());
    let transport = TcpTransport::bind(&config).await.unwrap();
    let mut peer = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut fillers = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        fillers.push(file);
    }
    assert!(!fillers.is_empty());

    // The system lets the peer in, and we cannot take it over.
    peer.connect(&transport.local_addr().into()).unwrap();
    peer.write_all(b"\x05hello\0").unwrap();
    let mut batch = transport.recv_batch();
    poll_fn(|cx| {
        assert!(transport.poll_recv(cx, &mut batch).is_pending());
        if transport.stats().accept_errors < 3 {
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;

    drop(fillers);
    assert_eq!(transport.recv(&mut batch).await.unwrap(), 1);
    assert_eq!(batch.packets().next().unwrap().contents, b"hello");
    assert_eq!(transport.stats().accepted, 1);
}
