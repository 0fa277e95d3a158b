//! Every future may be dropped at any poll, and nothing is lost.

use std::cell::RefCell;

use telehash_runtime::{Open, Packet};

use crate::common::{PATIENCE, Pair, dropped_at_every_poll};

#[tokio::test(start_paused = true)]
async fn no_received_packet_is_lost() {
    let pair = Pair::new().await;
    let (mut sender, receiver) = pair.echo().await.split();
    let receiver = RefCell::new(receiver);
    for number in 0..50_u8 {
        sender.send(Packet::new(vec![number])).await.unwrap();
        #[expect(
            clippy::await_holding_refcell_ref,
            reason = "dropped before it is taken again"
        )]
        let received =
            dropped_at_every_poll(|| async { receiver.borrow_mut().recv().await.unwrap() }).await;
        assert_eq!(received.unwrap().body, vec![number]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_is_sent_once_or_not_at_all() {
    let pair = Pair::new().await;
    let (sender, mut receiver) = pair.echo().await.split();
    let sender = RefCell::new(sender);
    // More than the channel takes at once, so that sending has to wait.
    const PACKETS: u32 = 6000;
    let sends = async {
        for number in 0..PACKETS {
            #[expect(
                clippy::await_holding_refcell_ref,
                reason = "dropped before taken again"
            )]
            let send = || async {
                let body = [&number.to_be_bytes()[..], &[0; 996]].concat();
                sender.borrow_mut().send(Packet::new(body)).await.unwrap();
            };
            dropped_at_every_poll(send).await;
        }
        sender.borrow_mut().end().unwrap();
    };
    let receives = async {
        let mut next = 0_u32;
        while let Some(packet) = receiver.recv().await.unwrap() {
            assert_eq!(packet.body[..4], next.to_be_bytes());
            next += 1;
        }
        next
    };
    let ((), received) = tokio::join!(sends, receives);
    assert_eq!(received, PACKETS);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_channel_can_be_given_up() {
    let pair = Pair::new().await;
    let mut channel = RefCell::new(pair.echo().await);
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "dropped before it is taken again"
    )]
    let opened = || async { channel.borrow_mut().opened().await };
    dropped_at_every_poll(opened).await.unwrap();
    channel.borrow().end().unwrap();
    assert_eq!(channel.get_mut().recv().await.unwrap(), None);
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "dropped before it is taken again"
    )]
    let closed = || async { channel.borrow_mut().closed().await };
    dropped_at_every_poll(closed).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn linking_waiting_and_opening_can_be_given_up() {
    let pair = Pair::new().await;
    pair.link.close();
    let target = pair.server.local_link_json();
    let link = dropped_at_every_poll(|| pair.client.link(&target))
        .await
        .unwrap();
    dropped_at_every_poll(|| link.wait_up(PATIENCE))
        .await
        .unwrap();
    let channel = dropped_at_every_poll(|| link.open(Open::reliable("echo")))
        .await
        .unwrap();
    let next = link.open(Open::reliable("echo")).await.unwrap();
    assert_eq!(
        next.id().get() - channel.id().get(),
        2,
        "none was opened in vain"
    );
    dropped_at_every_poll(|| link.ping()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_event_and_no_state_is_lost() {
    let pair = Pair::new().await;
    let watch = RefCell::new(pair.link.watch());
    let events = RefCell::new(pair.client.events());
    pair.link.close();
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "dropped before it is taken again"
    )]
    let change = || async { watch.borrow_mut().changed().await };
    assert!(dropped_at_every_poll(change).await.is_some());
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "dropped before it is taken again"
    )]
    let next = || async { events.borrow_mut().next().await };
    assert!(dropped_at_every_poll(next).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_mesh_closes_even_if_nobody_waits_for_it() {
    let pair = Pair::new().await;
    dropped_at_every_poll(|| pair.client.close()).await;
    assert!(pair.link.is_closed());
}
