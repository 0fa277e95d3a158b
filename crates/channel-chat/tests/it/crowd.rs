//! Many who talk over links, in a bad network, and for long.

use std::collections::HashMap;
use std::time::Duration;

use telehash_channel_chat::limits::MAX_HISTORY;
use telehash_channel_chat::{Content, Conversation, Id};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use tokio::time::Instant;

use crate::people::{Person, open_house, persons, until_so};

/// Waits until somebody has everything that was said, edited as it was last.
async fn until_it_has(chat: &Conversation, said: &HashMap<Id, String>) {
    until_so(chat, |chat| {
        let mut room = chat.room();
        let texts = room.history().filter(|entry| {
            { entry.text() }.is_some_and(|text| said.get(&entry.id()).is_some_and(|of| of == text))
        });
        texts.count() == said.len()
    })
    .await;
}

/// Ids and texts, in order; each comes after what it names in `after`.
fn history(chat: &Conversation) -> Vec<(Id, Option<String>)> {
    let mut room = chat.room();
    let mut places = HashMap::new();
    let mut history = Vec::new();
    for (place, entry) in room.history().enumerate() {
        let after = match entry.content() {
            Content::Chat(chat) => chat.after,
            Content::Join(join) => join.after,
            _ => None,
        };
        if let Some(after) = after {
            assert!(
                places.contains_key(&after),
                "something comes before what it is an answer to"
            );
        }
        places.insert(entry.id(), place);
        history.push((entry.id(), entry.text().map(str::to_owned)));
    }
    history
}

/// Five participants, a tenth of all packets lost, and two of them away for a while: one has left the chat, and the
/// other's endpoint was closed. Everybody corrects themselves now and then.
#[tokio::test(start_paused = true)]
async fn five_have_the_same_history_in_a_bad_network_though_two_leave_and_come_back() {
    let network = MemoryNetwork::new(5);
    let mut persons = persons(&network, 5).await;
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
    let mut said = HashMap::new();
    talk(&chats, &mut said).await;

    let chat = chats[0].id();
    chats.truncate(3);
    persons[4].mesh.close().await;
    talk(&chats, &mut said).await;

    persons[4].restart(&network).await;
    for other in &persons[..4] {
        persons[4].knows(&other.mesh.local_link_json()).await;
    }
    for person in &persons[3..] {
        chats.push(person.restore(chat));
    }
    talk(&chats, &mut said).await;
    for chat in &chats {
        until_it_has(chat, &said).await;
    }
    let first = history(&chats[0]);
    assert_eq!(first.len(), said.len() + 5);
    for chat in &chats {
        assert_eq!(history(chat), first);
        until_so(chat, |chat| chat.present().len() == 4).await;
    }
    let lost: u64 = losses(&network, &persons);
    assert!(lost > 50, "only {lost} packets were lost");
}

/// Everybody says something ten times, and corrects it if nobody was quicker.
async fn talk(chats: &[Conversation], said: &mut HashMap<Id, String>) {
    for _ in 0..10 {
        for chat in chats {
            let text = format!("message {}", said.len());
            said.insert(chat.send(text.as_str()).unwrap(), text);
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
        for chat in chats {
            let me = chat.room().me();
            let newest = chat.room().last_from(&me);
            let newest = newest.filter(|id| said.contains_key(id));
            let corrected = format!("corrected {}", said.len());
            if let Some(id) = newest
                && chat.edit(id, corrected.as_str()).is_ok()
            {
                said.insert(id, corrected);
            }
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

fn losses(network: &MemoryNetwork, persons: &[Person]) -> u64 {
    let addresses: Vec<_> = persons.iter().map(|person| person.address).collect();
    let pairs = { addresses.iter() }.flat_map(|from| addresses.iter().map(move |to| (*from, *to)));
    pairs
        .map(|(from, to)| network.counters(from, to).lost)
        .sum()
}

/// What a message of the next test says, about.
const TEXT: usize = 100;

/// Everybody has said two thousand things when a sixth one comes, over lines of 10 Mbit/s and 20 ms each way.
#[tokio::test(start_paused = true)]
async fn after_ten_thousand_messages_a_newcomer_catches_up_as_fast_as_the_line_allows() {
    const EACH: usize = 2000;
    const RATE: u64 = 1_250_000;
    let network = MemoryNetwork::new(6);
    let persons = persons(&network, 6).await;
    let leader = persons[0].lead();
    open_house(&leader);
    let mut chats = vec![leader];
    for person in &persons[1..5] {
        chats.push(person.join(&chats[0]));
    }
    for chat in &chats {
        until_so(chat, |chat| chat.present().len() == 4).await;
    }
    for number in 0..EACH {
        for chat in &chats {
            chat.send(format!("{number:0TEXT$}")).unwrap();
        }
        // Each hears what the others said before it says more.
        if number % 50 == 49 {
            for chat in &chats {
                until_heard(chat, &chats).await;
            }
        }
    }
    for (chat, person) in chats.iter().zip(&persons) {
        let weight = chat.room().weight();
        assert!(weight <= MAX_HISTORY && person.store.weight(chat.id()) <= MAX_HISTORY);
    }

    let line = Conditions::perfect()
        .with_delay(Duration::from_millis(20))
        .with_rate(RATE);
    network.set_conditions(&line);
    let before = bytes_to(&network, &persons);
    let start = Instant::now();
    let late = persons[5].join(&chats[0]);
    until_heard(&late, &chats).await;
    let took = start.elapsed();
    // Those who talked do so at the same time, each over a line of its own.
    let most = bytes_to(&network, &persons)
        .into_iter()
        .zip(before)
        .map(|(after, before)| after - before)
        .max();
    let line = Duration::from_secs_f64(most.unwrap() as f64 / RATE as f64);
    assert!(
        took < Duration::from_secs(1) + line,
        "{took:?}, of which the line takes {line:?}"
    );
    assert!(late.room().weight() <= MAX_HISTORY);
    let (all, texts) = (history(&late), |entry: &&(Id, Option<String>)| {
        entry.1.is_some()
    });
    assert_eq!(all.iter().filter(texts).count(), 5 * EACH);
    assert_eq!(all, history(&chats[0]));
}

/// Waits until somebody has the newest message of each, and so all of them.
async fn until_heard(chat: &Conversation, chats: &[Conversation]) {
    let newest = |chat: &Conversation| {
        let room = chat.room();
        (room.me(), room.last_from(&room.me()))
    };
    // The leader lets somebody in meanwhile, which is a message of its own.
    until_so(chat, |chat| {
        chats.iter().all(|other| {
            let (who, id) = newest(other);
            chat.room().last_from(&who) == id
        })
    })
    .await;
}

/// Bytes that each of the first five has sent to the sixth.
fn bytes_to(network: &MemoryNetwork, persons: &[Person]) -> Vec<u64> {
    let bytes = |person: &Person| {
        network
            .counters(person.address, persons[5].address)
            .sent_bytes
    };
    persons[..5].iter().map(bytes).collect()
}
