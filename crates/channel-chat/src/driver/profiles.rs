//! Profiles: how somebody asks to take part, and how the leader invites and greets them.

use std::sync::Arc;

use bytes::Bytes;
use telehash_channel_stream::{Message as Sent, MessageStream};
use telehash_hashname::Hashname;
use telehash_runtime::{HandlerError, IncomingChannel, Link, Open};
use tokio::time::timeout;

use super::line::{ANSWER, head, to_send};
use super::shared::Core;
use super::{Invite, PROFILE, Registry, id_of};
use crate::id::Id;
use crate::message::{MAX_PROFILE, Profile};

/// Somebody sends their profile.
pub(super) async fn opened(
    registry: &Arc<Registry>,
    channel: IncomingChannel,
) -> Result<(), HandlerError> {
    let (peer, link) = (channel.peer(), channel.link());
    let Some(chat) = id_of(channel.head(), "chat") else {
        channel.refuse("invalid chat id");
        return Ok(());
    };
    let has_ours = id_of(channel.head(), "profile").is_some();
    let mut stream = MessageStream::new(channel.accept()?, MAX_PROFILE);
    let profile = timeout(ANSWER, stream.recv()).await??;
    let Some(Sent::Lob { head, body }) = profile else {
        return Err("no profile came".into());
    };
    let packet: Bytes = telehash_lob::encode_json(&head, &body)?.into();
    let profile = Profile::parse(&packet)?;
    stream.end()?;
    let Some(core) = registry.get(chat) else {
        if profile.id == chat {
            let leader = peer;
            // Nobody has to want invitations.
            let _ = registry.invites.send(Invite {
                leader,
                chat,
                profile,
            });
        }
        return Ok(());
    };
    if core.me == core.leader {
        core.knock(peer, profile);
    } else if peer == core.leader && !has_ours {
        // JavaScript asks once more, and says so.
        send(&core, &link, Some(profile.id)).await?;
    }
    Ok(())
}

/// Sends our profile. `known` is the id of theirs if we have it.
pub(super) async fn send(core: &Core, link: &Link, known: Option<Id>) -> Result<(), HandlerError> {
    let profile = core.room().profile().encode()?;
    let mut fields = head([("chat", core.id())]);
    fields.extend(known.into_iter().flat_map(|id| head([("profile", id)])));
    let channel = link.open(Open::reliable(PROFILE).head(fields)).await?;
    let mut stream = MessageStream::new(channel, MAX_PROFILE);
    stream
        .send(to_send(&profile).ok_or("our profile is no packet")?)
        .await?;
    stream.end()?;
    while timeout(ANSWER, stream.recv()).await??.is_some() {}
    Ok(())
}

/// The id of somebody's profile, as the chat has it.
pub(super) fn known(core: &Core, who: &Hashname) -> Option<Id> {
    Some(core.room().participant(who)?.profile().id)
}
