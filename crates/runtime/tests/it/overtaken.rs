//! Room that is there again before anyone waits for it.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use telehash_runtime::{Open, Packet};
use telehash_transport::memory::MemoryNetwork;
use tokio::time::timeout;

use crate::limits::{hooked, linked};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_that_comes_before_its_waiter_is_not_missed_while_another_link_is_stuck() {
    let network = MemoryNetwork::new(1);
    let (client, hooks) = hooked(&network).await;
    let (_slow, to_slow) = linked(&client, &network).await;
    hooks.swallow.store(true, Ordering::SeqCst);
    let _lost = to_slow.open(Open::reliable("echo")).await.unwrap();
    // Another thread may be sending for this link: then that one sends the open as well.
    let slow = loop {
        let first = hooks.swallowed.lock().unwrap().first().copied();
        if let Some((slow, _)) = first {
            break slow;
        }
        tokio::task::yield_now().await;
    };
    hooks.swallow.store(false, Ordering::SeqCst);
    let (_quick, to_quick) = linked(&client, &network).await;
    let mut channel = to_quick.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new("there")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "there");

    // Somebody waits for room all the time, so that the transport is always asked for some.
    *hooks.stuck.lock().unwrap() = Some(slow);
    let _stuck = to_slow.open(Open::reliable("echo")).await.unwrap();
    *hooks.overtaken.lock().unwrap() = Some(thread::current().id());
    loop {
        channel.send(Packet::new("back")).await.unwrap();
        let overtaken = hooks.overtaken.lock().unwrap().is_none();
        let back = timeout(Duration::from_secs(20), channel.recv()).await;
        let back = back.expect("the link sends again").unwrap().unwrap();
        assert_eq!(back.body, "back");
        if overtaken {
            break;
        }
    }
}
