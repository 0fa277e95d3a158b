//! One who takes part in a chat: what they want is done, and what happens is reported.

mod held;
mod leave;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mesh::Hashname;
use mesh::chat::limits::MAX_KNOCKING;
use mesh::chat::{Ack, Activity, ChatEvent, Conversation, Draft, Entry, Id, RoomError};
use tokio::sync::broadcast::Receiver as Events;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use self::held::Held;
use super::host::Host;
use super::input::{Doing, Input};
use super::message::{message, record};
use super::open::{Opened, title};
use super::people::{self, People, name};
use super::reported::{News, Reported};
use super::text::line_name;
use crate::args::{Invite, Talk};
use crate::command::invite;
use crate::endpoint::Endpoint;
use crate::failure::{Code, Failure, Outcome};
use crate::record::{MessageRecord, Record};
use crate::report::Report;

/// How long an invite is good.
const INVITE: Duration = Duration::from_secs(3600);

/// How often it is looked, when as much is held as may be, whether whoever types is still there.
const LOOK: Duration = Duration::from_millis(250);

/// See the [module](self).
pub(super) struct Session<'a> {
    endpoint: &'a Endpoint,
    talk: &'a Talk,
    opened: &'a Opened<'a>,
    chat: &'a Conversation,
    report: &'a mut Report,
    events: Events<ChatEvent>,
    people: People,
    joined: bool,
    reported: Reported,
    /// The last message of each that we did not confirm yet.
    unconfirmed: HashMap<Hashname, Id>,
    /// The last one that we said.
    said: Option<Id>,
    knocking: BTreeMap<Hashname, String>,
    /// How often something of somebody was refused.
    refused: HashMap<Hashname, u32>,
    _host: Option<Host<'a>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        endpoint: &'a Endpoint,
        talk: &'a Talk,
        opened: &'a Opened<'a>,
        report: &'a mut Report,
    ) -> Self {
        let chat = &opened.conversation;
        let host = talk
            .lead
            .as_ref()
            .map(|_| Host::new(endpoint, chat, !talk.ask));
        Self {
            endpoint,
            talk,
            opened,
            chat,
            report,
            events: chat.events(),
            people: People::default(),
            joined: opened.joined,
            reported: Reported::default(),
            unconfirmed: HashMap::new(),
            said: None,
            knocking: BTreeMap::new(),
            refused: HashMap::new(),
            _host: host,
        }
    }

    /// Works until whoever types leaves, or is not let in.
    pub(super) async fn run(mut self, inputs: &mut mpsc::Receiver<Input>) -> Outcome {
        self.catch_up().await?;
        self.tell_people().await?;
        self.confirm();
        let door = Instant::now() + self.talk.wait;
        let mut held = Held::default();
        loop {
            if self.joined
                && let Some(input) = held.next()
            {
                if self.take(input).await? {
                    return self.leave(inputs).await;
                }
                continue;
            }
            let is_full = held.is_full();
            tokio::select! {
                event = self.events.recv() => self.heard(event).await?,
                input = inputs.recv(), if !is_full => match input {
                    None => return Ok(()),
                    Some(input) if !self.joined && input.is_for_others() => held.push(input),
                    Some(input) => if self.take(input).await? {
                        return self.leave(inputs).await;
                    },
                },
                () = sleep(LOOK), if is_full => if inputs.is_closed() {
                    return Ok(());
                },
                () = sleep_until(door), if !self.joined && !self.talk.patient => {
                    return Err(self.not_let_in());
                }
            }
        }
    }

    async fn heard(&mut self, event: Result<ChatEvent, RecvError>) -> Outcome {
        match event {
            Ok(event) => self.happened(event).await?,
            // Whoever reads what we report was too slow.
            Err(RecvError::Lagged(_)) => self.catch_up().await?,
            Err(RecvError::Closed) => {}
        }
        self.look_whether_joined().await?;
        self.tell_people().await?;
        if self.events.is_empty() {
            self.confirm();
        }
        Ok(())
    }

    async fn happened(&mut self, event: ChatEvent) -> Outcome {
        match event {
            ChatEvent::Message { from, id } | ChatEvent::Edited { from, id } => {
                self.tell(from, id).await
            }
            ChatEvent::Knock { who, profile } => self.knocked(who, profile.text).await,
            ChatEvent::Missing { from, count } => {
                let name = self.name(&from);
                self.warn(format!(
                    "{count} messages of {name} are lost: nobody has them any more"
                ))
                .await
            }
            ChatEvent::Refused { from, refusal } => {
                let count = self.refused.entry(from).or_default();
                *count = count.saturating_add(1);
                // One that goes on and on is not told of each time.
                if !count.is_power_of_two() {
                    return Ok(());
                }
                let (count, name) = (*count, self.name(&from));
                self.warn(format!(
                    "refused what {name} sent ({count} in all): {refusal}"
                ))
                .await
            }
            ChatEvent::StoreFailed(error) => self.warn(error.to_string()).await,
            _ => Ok(()),
        }
    }

    async fn look_whether_joined(&mut self) -> Outcome {
        let joined = self.chat.room().is_joined();
        if joined && !self.joined {
            self.joined = true;
            let title = title(&self.chat.room());
            return self.report.report(Record::Joined { title }).await;
        }
        Ok(())
    }

    async fn knocked(&mut self, who: Hashname, name: String) -> Outcome {
        if !self.talk.ask {
            return match self.chat.admit(who) {
                Ok(()) => Ok(()),
                Err(error) => {
                    self.warn(format!("{} cannot be let in: {error}", line_name(&name)))
                        .await
                }
            };
        }
        let is_new = !self.knocking.contains_key(&who);
        if is_new && self.knocking.len() < MAX_KNOCKING {
            self.knocking.insert(who, name.clone());
            let hashname = who.to_string();
            return self.report.report(Record::Knock { hashname, name }).await;
        }
        Ok(())
    }

    /// Reports all that was said and was not reported yet.
    async fn catch_up(&mut self) -> Outcome {
        self.look_whether_joined().await?;
        for record in self.unreported() {
            self.report.report(record).await?;
        }
        self.forget();
        Ok(())
    }

    fn unreported(&mut self) -> Vec<Record> {
        let mut room = self.chat.room();
        let names: HashMap<Hashname, String> = { room.participants().iter() }
            .map(|one| (one.who(), name(&room, &one.who())))
            .collect();
        let me = room.me();
        let (mut missed, mut follows) = (Vec::new(), None);
        for entry in room.history() {
            let (from, id, Some(text)) = (entry.from(), entry.id(), entry.text()) else {
                continue;
            };
            let follows = follows.replace(id.to_string());
            let news = self.reported.note(from, id, text);
            if news == News::Nothing {
                continue;
            }
            let earlier = self.opened.before.has(from, id, text);
            if !earlier {
                self.unconfirmed.insert(from, id);
            }
            let name = names.get(&from).cloned().unwrap_or_default();
            let record = record(entry, name, me, earlier, follows);
            missed.extend(record.and_then(|message| reported(news, message)));
        }
        missed
    }

    async fn tell(&mut self, from: Hashname, id: Id) -> Outcome {
        // It may be gone already, or say nothing but what somebody does.
        let Some(message) = message(self.chat, from, id) else {
            return Ok(());
        };
        self.unconfirmed.insert(from, id);
        let news = self.reported.note(from, id, &message.text);
        self.forget();
        match reported(news, message) {
            Some(record) => self.report.report(record).await,
            None => Ok(()),
        }
    }

    fn forget(&mut self) {
        let chat = self.chat;
        self.reported.make_room(|| {
            let mut room = chat.room();
            { room.history() }
                .map(|entry| (entry.from(), entry.id()))
                .collect()
        });
    }

    async fn tell_people(&mut self) -> Outcome {
        // First of all that we are let in: only then are there others, though the leader is in the room earlier.
        self.look_whether_joined().await?;
        if !self.joined {
            return Ok(());
        }
        for change in self.people.changes(self.chat) {
            self.report.report(Record::Participant(change)).await?;
        }
        Ok(())
    }

    /// Tells everybody up to where we have what they said.
    fn confirm(&mut self) {
        for (_, id) in self.unconfirmed.drain() {
            // If it is gone already, so be it; one that is lost is no harm.
            let _ = self.chat.acknowledge(id, Ack::Received);
        }
    }

    /// Does what is wanted; whether that is to leave.
    async fn take(&mut self, input: Input) -> Outcome<bool> {
        let done = match input {
            Input::Say(text) => self.say(text).await,
            Input::Edit(text) => self.edit(text).await,
            Input::Admit(name) => self.admit(&name).await,
            Input::Invite => return self.invite().await.map(|()| false),
            Input::Who => return self.who().await.map(|()| false),
            Input::Doing(doing) => self.chat.set_activity(activity(doing)),
            Input::End => return Ok(true),
        };
        if let Err(error) = done {
            self.warn(error.to_string()).await?;
        }
        Ok(false)
    }

    async fn say(&mut self, text: String) -> Result<(), RoomError> {
        let id = self.chat.send(draft(text))?;
        self.said = Some(id);
        // It is reported as everything else is, and where it stands.
        let _ = self.tell(self.endpoint.hashname(), id).await;
        Ok(())
    }

    async fn edit(&mut self, text: String) -> Result<(), RoomError> {
        let me = self.endpoint.hashname();
        let id = self.last_of(me).ok_or(RoomError::NotJoined)?;
        self.chat.edit(id, draft(text))?;
        self.said = Some(id);
        let _ = self.tell(me, id).await;
        Ok(())
    }

    fn last_of(&self, who: Hashname) -> Option<Id> {
        let mut room = self.chat.room();
        let mut latest = room.history().rev();
        let last = latest.find(|entry| entry.from() == who && entry.text().is_some());
        last.map(Entry::id)
    }

    async fn admit(&mut self, wanted: &str) -> Result<(), RoomError> {
        let found: Vec<Hashname> = { self.knocking.iter() }
            .filter(|(who, name)| *name == wanted || who.to_string().starts_with(wanted))
            .map(|(who, _)| *who)
            .collect();
        let said = match &found[..] {
            [who] => {
                self.chat.admit(*who)?;
                self.knocking.remove(who);
                return Ok(());
            }
            [] => format!("nobody who is called {wanted} asks to be let in"),
            _ => format!(
                "several who are called {wanted} ask to be let in: give the beginning of a hashname"
            ),
        };
        let _ = self.warn(said).await;
        Ok(())
    }

    async fn invite(&mut self) -> Outcome {
        if self.talk.lead.is_none() {
            return self
                .warn("only who leads the chat invites others".to_owned())
                .await;
        }
        let terms = Invite {
            once: false,
            uses: 1,
            expires: INVITE,
            alias: None,
            qr: self.talk.qr,
        };
        match invite::perform(self.endpoint, terms, self.report).await {
            Err(failure) => self.warn(failure.to_string()).await,
            done => done,
        }
    }

    async fn who(&mut self) -> Outcome {
        for (_, one) in people::everybody(self.chat) {
            self.report.report(Record::Participant(one)).await?;
        }
        Ok(())
    }

    async fn warn(&mut self, message: String) -> Outcome {
        self.report.report(Record::Warning { message }).await
    }

    fn not_let_in(&self) -> Failure {
        let (leader, seconds) = (
            self.chat.room().leader().short(),
            self.talk.wait.as_secs_f32(),
        );
        Failure::new(
            Code::Refused,
            format_args!("{leader} did not let us in within {seconds} s"),
        )
        .hint("there, /admit lets you in; --wait gives it more time")
    }

    fn name(&self, who: &Hashname) -> String {
        line_name(&name(&self.chat.room(), who))
    }
}

fn reported(news: News, message: MessageRecord) -> Option<Record> {
    match news {
        News::Message => Some(Record::Message(message)),
        News::Text => Some(Record::Edited(message)),
        News::Nothing => None,
    }
}

fn draft(text: String) -> Draft {
    Draft {
        // Whoever typed does so no more.
        state: Some(Activity::Active),
        ..text.into()
    }
}

fn activity(doing: Doing) -> Activity {
    match doing {
        Doing::Looking => Activity::Active,
        Doing::Typing => Activity::Composing,
        Doing::Pausing => Activity::Paused,
        Doing::Away => Activity::Inactive,
    }
}
