//! Chats over links: joining, inviting and talking.

use std::time::Duration;

use telehash_channel_chat::{Ack, ChatEvent};
use telehash_transport::memory::MemoryNetwork;
use tokio::time::{Instant, timeout};

use crate::people::{LIMIT, open_house, persons, texts, until, until_so};

#[tokio::test(start_paused = true)]
async fn whoever_asks_is_let_in_when_the_leader_says_so_and_then_both_talk() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 2).await;
    let anns = persons[0].lead();
    let mut events = anns.events();
    let bobs = persons[1].join(&anns);
    let who = until(&mut events, |event| match event {
        ChatEvent::Knock { who, profile } => {
            assert_eq!(profile.text, "number 2");
            Some(who)
        }
        _ => None,
    })
    .await;
    assert!(bobs.send("let me in").is_err());
    anns.admit(who).unwrap();
    until_so(&bobs, |chat| chat.room().is_joined()).await;

    let hello = bobs.send("helo").unwrap();
    until_so(&anns, |chat| texts(chat) == ["helo"]).await;
    bobs.edit(hello, "hello").unwrap();
    until_so(&anns, |chat| texts(chat) == ["hello"]).await;
    let mut receipts = bobs.events();
    anns.acknowledge(hello, Ack::Read).unwrap();
    let read = |event| matches!(event, ChatEvent::Receipt { .. }).then_some(());
    until(&mut receipts, read).await;
    assert_eq!(bobs.room().message(hello).unwrap().receipts().len(), 1);
    anns.send("hi").unwrap();
    until_so(&bobs, |chat| texts(chat) == ["hello", "hi"]).await;
    assert_eq!(bobs.present(), [persons[0].mesh.hashname()]);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_invited_is_let_in_at_once() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 2).await;
    let anns = persons[0].lead();
    let mut invites = persons[1].chats.invites();
    let bob = persons[1].mesh.local_link_json();
    let link = persons[0].mesh.link(bob).await.unwrap();
    anns.invite(&link).await.unwrap();
    let invite = timeout(LIMIT, invites.recv()).await.unwrap().unwrap();
    assert_eq!(
        (invite.chat, invite.leader),
        (anns.id(), persons[0].mesh.hashname())
    );
    assert_eq!(invite.profile.text, "number 1");
    let seat = persons[1].seat();
    let store = persons[1].store();
    let bobs = persons[1]
        .chats
        .join(&seat, invite.chat, invite.leader, store)
        .unwrap();
    until_so(&bobs, |chat| chat.room().is_joined()).await;
    anns.send("welcome").unwrap();
    until_so(&bobs, |chat| texts(chat) == ["welcome"]).await;
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_missed_at_once_and_can_come_back() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 2).await;
    let anns = persons[0].lead();
    open_house(&anns);
    let bobs = persons[1].join(&anns);
    until_so(&bobs, |chat| chat.room().is_joined()).await;
    until_so(&anns, |chat| !chat.present().is_empty()).await;
    let mut events = anns.events();
    bobs.send("bye").unwrap();
    let start = Instant::now();
    bobs.leave().await;
    let absent = |event| matches!(event, ChatEvent::Absent(_)).then_some(());
    until(&mut events, absent).await;
    // Long before the link is given up.
    assert!(start.elapsed() < Duration::from_secs(1));

    anns.send("see you").unwrap();
    let bobs = persons[1].restore(anns.id());
    until_so(&bobs, |chat| texts(chat).contains(&"see you".to_owned())).await;
    until_so(&anns, |chat| texts(chat) == texts(&bobs)).await;
}
