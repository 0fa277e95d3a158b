//! Nobody is served at the cost of the others.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    task::Wake,
};

use telehash_transport::ip::Listen;
use tokio::net::TcpStream;

use super::*;
use crate::{layer::Layer, limits::MAX_STRANGERS, socket};

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn open() -> (Inner, Receiver) {
    let listen = Listen::at(([127, 0, 0, 1], 0).into());
    let (listener, address, family) = socket::listen("tcp", &listen).unwrap();
    let inner = Inner::new(
        Layer::Plain {
            always_cloak: false,
        },
        address,
        family,
    );
    let receiver = Receiver::new(listener, &inner);
    (inner, receiver)
}

/// So many peers, which are connected but not taken in yet.
async fn peers(inner: &Inner, count: usize) -> Vec<TcpStream> {
    let mut peers = Vec::new();
    for _ in 0..count {
        peers.push(TcpStream::connect(inner.address).await.unwrap());
    }
    peers
}

/// Polls until so many peers were taken in, and nothing is left to do.
async fn take_in(inner: &Inner, receiver: &mut Receiver, count: usize) {
    let mut batch = crate::batch::new_batch();
    std::future::poll_fn(|cx| {
        let polled = receiver.poll(inner, cx, &mut batch);
        assert!(polled.is_pending());
        if inner.connections().len() < count {
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
    let cx = Context::from_waker(Waker::noop());
    while inner.readiness.poll_next(&cx).is_ready() {}
    assert!(receiver.poll(inner, &cx, &mut batch).is_pending());
}

#[tokio::test]
async fn one_poll_serves_a_bounded_number_of_connections() {
    const COUNT: usize = 2 * MAX_TURNS;
    const _: () = assert!(COUNT < MAX_STRANGERS);
    let (inner, mut receiver) = open();
    let _peers = peers(&inner, COUNT).await;
    take_in(&inner, &mut receiver, COUNT).await;
    for connection in inner.connections() {
        connection.wake();
    }
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(flag.clone());
    let cx = Context::from_waker(&waker);
    let mut batch = crate::batch::new_batch();
    assert!(receiver.poll(&inner, &cx, &mut batch).is_pending());
    assert!(flag.0.load(Ordering::Relaxed), "it asks for another turn");
    let mut left = 0;
    while inner.readiness.poll_next(&cx).is_ready() {
        left += 1;
    }
    assert_eq!(left, COUNT - MAX_TURNS);
}

#[tokio::test]
async fn peers_are_taken_in_a_few_at_a_time() {
    let (inner, mut receiver) = open();
    let _peers = peers(&inner, 2 * MAX_ACCEPTS).await;
    while inner.crowd().len() == 0 {
        tokio::task::yield_now().await;
        receiver.accept(&inner);
    }
    assert_eq!(inner.crowd().len(), MAX_ACCEPTS);
    receiver.accept(&inner);
    assert_eq!(inner.crowd().len(), 2 * MAX_ACCEPTS);
}

#[tokio::test]
async fn answers_do_not_wait_for_ever_while_there_is_more_to_receive() {
    let (inner, mut receiver) = open();
    let _peers = peers(&inner, MAX_ACKS_DUE).await;
    take_in(&inner, &mut receiver, MAX_ACKS_DUE).await;
    let acks = || inner.counters.snapshot(0, 0).acks;
    receiver.batches_unanswered = 0;
    for (n, connection) in inner.connections().iter().enumerate() {
        assert!(!connection.owe_answer(true, true), "strangers get none");
        connection.keep();
        assert!(connection.owe_answer(true, false));
        receiver.owe(connection);
        receiver.owe(connection);
        if n + 1 < MAX_ACKS_DUE {
            receiver.batches_unanswered = 0;
            receiver.before_batch(&inner);
            assert_eq!(acks(), 0);
        }
    }
    receiver.before_batch(&inner);
    assert_eq!(acks(), MAX_ACKS_DUE as u64);

    let connection = &inner.connections()[0];
    assert!(!connection.owe_answer(false, true), "nothing was sent");
    assert!(connection.owe_answer(true, false));
    receiver.owe(connection);
    for _ in 1..MAX_BATCHES_UNACKED {
        receiver.before_batch(&inner);
    }
    assert_eq!(acks(), MAX_ACKS_DUE as u64);
    receiver.before_batch(&inner);
    assert_eq!(acks(), MAX_ACKS_DUE as u64 + 1);
}
