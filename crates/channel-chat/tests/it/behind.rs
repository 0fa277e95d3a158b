//! A store that keeps things later: nobody hears of what it does not have yet.

use std::sync::{Arc, Mutex};

use telehash_channel_chat::{Ack, ChatEvent, Id, MemoryStore, Record, Seat, Store, StoreError};
use telehash_hashname::Hashname;
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::watch;

use crate::people::{open_house, persons, texts, until, until_so};

type Waiting = Vec<(Id, Record)>;

/// A disk that stops for a while, and then goes on.
#[derive(Clone)]
struct Slow {
    memory: MemoryStore,
    /// While it stops.
    waiting: Arc<Mutex<Option<Waiting>>>,
    kept: watch::Sender<u64>,
}

impl Slow {
    fn new() -> Self {
        Self {
            memory: MemoryStore::new(),
            waiting: Arc::default(),
            kept: watch::Sender::new(0),
        }
    }

    fn stop(&self) {
        *self.waiting.lock().unwrap() = Some(Vec::new());
    }

    fn go_on(&self) {
        let waiting = self.waiting.lock().unwrap().take();
        for (chat, record) in waiting.into_iter().flatten() {
            self.memory.clone().put(chat, record).unwrap();
        }
        self.kept.send_modify(|count| *count += 1);
    }
}

impl Store for Slow {
    fn put_seat(&mut self, chat: Id, seat: &Seat) -> Result<(), StoreError> {
        self.memory.put_seat(chat, seat)
    }
    fn seat(&mut self, chat: Id) -> Result<Option<Seat>, StoreError> {
        self.memory.seat(chat)
    }
    fn put(&mut self, chat: Id, record: Record) -> Result<(), StoreError> {
        match &mut *self.waiting.lock().unwrap() {
            Some(waiting) => waiting.push((chat, record)),
            None => self.memory.put(chat, record)?,
        }
        Ok(())
    }
    fn records(
        &mut self,
        chat: Id,
        sender: Hashname,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.memory.records(chat, sender, from, limit)
    }
    fn senders(&mut self, chat: Id) -> Result<Vec<Hashname>, StoreError> {
        self.memory.senders(chat)
    }
    fn chats(&mut self) -> Result<Vec<Id>, StoreError> {
        self.memory.chats()
    }
    fn remove(&mut self, chat: Id) -> Result<(), StoreError> {
        self.memory.remove(chat)
    }
    fn write_behind(&mut self) -> Option<watch::Receiver<u64>> {
        Some(self.kept.subscribe())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_goes_out_when_it_is_kept_and_not_before() {
    let network = MemoryNetwork::new(1);
    let persons = persons(&network, 2).await;
    let disk = Slow::new();
    let anns = persons[0]
        .chats
        .lead(&persons[0].seat(), Box::new(disk.clone()))
        .unwrap();
    open_house(&anns);
    let bobs = persons[1].join(&anns);
    until_so(&bobs, |chat| chat.room().is_joined()).await;
    let first = anns.send("frist").unwrap();
    until_so(&bobs, |chat| texts(chat) == ["frist"]).await;

    disk.stop();
    let mut events = bobs.events();
    anns.edit(first, "first").unwrap();
    anns.send("second").unwrap();
    assert_eq!(texts(&anns), ["first", "second"]);
    // Bob hears of what comes after it, but has no id, and of nothing else.
    let asked = bobs.send("are you there?").unwrap();
    until_so(&anns, |chat| texts(chat).len() == 3).await;
    anns.acknowledge(asked, Ack::Read).unwrap();
    let read = |event| matches!(event, ChatEvent::Receipt { .. }).then_some(());
    until(&mut events, read).await;
    let mut heard = texts(&bobs);
    heard.sort();
    assert_eq!(heard, ["are you there?", "frist"]);

    disk.go_on();
    until_so(&bobs, |chat| texts(chat) == texts(&anns)).await;
    assert_eq!(texts(&bobs).len(), 3);
}
