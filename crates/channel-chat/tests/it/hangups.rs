//! Somebody whose channels end as soon as they begin.

use std::time::Duration;

use serde_json::Map;
use telehash_channel_chat::{CHAT, ChatEvent, Id, PROFILE, Profile};
use telehash_channel_stream::{Message as Sent, MessageStream};
use telehash_lob::Lob;
use telehash_runtime::{Accept, ChannelHandler, HandlerError, IncomingChannel, Mesh, Open, Packet};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::people::{LIMIT, open_house, persons, until};

/// Answers, and hangs up.
struct HangUp {
    profile: Id,
    calls: watch::Sender<u32>,
}

impl ChannelHandler for HangUp {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        self.calls.send_modify(|calls| *calls += 1);
        let last = ("last".to_owned(), self.profile.to_string().into());
        let mut channel = channel.accept()?;
        let answer = Packet::default().head(Map::from_iter([last]));
        channel.send(answer).await?;
        MessageStream::new(channel, 10_000).end()?;
        Ok(())
    }
}

/// Takes profiles.
struct Listen;

impl ChannelHandler for Listen {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        let mut stream = MessageStream::new(channel.accept()?, 10_000);
        stream.recv().await?;
        stream.end()?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_at_once_is_called_again_after_ever_longer_pauses() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 1).await;
    let anns = persons[0].lead();
    open_house(&anns);
    let builder = Mesh::builder().transport(network.endpoint());
    let mesh = builder.accept(Accept::All).build().await.unwrap();
    let profile = Profile::new(Id::from_bytes([7; 8]), "in a hurry");
    let (calls, id) = (watch::Sender::new(0), profile.id);
    let mut called = calls.subscribe();
    mesh.handler(CHAT, || HangUp { profile: id, calls })
        .unwrap();
    mesh.handler(PROFILE, || Listen).unwrap();

    let mut events = anns.events();
    let link = mesh.link(persons[0].mesh.local_link_json()).await.unwrap();
    let head = Map::from_iter([("chat".to_owned(), anns.id().to_string().into())]);
    let channel = link.open(Open::reliable(PROFILE).head(head)).await.unwrap();
    let mut stream = MessageStream::new(channel, 10_000);
    let packet = profile.encode().unwrap();
    let lob = Lob::parse(&packet).unwrap();
    let (head, body) = (lob.json().unwrap(), lob.body().to_vec().into());
    stream.send(Sent::Lob { head, body }).await.unwrap();
    stream.end().unwrap();
    let joined = |event| matches!(event, ChatEvent::Joined(_)).then_some(());
    until(&mut events, joined).await;

    let begun = Instant::now();
    let eighth = called.wait_for(|calls| *calls == 8);
    timeout(LIMIT, eighth).await.unwrap().unwrap();
    // Seven pauses: 0.5 s, 1 s, 2 s, 4 s, and 8 s three times.
    assert!(begun.elapsed() >= Duration::from_secs(30));
}
