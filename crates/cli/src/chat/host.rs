//! What whoever leads a chat does for the others: invites them, and leads them to each other.

use std::time::Duration;

use mesh::chat::{Conversation, Id};
use mesh::{Hashname, Link, LinkState, Mesh, MeshEvent};
use tokio::task::{AbortHandle, JoinSet};

use super::Shelf;
use crate::endpoint::Endpoint;

/// How often whoever is linked is invited, until they take part; the pause before the next time doubles.
const INVITATIONS: u32 = 5;

/// The first pause.
const PAUSE: Duration = Duration::from_secs(1);

/// Works as long as it is there.
pub(super) struct Host<'a> {
    shelf: &'a Shelf,
    chat: Id,
    inviting: Option<AbortHandle>,
}

impl<'a> Host<'a> {
    /// With `invites`, whoever is linked is invited to the chat.
    pub(super) fn new(endpoint: &'a Endpoint, conversation: &Conversation, invites: bool) -> Self {
        let (mesh, shelf) = (&endpoint.mesh, &endpoint.chats);
        shelf.leads(conversation.clone());
        let led = shelf.led();
        mesh.on_route(move |from, to| led.has_both(from, to));
        let inviting = invites.then(|| {
            let task = invite_everybody(mesh.clone(), conversation.clone());
            tokio::spawn(task).abort_handle()
        });
        Self {
            shelf,
            chat: conversation.id(),
            inviting,
        }
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        self.shelf.leads_no_more(self.chat);
        self.inviting.iter().for_each(AbortHandle::abort);
    }
}

async fn invite_everybody(mesh: Mesh, chat: Conversation) {
    let mut events = mesh.events();
    // Dropping it ends them.
    let mut tasks = JoinSet::new();
    for link in mesh.links() {
        tasks.spawn(invite(chat.clone(), link));
    }
    while let Some(event) = events.next().await {
        let who = match event {
            MeshEvent::LinkState {
                hashname,
                state: LinkState::Up,
                ..
            }
            | MeshEvent::LinkRestarted { hashname } => hashname,
            MeshEvent::Lagged { .. } => {
                for link in mesh.links() {
                    tasks.spawn(invite(chat.clone(), link));
                }
                continue;
            }
            _ => continue,
        };
        if let Some(link) = mesh.get(&who) {
            tasks.spawn(invite(chat.clone(), link));
        }
        while tasks.try_join_next().is_some() {}
    }
}

/// Invites somebody, who may not be ready for it at once, and may want no chat at all.
async fn invite(chat: Conversation, link: Link) {
    let mut pause = PAUSE;
    for _ in 0..INVITATIONS {
        if !link.is_up() {
            return;
        }
        match chat.invite(&link).await {
            Ok(()) => return,
            Err(error) => {
                let who: Hashname = link.hashname();
                tracing::debug!(%error, who = %who.short(), "an invitation was not taken");
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}
