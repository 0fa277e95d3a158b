//! A chat in a terminal, line by line: leads one and lets everybody in, or joins one.
//!
//! `cargo run -p telehash-channel-chat --example chat -- NAME` prints what the others need:
//! `cargo run -p telehash-channel-chat --example chat -- NAME LINK CHAT`. With `NAME invited` it waits for an
//! invitation, and accepts it.

use std::sync::Arc;

use telehash_channel_chat::{ChatEvent, Conversation, MemoryStore, MeshChatExt as _, NewSeat};
use telehash_hashname::LinkJson;
use telehash_runtime::{Accept, Mesh};
use telehash_transport_udp::{UdpConfig, UdpTransport};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let here = UdpConfig::at("127.0.0.1:0".parse()?);
    let mesh = Mesh::builder()
        .transport(UdpTransport::bind(&here).await?)
        .accept(Accept::All)
        .build()
        .await?;
    let mut secret = [0; 8];
    getrandom::fill(&mut secret)?;
    let store = Box::new(MemoryStore::new());
    let chat = match &arguments[..] {
        [name] => {
            let seat = NewSeat::new(mesh.hashname(), secret, name);
            let chat = mesh.chats().lead(&seat, store)?;
            println!("'{}' {}", mesh.local_link_json(), chat.id());
            chat
        }
        [name, invited] if invited == "invited" => {
            let mut invites = mesh.chats().invites();
            println!("'{}'", mesh.local_link_json());
            let invite = invites.recv().await?;
            let seat = NewSeat::new(mesh.hashname(), secret, name);
            mesh.chats()
                .join(&seat, invite.chat, invite.leader, store)?
        }
        [name, link, id] => {
            let link = LinkJson::parse(link)?;
            mesh.link(&link).await?;
            let seat = NewSeat::new(mesh.hashname(), secret, name);
            mesh.chats()
                .join(&seat, id.parse()?, link.hashname, store)?
        }
        _ => return Err("usage: chat NAME [LINK CHAT | invited]".into()),
    };
    let chat = Arc::new(chat);
    let printing = tokio::spawn(print(chat.clone()));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if let Err(error) = chat.send(line) {
            println!("{error}");
        }
    }
    printing.abort();
    mesh.close().await;
    Ok(())
}

/// Prints what happens, and lets in whoever asks.
async fn print(chat: Arc<Conversation>) {
    let mut events = chat.events();
    while let Ok(event) = events.recv().await {
        match event {
            ChatEvent::Message { from, id } | ChatEvent::Edited { from, id } => {
                let room = chat.room();
                let name = room.name(&from).unwrap_or_default();
                if let Some(text) = room.message(id).and_then(|entry| entry.text()) {
                    println!("{name}: {}", text.escape_debug());
                }
            }
            ChatEvent::Knock { who, .. } => println!("{who} asks: {:?}", chat.admit(who)),
            other => println!("{other:?}"),
        }
    }
}
