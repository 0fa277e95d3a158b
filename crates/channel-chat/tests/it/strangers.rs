//! Over links, somebody who does not keep to the rules: what is refused, and what the application hears of it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Map;
use telehash_channel_chat::limits::MAX_REFUSALS;
use telehash_channel_chat::{
    CHAT, Chat, ChatEvent, Conversation, Id, Join, MemoryStore, Message, NewSeat, PROFILE, Profile,
    Refusal, Room,
};
use telehash_channel_stream::{Message as Sent, MessageStream};
use telehash_hashname::Hashname;
use telehash_lob::Lob;
use telehash_runtime::{ChannelError, Link, Mesh, Open};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::people::{LIMIT, Person, open_house, persons, texts, until, until_so};

/// Somebody who does not keep to the rules: its channels are in the hands of the test.
struct Stranger {
    link: Link,
    room: Room,
    _mesh: Mesh,
}

impl Stranger {
    /// Lets the leader let it in.
    async fn new(network: &MemoryNetwork, leader: &Person, chat: &Conversation) -> Self {
        let mesh = Mesh::builder()
            .transport(network.endpoint())
            .build()
            .await
            .unwrap();
        let link = mesh.link(leader.mesh.local_link_json()).await.unwrap();
        let seat = NewSeat::new(mesh.hashname(), [9; 8], "stranger");
        let store = Box::new(MemoryStore::new());
        let room = Room::join(&seat, chat.id(), link.hashname(), store).unwrap();
        let mut events = chat.events();
        let head = Map::from_iter([("chat".to_owned(), chat.id().to_string().into())]);
        let channel = link.open(Open::reliable(PROFILE).head(head)).await.unwrap();
        let mut stream = MessageStream::new(channel, 10_000);
        stream
            .send(sent(&room.profile().encode().unwrap()))
            .await
            .unwrap();
        stream.end().unwrap();
        let joined = |event| matches!(event, ChatEvent::Joined(_)).then_some(());
        until(&mut events, joined).await;
        Self {
            link,
            room,
            _mesh: mesh,
        }
    }

    /// Opens a channel, and reads what the leader has said.
    async fn open(&mut self) -> Result<MessageStream, ChannelError> {
        let last = self.room.last_from(&self.link.hashname()).unwrap();
        let fields = [("chat", self.room.id()), ("last", last)];
        let fields = fields.map(|(name, id)| (name.to_owned(), id.to_string().into()));
        let open = Open::reliable(CHAT).head(Map::from_iter(fields));
        let mut channel = self.link.open(open).await.unwrap();
        let answer = channel.recv().await?.unwrap().head.unwrap();
        assert_eq!(answer["last"], self.room.profile().id.to_string());
        Ok(MessageStream::new(channel, 100_000))
    }

    /// Opens a channel, and reads there that it was let in.
    async fn listen(&mut self) -> MessageStream {
        let mut stream = self.open().await.unwrap();
        while !self.room.is_joined() {
            let Some(Sent::Lob { head, body }) = stream.recv().await.unwrap() else {
                panic!()
            };
            let packet = telehash_lob::encode_json(&head, &body).unwrap().into();
            self.room.receive(self.link.hashname(), &packet).unwrap();
        }
        stream
    }
}

/// Why the next thing that is refused is refused.
async fn refusal(events: &mut Receiver<ChatEvent>, of: Hashname) -> Arc<Refusal> {
    until(events, |event| match event {
        ChatEvent::Refused { from, refusal } if from == of => Some(refusal),
        _ => None,
    })
    .await
}

fn sent(packet: &[u8]) -> Sent {
    let lob = Lob::parse(packet).unwrap();
    Sent::Lob {
        head: lob.json().unwrap(),
        body: lob.body().to_vec().into(),
    }
}

fn said(id: Id, text: &str) -> Bytes {
    Message::Chat(Chat::new(id, text)).encode().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_channel_with_too_much_that_is_refused_ends() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 1).await;
    let anns = persons[0].lead();
    open_house(&anns);
    let mut stranger = Stranger::new(&network, &persons[0], &anns).await;
    let mut events = anns.events();
    let mut stream = stranger.open().await.unwrap();
    for number in 0..=MAX_REFUSALS {
        let id = Id::from_bytes([u8::try_from(number).unwrap(); 8]);
        stream.send(sent(&said(id, "forged"))).await.unwrap();
    }
    let absent = |event| matches!(event, ChatEvent::Absent(_)).then_some(());
    let mut refused = 0;
    until(&mut events, |event| {
        refused += u32::from(matches!(event, ChatEvent::Refused { .. }));
        absent(event)
    })
    .await;
    assert_eq!(refused, MAX_REFUSALS + 1);
    let ended = async { while stream.recv().await.is_ok_and(|message| message.is_some()) {} };
    timeout(LIMIT, ended).await.unwrap();
    assert!(texts(&anns).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_skips_something_starts_over_and_then_is_heard() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 1).await;
    let anns = persons[0].lead();
    open_house(&anns);
    let mut stranger = Stranger::new(&network, &persons[0], &anns).await;
    let mut stream = stranger.listen().await;
    let said = ["one", "two"].map(|text| stranger.room.send(text, 1).unwrap().packet);
    let mut events = anns.events();
    stream.send(sent(&said[1])).await.unwrap();
    let refusal = refusal(&mut events, stranger.room.me()).await;
    assert!(matches!(*refusal, Refusal::Skipped { missing: 1, .. }));
    let ended = async { while stream.recv().await.is_ok_and(|message| message.is_some()) {} };
    timeout(LIMIT, ended).await.unwrap();

    let mut stream = stranger.open().await.unwrap();
    for packet in &said {
        stream.send(sent(packet)).await.unwrap();
    }
    until_so(&anns, |chat| texts(chat) == ["one", "two"]).await;
}

/// Each is refused for what it is, the application hears of it, and nobody's history changes; what is right is taken
/// after that, on the same channel.
#[tokio::test(start_paused = true)]
async fn what_is_not_right_is_refused_and_reported_and_the_talk_goes_on() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 2).await;
    let anns = persons[0].lead();
    open_house(&anns);
    let bobs = persons[1].join(&anns);
    until_so(&bobs, |chat| chat.room().is_joined()).await;
    let mut stranger = Stranger::new(&network, &persons[0], &anns).await;
    let (me, mut events) = (stranger.room.me(), anns.events());
    let mut stream = stranger.listen().await;

    let first = stranger.room.send("frist", 1).unwrap();
    let edit = stranger.room.edit(first.id, "first").unwrap();
    let second = stranger.room.send("second", 2).unwrap();
    for packet in [&first.packet, &edit.packet, &second.packet] {
        stream.send(sent(packet)).await.unwrap();
    }
    until_so(&anns, |chat| texts(chat) == ["first", "second"]).await;

    // An id that nobody's chain has, one that is somebody else's, and the profile's own.
    let of_bob = persons[1].mesh.hashname();
    let next_of_bob = bobs.send("from Bob").unwrap();
    until_so(&anns, |chat| texts(chat).len() == 3).await;
    for id in [
        Id::from_bytes([7; 8]),
        next_of_bob,
        stranger.room.profile().id,
        anns.id(),
    ] {
        stream.send(sent(&said(id, "forged"))).await.unwrap();
        let refusal = refusal(&mut events, me).await;
        assert!(
            matches!(*refusal, Refusal::Forged(of) if of == id),
            "{refusal}"
        );
    }

    // A join that is right in everything but that its sender leads nothing.
    let join = Join {
        id: stranger.room.send("never sent", 3).unwrap().id,
        who: Hashname::from_bytes([8; 32]),
        after: None,
        at: None,
        profile: Profile::new(Id::from_bytes([8; 8]), "a friend"),
    };
    stream
        .send(sent(&Message::Join(join.clone()).encode().unwrap()))
        .await
        .unwrap();
    assert!(matches!(
        *refusal(&mut events, me).await,
        Refusal::NotLeader
    ));

    // An edit after newer messages.
    stream.send(sent(&said(first.id, "1st"))).await.unwrap();
    let late = refusal(&mut events, me).await;
    assert!(
        matches!(*late, Refusal::LateEdit(id) if id == first.id),
        "{late}"
    );

    // Messages of another chat, and what is no message.
    let other = Chat {
        chat: Some(Id::from_bytes([9; 8])),
        ..Chat::new(join.id, "elsewhere")
    };
    stream
        .send(sent(&Message::Chat(other).encode().unwrap()))
        .await
        .unwrap();
    assert!(matches!(
        *refusal(&mut events, me).await,
        Refusal::OtherChat(_)
    ));
    let (head, body) = (Map::new(), Bytes::new());
    stream.send(Sent::Lob { head, body }).await.unwrap();
    assert!(matches!(
        *refusal(&mut events, me).await,
        Refusal::Malformed(_)
    ));

    stream.send(sent(&said(join.id, "third"))).await.unwrap();
    until_so(&anns, |chat| texts(chat).len() == 4).await;
    let mut all = texts(&anns);
    all.sort();
    assert_eq!(all, ["first", "from Bob", "second", "third"]);
    assert_eq!(anns.room().participants().len(), 3);
    assert_eq!(anns.room().message(next_of_bob).unwrap().from(), of_bob);
}

/// Nobody but the leader says who takes part, whoever they say it to.
#[tokio::test(start_paused = true)]
async fn a_join_from_another_participant_lets_nobody_speak() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 1).await;
    let anns = persons[0].lead();
    open_house(&anns);
    let mut stranger = Stranger::new(&network, &persons[0], &anns).await;
    let mut stream = stranger.listen().await;
    let friend = Mesh::builder()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();
    let mut events = anns.events();
    let join = Join {
        id: stranger.room.send("never sent", 3).unwrap().id,
        who: friend.hashname(),
        after: None,
        at: None,
        profile: Profile::new(Id::from_bytes([8; 8]), "a friend"),
    };
    stream
        .send(sent(&Message::Join(join).encode().unwrap()))
        .await
        .unwrap();
    assert!(matches!(
        *refusal(&mut events, stranger.room.me()).await,
        Refusal::NotLeader
    ));

    let link = friend
        .link(persons[0].mesh.local_link_json())
        .await
        .unwrap();
    let fields = [("chat", anns.id()), ("last", anns.id())];
    let fields = fields.map(|(name, id)| (name.to_owned(), id.to_string().into()));
    let open = Open::reliable(CHAT).head(Map::from_iter(fields));
    let refused = link.open(open).await.unwrap().recv().await.unwrap_err();
    assert_eq!(refused, ChannelError::Peer("no profile".into()));
}

#[tokio::test(start_paused = true)]
async fn who_has_not_joined_or_asks_for_another_chat_gets_no_channel() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 1).await;
    let anns = persons[0].lead();
    let mesh = Mesh::builder()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();
    let link = mesh.link(persons[0].mesh.local_link_json()).await.unwrap();
    let nobody = Id::from_bytes([1; 8]);
    for (chat, expected) in [(anns.id(), "no profile"), (nobody, "unknown chat")] {
        let fields = [("chat", chat), ("last", anns.id())];
        let fields = fields.map(|(name, id)| (name.to_owned(), id.to_string().into()));
        let open = Open::reliable(CHAT).head(Map::from_iter(fields));
        let refused = link.open(open).await.unwrap().recv().await.unwrap_err();
        assert_eq!(refused, ChannelError::Peer(expected.into()));
    }
    mesh.close().await;
}
