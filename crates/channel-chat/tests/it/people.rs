//! People who chat over links: a network in memory, and a clock that jumps.

use std::net::SocketAddr;
use std::time::Duration;

use telehash_channel_chat::{
    ChatEvent, Chats, Conversation, Entry, Id, MemoryStore, MeshChatExt as _, NewSeat,
};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::{Csid, LinkJson};
use telehash_runtime::{Accept, Mesh, generate_identity};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

/// No test takes so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);

/// An endpoint, and what it keeps of its chats.
pub(crate) struct Person {
    pub(crate) mesh: Mesh,
    pub(crate) chats: Chats,
    pub(crate) store: MemoryStore,
    pub(crate) address: SocketAddr,
    identity: Identity,
    number: u8,
}

impl Person {
    pub(crate) async fn new(network: &MemoryNetwork, number: u8) -> Self {
        let sets = CipherSets::default();
        let identity = generate_identity(&sets, [Csid::CS3A]).unwrap();
        let address = SocketAddr::from(([10, 0, 0, number], 42424));
        let mesh = up(network, address, &identity).await;
        Self {
            chats: mesh.chats(),
            store: MemoryStore::new(),
            mesh,
            address,
            identity,
            number,
        }
    }

    /// Its endpoint is there again, after it was closed.
    pub(crate) async fn restart(&mut self, network: &MemoryNetwork) {
        self.mesh = up(network, self.address, &self.identity).await;
        self.chats = self.mesh.chats();
    }

    pub(crate) fn seat(&self) -> NewSeat {
        let name = format!("number {}", self.number);
        NewSeat {
            depth: 12_000,
            ..NewSeat::new(self.mesh.hashname(), [self.number; 8], name)
        }
    }

    pub(crate) fn store(&self) -> Box<MemoryStore> {
        Box::new(self.store.clone())
    }

    pub(crate) fn lead(&self) -> Conversation {
        self.chats.lead(&self.seat(), self.store()).unwrap()
    }

    pub(crate) fn join(&self, chat: &Conversation) -> Conversation {
        let leader = chat.room().leader();
        self.chats
            .join(&self.seat(), chat.id(), leader, self.store())
            .unwrap()
    }

    pub(crate) fn restore(&self, chat: Id) -> Conversation {
        self.chats.restore(chat, self.store()).unwrap()
    }

    pub(crate) async fn knows(&self, other: &LinkJson) {
        self.mesh.link(other).await.unwrap();
    }
}

async fn up(network: &MemoryNetwork, address: SocketAddr, identity: &Identity) -> Mesh {
    let builder = Mesh::builder().identity(identity.clone());
    let builder = builder.transport(network.endpoint_at(address).unwrap());
    builder.accept(Accept::All).build().await.unwrap()
}

/// Persons who know each other.
pub(crate) async fn persons(network: &MemoryNetwork, count: u8) -> Vec<Person> {
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
pub(crate) async fn until<T>(
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
pub(crate) async fn until_so(chat: &Conversation, mut so: impl FnMut(&Conversation) -> bool) {
    let mut events = chat.events();
    let happened = async {
        while !so(chat) {
            events.recv().await.unwrap();
        }
    };
    timeout(LIMIT, happened).await.expect("it does not happen");
}

pub(crate) fn texts(chat: &Conversation) -> Vec<String> {
    let mut room = chat.room();
    room.history()
        .filter_map(Entry::text)
        .map(str::to_owned)
        .collect()
}

/// Lets in whoever knocks.
pub(crate) fn open_house(chat: &Conversation) {
    let (mut events, chat) = (chat.events(), chat.clone());
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            if let ChatEvent::Knock { who, .. } = event {
                chat.admit(who).unwrap();
            }
        }
    });
}
