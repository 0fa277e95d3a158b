//! Finding the chat that is meant: begun, joined, or taken up again.

use std::time::Duration;

use mesh::chat::{Chats, Conversation, Id, Invite, MeshChatExt as _, NewSeat, Room, RoomError};
use mesh::{Hashname, LinkTarget};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::timeout;

use super::reported::Reported;
use super::shelf::{Kept, KeptChat, Open, TITLE};
use crate::args::Talk;
use crate::endpoint::Endpoint;
use crate::failure::{Code, Failure, Outcome};
use crate::operation::{is_invited, unanswered};
use crate::record::{ChatRecord, Record};
use crate::report::Report;
use crate::target;

/// A chat that we take part in.
pub(super) struct Opened<'a> {
    pub(super) conversation: Conversation,
    /// What is said stays after the end of the program.
    pub(super) lasts: bool,
    /// It was reported that we are let in. That may have changed since.
    pub(super) joined: bool,
    /// What was in it before anything could come in.
    pub(super) before: Reported,
    endpoint: &'a Endpoint,
    _open: Open<'a>,
    _router: Option<Router<'a>>,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.endpoint.chats.leave(self.conversation.clone());
    }
}

/// Opens the chat, and says which one it is.
pub(super) async fn open<'a>(
    endpoint: &'a Endpoint,
    talk: &Talk,
    report: &mut Report,
) -> Outcome<Opened<'a>> {
    let kept = endpoint.chats.kept()?;
    let chats = endpoint.mesh.chats();
    let mut found = match (&talk.lead, &talk.target) {
        (Some(title), _) => {
            let found = lead(endpoint, talk, title, &kept, &chats)?;
            // Whoever waits prints an invite.
            report.report(endpoint.ready(talk.qr)?).await?;
            found
        }
        (None, Some(target)) => join(endpoint, talk, target, &kept, &chats).await?,
        (None, None) => {
            return Err(Failure::usage(
                "there is no chat without a TARGET or --lead",
            ));
        }
    };
    let record = found.record(endpoint);
    found.opened.joined = record.joined;
    report.report(Record::Chat(record)).await?;
    let warnings = [found.unlinked.take(), found.other_name(talk)];
    for message in warnings.into_iter().flatten() {
        report.report(Record::Warning { message }).await?;
    }
    Ok(found.opened)
}

/// What was found.
struct Found<'a> {
    opened: Opened<'a>,
    title: Option<String>,
    restored: bool,
    /// Why there is no link with who leads it.
    unlinked: Option<String>,
}

impl Found<'_> {
    fn record(&self, endpoint: &Endpoint) -> ChatRecord {
        let room = self.opened.conversation.room();
        ChatRecord {
            chat: room.id().to_string(),
            title: self.title.clone(),
            leader: room.leader().to_string(),
            hashname: endpoint.hashname().to_string(),
            name: room.profile().text.clone(),
            restored: self.restored,
            // Of a newcomer it is told when it happens, also if it has meanwhile.
            joined: room.is_joined() && (self.restored || room.is_leader()),
        }
    }

    /// A name stays what it was when the chat was joined.
    fn other_name(&self, talk: &Talk) -> Option<String> {
        let room = self.opened.conversation.room();
        let (now, wanted) = (&room.profile().text, talk.name.as_ref()?);
        (now != wanted).then(|| {
            format!("you are called {now} in this chat, as you were when you came: --name changes nothing")
        })
    }
}

fn lead<'a>(
    endpoint: &'a Endpoint,
    talk: &Talk,
    title: &str,
    kept: &Kept,
    chats: &Chats,
) -> Outcome<Found<'a>> {
    let me = endpoint.hashname();
    let called = |chat: &KeptChat| {
        let name = chat.profile.refs.get(TITLE);
        chat.leader == me && name.is_some_and(|name| name == title)
    };
    let known = kept.chats(me)?.into_iter().find(called);
    let (restored, open, (conversation, before)) = match known {
        Some(chat) => {
            let open = endpoint.chats.open(chat.id)?;
            (true, open, restore(chats, chat.id, kept)?)
        }
        None => {
            let mut seat = seat(endpoint, talk)?;
            seat.refs.insert(TITLE.to_owned(), title.to_owned());
            let conversation = chats.lead(&seat, kept.store()).map_err(Failure::usage)?;
            let open = endpoint.chats.open(conversation.id())?;
            (false, open, (conversation, Reported::default()))
        }
    };
    Ok(Found {
        opened: Opened {
            conversation,
            lasts: kept.lasts(),
            joined: false,
            before,
            endpoint,
            _open: open,
            _router: None,
        },
        title: Some(title.to_owned()),
        restored,
        unlinked: None,
    })
}

async fn join<'a>(
    endpoint: &'a Endpoint,
    talk: &Talk,
    target: &str,
    kept: &Kept,
    chats: &Chats,
) -> Outcome<Found<'a>> {
    // Before there is a link, so that none is missed.
    let mut invites = chats.invites();
    let wanted: Option<Id> =
        match &talk.join {
            Some(id) => Some(id.parse().map_err(|error| {
                Failure::usage(format_args!("`{id}` is no id of a chat: {error}"))
            })?),
            None => None,
        };
    let before = endpoint.mesh.links();
    let target = target::parse(target)?;
    let is_invited = is_invited(&target);
    let named = named(&target);
    let linked = endpoint.mesh.link(target).await.map_err(Failure::from);
    // A chat that is kept is taken up also with a leader of whom we have lost the keys: they may come to us.
    let (linked, leader) = match (linked, named) {
        (Ok(link), _) => (Ok(link.clone()), link.hashname()),
        (Err(failure), Some(leader)) => (Err(failure), leader),
        (Err(failure), None) => return Err(failure),
    };
    if leader == endpoint.hashname() {
        return Err(Failure::usage("that is this endpoint itself").hint("--lead begins a chat"));
    }
    let of_leader =
        |chat: &KeptChat| chat.leader == leader && wanted.is_none_or(|id| id == chat.id);
    let known: Vec<KeptChat> = { kept.chats(endpoint.hashname())?.into_iter() }
        .filter(of_leader)
        .collect();
    let unlinked = linked.as_ref().err().map(|failure| {
        format!("the chat is taken up without who leads it, until they come: {failure}")
    });
    let (link, up) = match linked {
        Ok(link) => {
            let up = link.wait_up(talk.wait).await;
            let up = up.map_err(|error| unanswered(&error, is_invited, endpoint.hashname()));
            (Some(link), up)
        }
        Err(failure) => (None, Err(failure)),
    };
    if up.is_ok() {
        // Whoever hears that we are there may rely on it that we can come back, also if the invite is spent. If it
        // fails it is tried again.
        let _ = endpoint.mesh.save().await;
    }
    let named = match (wanted, &up) {
        (None, Ok(())) => invited(&mut invites, leader, talk.wait).await,
        (wanted, _) => wanted,
    };
    let id = decide(&known, named, up, leader).inspect_err(|_| {
        if let Some(link) = link.filter(|link| !before.contains(link)) {
            link.close();
        }
    })?;
    let open = endpoint.chats.open(id)?;
    let router = Router::new(endpoint, leader).await;
    let restored = known.iter().any(|chat| chat.id == id);
    let (conversation, before) = match restored {
        true => restore(chats, id, kept)?,
        false => {
            let seat = seat(endpoint, talk)?;
            let joined = chats.join(&seat, id, leader, kept.store());
            (joined.map_err(Failure::usage)?, Reported::default())
        }
    };
    let title = title(&conversation.room());
    Ok(Found {
        opened: Opened {
            conversation,
            lasts: kept.lasts(),
            joined: false,
            before,
            endpoint,
            _open: open,
            _router: Some(router),
        },
        title,
        restored,
        unlinked,
    })
}

/// Who is meant, if the target says so by itself.
fn named(target: &LinkTarget) -> Option<Hashname> {
    match target {
        LinkTarget::Link(link) | LinkTarget::Uri { link, .. } => Some(link.hashname),
        _ => None,
    }
}

/// The chat to which the leader invites us; none if it does not in time.
async fn invited(invites: &mut Receiver<Invite>, leader: Hashname, wait: Duration) -> Option<Id> {
    let invited = async {
        loop {
            match invites.recv().await {
                Ok(invite) if invite.leader == leader => return Some(invite.chat),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    };
    timeout(wait, invited).await.ok().flatten()
}

/// Which chat of the leader it is: the one that was named, or else the one in which we took part before. That is
/// taken up without its leader, too, who may come back.
fn decide(known: &[KeptChat], named: Option<Id>, up: Outcome, leader: Hashname) -> Outcome<Id> {
    match (named, up) {
        (Some(id), Ok(())) => Ok(id),
        (Some(id), Err(_)) if known.iter().any(|chat| chat.id == id) => Ok(id),
        (None, _) if !known.is_empty() => only(known, leader),
        (_, Err(failure)) => Err(failure),
        (None, Ok(())) => Err(Failure::new(
            Code::Refused,
            format_args!("{} is there, and invites us to no chat", leader.short()),
        )
        .hint(
            "there, run `mesh chat --lead NAME`; where that asks (--ask), name its chat here with --join",
        )),
    }
}

/// The one chat of several. Those in which we were never let in count only where there is no other.
fn only(known: &[KeptChat], leader: Hashname) -> Outcome<Id> {
    let joined: Vec<&KeptChat> = known.iter().filter(|chat| chat.joined).collect();
    match (&joined[..], known) {
        ([chat], _) => return Ok(chat.id),
        ([], [chat]) => return Ok(chat.id),
        _ => {}
    }
    let ids: Vec<String> = known.iter().map(|chat| chat.id.to_string()).collect();
    let what = format_args!("we take part in several chats of {}", leader.short()).to_string();
    Err(Failure::usage(what).hint(format_args!("name one with --join: {}", ids.join(" "))))
}

/// Takes up a chat, and says what is in it before anything comes in.
fn restore(chats: &Chats, id: Id, kept: &Kept) -> Outcome<(Conversation, Reported)> {
    let restored = || {
        let before = Reported::all_of(&mut Room::restore(id, kept.store())?);
        Ok((chats.restore(id, kept.store())?, before))
    };
    restored().map_err(|error: RoomError| {
        Failure::failed(format_args!(
            "the chat {id} cannot be taken up again: {error}"
        ))
        .hint("join it anew from another state directory, or ask its leader to begin another one")
    })
}

/// The name of a chat, as its leader gave it.
pub(super) fn title(room: &Room) -> Option<String> {
    room.participant(&room.leader())?
        .profile()
        .refs
        .get(TITLE)
        .cloned()
}

fn seat(endpoint: &Endpoint, talk: &Talk) -> Outcome<NewSeat> {
    let mut secret = [0; 8];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::failed(format_args!("this system has no randomness: {error}")))?;
    let name = talk.name.clone().unwrap_or_else(|| user(endpoint));
    Ok(NewSeat::new(endpoint.hashname(), secret, name))
}

/// What the user is called here, or else the endpoint.
fn user(endpoint: &Endpoint) -> String {
    let name = ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| {
            let value = std::env::var(name).ok()?;
            (!value.trim().is_empty()).then_some(value)
        });
    name.unwrap_or_else(|| endpoint.hashname().short().to_string())
}

/// The leader leads us to the others, as long as this is there.
struct Router<'a> {
    endpoint: &'a Endpoint,
    leader: Hashname,
    /// It is used for longer than that.
    before: bool,
}

impl<'a> Router<'a> {
    async fn new(endpoint: &'a Endpoint, leader: Hashname) -> Self {
        let before = endpoint.mesh.routers().contains(&leader);
        if let Err(error) = endpoint.mesh.use_router(leader).await {
            tracing::debug!(%error, "the leader leads us to nobody");
        }
        Self {
            endpoint,
            leader,
            before,
        }
    }
}

impl Drop for Router<'_> {
    fn drop(&mut self) {
        if !self.before {
            self.endpoint.mesh.forget_router(&self.leader);
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh::chat::Profile;

    use super::*;

    fn kept(number: u8, joined: bool) -> KeptChat {
        let id = Id::from_bytes([number; 8]);
        KeptChat {
            id,
            leader: leader(),
            profile: Profile::new(id, "me"),
            joined,
        }
    }

    fn leader() -> Hashname {
        Hashname::from_bytes([7; 32])
    }

    fn decided(known: &[KeptChat], named: Option<u8>, is_up: bool) -> Result<u8, Code> {
        let up = match is_up {
            true => Ok(()),
            false => Err(Failure::unreachable("no answer")),
        };
        let named = named.map(|number| Id::from_bytes([number; 8]));
        let decided = decide(known, named, up, leader());
        decided
            .map(|id| id.as_bytes()[0])
            .map_err(|failure| failure.code)
    }

    #[test]
    fn the_chat_that_was_named_is_joined_if_its_leader_is_there_or_it_is_known() {
        assert_eq!(decided(&[], Some(1), true), Ok(1));
        assert_eq!(decided(&[kept(2, true)], Some(1), true), Ok(1));
        assert_eq!(decided(&[kept(1, true)], Some(1), false), Ok(1));
        assert_eq!(
            decided(&[kept(2, true)], Some(1), false),
            Err(Code::Unreachable)
        );
        assert_eq!(decided(&[], None, false), Err(Code::Unreachable));
        assert_eq!(decided(&[], None, true), Err(Code::Refused));
    }

    #[test]
    fn the_only_chat_in_which_we_took_part_is_taken_up_and_of_several_one_has_to_be_named() {
        assert_eq!(decided(&[kept(1, true)], None, false), Ok(1));
        assert_eq!(decided(&[kept(1, false)], None, true), Ok(1));
        assert_eq!(decided(&[kept(1, false), kept(2, true)], None, true), Ok(2));
        let several = [kept(1, true), kept(2, true)];
        assert_eq!(decided(&several, None, true), Err(Code::Usage));
        assert_eq!(decided(&several, None, false), Err(Code::Usage));
    }
}
