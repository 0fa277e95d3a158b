//! Chats over links: a network in memory, and a clock that jumps.

use std::time::Duration;

use serde_json::Map;
use telehash_channel_chat::limits::MAX_REFUSALS;
use telehash_channel_chat::{
    Ack, CHAT, ChatEvent, Chats, Conversation, Entry, Id, MemoryStore, MeshChatExt as _, Message,
    NewSeat, PROFILE, Refusal, Room,
};
use telehash_channel_stream::{Message as Sent, MessageStream};
use telehash_hashname::LinkJson;
use telehash_lob::Lob;
use telehash_runtime::{Accept, ChannelError, Link, Mesh, Open};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

/// No test takes so long.
const LIMIT: Duration = Duration::from_secs(600);

/// An endpoint, and what it keeps of its chats.
struct Person {
    mesh: Mesh,
    chats: Chats,
    store: MemoryStore,
    number: u8,
}

impl Person {
    async fn new(network: &MemoryNetwork, number: u8) -> Self {
        let builder = Mesh::builder().transport(network.endpoint());
        let mesh = builder.accept(Accept::All).build().await.unwrap();
        Self {
            chats: mesh.chats(),
            store: MemoryStore::new(),
            mesh,
            number,
        }
    }

    fn seat(&self) -> NewSeat {
        let name = format!("number {}", self.number);
        NewSeat {
            depth: 1000,
            ..NewSeat::new(self.mesh.hashname(), [self.number; 8], name)
        }
    }

    fn store(&self) -> Box<MemoryStore> {
        Box::new(self.store.clone())
    }

    fn lead(&self) -> Conversation {
        self.chats.lead(&self.seat(), self.store()).unwrap()
    }

    fn join(&self, chat: &Conversation) -> Conversation {
        let leader = chat.room().leader();
        self.chats
            .join(&self.seat(), chat.id(), leader, self.store())
            .unwrap()
    }

    async fn knows(&self, other: &LinkJson) {
        self.mesh.link(other).await.unwrap();
    }
}

/// Persons who know each other.
async fn persons(network: &MemoryNetwork, count: u8) -> Vec<Person> {
    let mut persons: Vec<Person> = Vec::new();
    for number in 1..=count {
        let person = Person::new(network, number).await;
        for other in &persons {
            person.knows(&other.mesh.local_link_json()).await;
        }
        persons.push(person);
    }
    persons
}

/// Waits for an event that is asked for, and passes over the others.
async fn until<T>(
    events: &mut Receiver<ChatEvent>,
    mut wanted: impl FnMut(ChatEvent) -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    timeout(LIMIT, found).await.expect("it does not come")
}

/// Waits until the chat is as it has to be; something has to happen in it before that.
async fn until_so(chat: &Conversation, mut so: impl FnMut(&Conversation) -> bool) {
    let mut events = chat.events();
    let happened = async {
        while !so(chat) {
            events.recv().await.unwrap();
        }
    };
    timeout(LIMIT, happened).await.expect("it does not happen");
}

fn texts(chat: &Conversation) -> Vec<String> {
    let mut room = chat.room();
    room.history()
        .filter_map(Entry::text)
        .map(str::to_owned)
        .collect()
}

/// Lets in whoever knocks.
fn open_house(chat: &Conversation) {
    let (mut events, chat) = (chat.events(), chat.clone());
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            if let ChatEvent::Knock { who, .. } = event {
                chat.admit(who).unwrap();
            }
        }
    });
}

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
}

fn sent(packet: &[u8]) -> Sent {
    let lob = Lob::parse(packet).unwrap();
    Sent::Lob {
        head: lob.json().unwrap(),
        body: lob.body().to_vec().into(),
    }
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
        let forged = Message::Chat(telehash_channel_chat::Chat::new(id, "forged"));
        stream.send(sent(&forged.encode().unwrap())).await.unwrap();
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
    let mut stream = stranger.open().await.unwrap();
    // What it takes to speak: its own join.
    while !stranger.room.is_joined() {
        let Some(Sent::Lob { head, body }) = stream.recv().await.unwrap() else {
            panic!()
        };
        let packet = telehash_lob::encode_json(&head, &body).unwrap().into();
        stranger
            .room
            .receive(stranger.link.hashname(), &packet)
            .unwrap();
    }
    let said = ["one", "two"].map(|text| stranger.room.send(text, 1).unwrap().packet);
    let mut events = anns.events();
    stream.send(sent(&said[1])).await.unwrap();
    let refusal = until(&mut events, |event| match event {
        ChatEvent::Refused { refusal, .. } => Some(refusal),
        _ => None,
    })
    .await;
    assert!(matches!(*refusal, Refusal::Skipped { missing: 1, .. }));
    let ended = async { while stream.recv().await.is_ok_and(|message| message.is_some()) {} };
    timeout(LIMIT, ended).await.unwrap();

    let mut stream = stranger.open().await.unwrap();
    for packet in &said {
        stream.send(sent(packet)).await.unwrap();
    }
    until_so(&anns, |chat| texts(chat) == ["one", "two"]).await;
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

/// Five participants, a tenth of all packets lost, and two of them away for a while.
#[tokio::test(start_paused = true)]
async fn five_have_the_same_history_in_a_bad_network_though_two_leave_and_come_back() {
    let network = MemoryNetwork::new(5);
    let persons = persons(&network, 5).await;
    let bad = Conditions::perfect()
        .with_delay(Duration::from_millis(20))
        .with_jitter(Duration::from_millis(10))
        .with_loss(Loss::Random(0.1));
    network.set_conditions(&bad);

    let leader = persons[0].lead();
    open_house(&leader);
    let mut chats = vec![leader];
    for person in &persons[1..] {
        chats.push(person.join(&chats[0]));
    }
    for chat in &chats {
        until_so(chat, |chat| chat.room().participants().len() == 5).await;
    }
    let mut said = 0;
    let mut say = |chat: &Conversation| {
        said += 1;
        chat.send(format!("message {said}")).unwrap();
    };
    for _ in 0..10 {
        chats.iter().for_each(&mut say);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    // The last two go, and the others talk on.
    let chat = chats[0].id();
    chats.truncate(3);
    for _ in 0..10 {
        chats.iter().for_each(&mut say);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    for person in &persons[3..] {
        chats.push(person.chats.restore(chat, person.store()).unwrap());
    }
    for _ in 0..10 {
        chats.iter().for_each(&mut say);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    for chat in &chats {
        until_so(chat, |chat| texts(chat).len() == said).await;
    }
    let order = texts(&chats[0]);
    for chat in &chats {
        assert_eq!(texts(chat), order);
        assert_eq!(chat.present().len(), 4);
    }
}
