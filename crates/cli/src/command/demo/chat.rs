//! A chat: ann leads it, bob asks to take part, and both end up with the same conversation.

use std::time::Instant;

use mesh::Hashname;
use mesh::chat::{ChatEvent, Conversation, Id, MemoryStore, MeshChatExt as _, NewSeat};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::timeout;

use super::world::World;
use super::{Figures, PATIENCE, figures};
use crate::failure::{Failure, Outcome};

/// Lines that each of them says, in turn.
const LINES: u32 = 50;

pub(super) async fn talk(world: &World) -> Outcome<((), Figures)> {
    let (ann, bob) = (world.ann.hashname(), world.bob.hashname());
    let anns = world.ann.chats().lead(&seat(ann, "Ann")?, store());
    let anns = anns.map_err(Failure::failed)?;
    let mut to_ann = anns.events();
    let bobs = world
        .bob
        .chats()
        .join(&seat(bob, "Bob")?, anns.id(), ann, store());
    let bobs = bobs.map_err(Failure::failed)?;
    let mut to_bob = bobs.events();
    let knock = |event: &ChatEvent| matches!(event, ChatEvent::Knock { who, .. } if *who == bob);
    heard(&mut to_ann, knock).await?;
    anns.admit(bob).map_err(Failure::failed)?;
    let joined = |event: &ChatEvent| matches!(event, ChatEvent::Joined(who) if *who == bob);
    heard(&mut to_bob, joined).await?;
    let start = Instant::now();
    for line in 0..LINES {
        say(&anns, &format!("line {line}"), &mut to_bob).await?;
        say(&bobs, &format!("I heard line {line}"), &mut to_ann).await?;
    }
    let messages = 2 * LINES;
    let ms = start.elapsed().as_secs_f64() * 1e3 / f64::from(messages);
    let said = history(&anns);
    if said.len() != messages as usize || said != history(&bobs) {
        return Err(Failure::failed("the two do not have the same conversation"));
    }
    let figures = figures([
        ("participants", anns.room().participants().len().into()),
        ("messages", messages.into()),
        ("ms_each", ((ms * 1e3).round() / 1e3).into()),
    ]);
    Ok(((), figures))
}

fn seat(who: Hashname, name: &str) -> Outcome<NewSeat> {
    let mut secret = [0; 8];
    let filled = getrandom::fill(&mut secret);
    filled.map_err(|error| Failure::failed(format_args!("no randomness: {error}")))?;
    Ok(NewSeat::new(who, secret, name))
}

fn store() -> Box<MemoryStore> {
    Box::new(MemoryStore::new())
}

/// Says something, and waits until the other one has it.
async fn say(speaker: &Conversation, line: &str, other: &mut Receiver<ChatEvent>) -> Outcome {
    let said = speaker.send(line).map_err(Failure::failed)?;
    let it = |event: &ChatEvent| matches!(event, ChatEvent::Message { id, .. } if *id == said);
    heard(other, it).await
}

async fn heard(events: &mut Receiver<ChatEvent>, it: impl Fn(&ChatEvent) -> bool) -> Outcome {
    let heard = async {
        loop {
            match events.recv().await {
                Ok(event) if it(&event) => return Ok(()),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(Failure::failed("the chat is over")),
            }
        }
    };
    let heard = timeout(PATIENCE, heard).await;
    heard.unwrap_or_else(|_| Err(Failure::failed("the other one hears nothing")))
}

/// What everybody said, in order.
fn history(conversation: &Conversation) -> Vec<(Id, String)> {
    let mut room = conversation.room();
    let said = room.history().filter_map(|entry| {
        let text = entry.text()?;
        Some((entry.id(), text.to_owned()))
    });
    said.collect()
}
