//! A chat of two: one says something and corrects it, and the other one answers in the same way.
//!
//! ```text
//! cargo run -p telehash-examples --bin chats -- serve link.json     # leads one, and accepts invitations
//! cargo run -p telehash-examples --bin chats -- join link.json CHAT # takes part in that one
//! cargo run -p telehash-examples --bin chats -- lead link.json      # leads another one, and invites
//! ```
//!
//! The interoperability matrix runs this against other implementations.

use std::time::Duration;

use mesh::HandlerError;
use mesh::prelude::*;
use telehash_channel_chat::{Ack, ChatEvent, Conversation, Id, MemoryStore, NewSeat};
use tokio::io::AsyncReadExt as _;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

/// For the link, and for the talk.
const PATIENCE: Duration = Duration::from_secs(30);

const USAGE: &str = "usage: serve FILE, join FILE CHAT, lead FILE";

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let builder = mesh::builder().udp("127.0.0.1:0".parse()?);
    match arguments[..] {
        ["serve", file] => {
            let mesh = builder.accept(Accept::All).build().await?;
            serve(&mesh, file).await?;
            mesh.close().await;
        }
        ["join", file, id] => {
            let mesh = builder.build().await?;
            let link = linked(&mesh, file).await?;
            let chat = join(&mesh, id.parse()?, link.hashname())?;
            timeout(PATIENCE, speak(chat)).await??;
            mesh.close().await;
        }
        ["lead", file] => {
            let mesh = builder.build().await?;
            let link = linked(&mesh, file).await?;
            let chat = lead(&mesh)?;
            chat.invite(&link).await?;
            timeout(PATIENCE, speak(chat)).await??;
            mesh.close().await;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

async fn linked(mesh: &Mesh, file: &str) -> Result<Link, HandlerError> {
    let link = mesh.link(std::fs::read_to_string(file)?).await?;
    link.wait_up(PATIENCE).await?;
    Ok(link)
}

fn seat(mesh: &Mesh, name: &str) -> Result<NewSeat, HandlerError> {
    let mut secret = [0; 8];
    getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
    Ok(NewSeat::new(mesh.hashname(), secret, name))
}

fn lead(mesh: &Mesh) -> Result<Conversation, HandlerError> {
    let store = Box::new(MemoryStore::new());
    Ok(mesh.chats().lead(&seat(mesh, "leader")?, store)?)
}

fn join(mesh: &Mesh, chat: Id, leader: Hashname) -> Result<Conversation, HandlerError> {
    let store = Box::new(MemoryStore::new());
    Ok(mesh
        .chats()
        .join(&seat(mesh, "guest")?, chat, leader, store)?)
}

/// Leads a chat into which everybody is let, accepts invitations, and answers, until standard input ends.
async fn serve(mesh: &Mesh, file: &str) -> Result<(), HandlerError> {
    let mut invites = mesh.chats().invites();
    let chat = lead(mesh)?;
    let events = chat.events();
    std::fs::write(file, mesh.local_link_json().to_string())?;
    println!(r#"{{"event":"ready","chat":"{}"}}"#, chat.id());
    let answering = tokio::spawn(answer(chat, events));
    let guest = mesh.clone();
    let accepting = tokio::spawn(async move {
        while let Ok(invite) = invites.recv().await {
            if let Ok(chat) = join(&guest, invite.chat, invite.leader) {
                let events = chat.events();
                tokio::spawn(answer(chat, events));
            }
        }
    });
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    answering.abort();
    accepting.abort();
    Ok(())
}

/// Answers what is said, once it was corrected; prints that, and who leaves.
async fn answer(chat: Conversation, mut events: Receiver<ChatEvent>) -> Result<(), HandlerError> {
    loop {
        match events.recv().await? {
            ChatEvent::Knock { who, .. } => chat.admit(who)?,
            ChatEvent::Message { id, .. } => chat.acknowledge(id, Ack::Received)?,
            ChatEvent::Edited { id, .. } => {
                chat.acknowledge(id, Ack::Read)?;
                correct(&chat, "ehco", &format!("echo:{}", text(&chat, id))).await?;
                println!(r#"{{"event":"answered","chat":"{}"}}"#, chat.id());
            }
            ChatEvent::Absent(_) => println!(r#"{{"event":"left","chat":"{}"}}"#, chat.id()),
            _ => {}
        }
    }
}

/// Says something, waits for the answer, and leaves.
async fn speak(chat: Conversation) -> Result<(), HandlerError> {
    let mut events = chat.events();
    while !chat.room().is_joined() || chat.present().is_empty() {
        events.recv().await?;
    }
    correct(&chat, "helo", "hello").await?;
    loop {
        match events.recv().await? {
            ChatEvent::Message { id, .. } => chat.acknowledge(id, Ack::Received)?,
            ChatEvent::Edited { id, .. } => {
                chat.acknowledge(id, Ack::Read)?;
                println!("{}", text(&chat, id));
                chat.leave().await;
                return Ok(());
            }
            _ => {}
        }
    }
}

fn text(chat: &Conversation, id: Id) -> String {
    let room = chat.room();
    let text = room.message(id).and_then(|entry| entry.text());
    text.unwrap_or_default().to_owned()
}

/// Says something, and something else in its place as soon as the other side has it.
async fn correct(chat: &Conversation, first: &str, then: &str) -> Result<(), HandlerError> {
    let mut events = chat.events();
    let id = chat.send(first)?;
    loop {
        if let ChatEvent::Receipt { receipt, .. } = events.recv().await?
            && receipt.id == id
        {
            return Ok(chat.edit(id, then)?);
        }
    }
}
