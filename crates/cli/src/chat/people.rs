//! Who takes part, and how they are.

use std::collections::BTreeMap;

use mesh::Hashname;
use mesh::chat::{Activity, Conversation, Room};

use crate::record::{ParticipantRecord, Presence};

/// Everybody but us, as it was reported last. There are no more of them than a chat may have.
#[derive(Debug, Default)]
pub(super) struct People(BTreeMap<Hashname, ParticipantRecord>);

impl People {
    /// Whoever is not as it was reported.
    pub(super) fn changes(&mut self, conversation: &Conversation) -> Vec<ParticipantRecord> {
        let mut changes = Vec::new();
        for (who, now) in everybody(conversation) {
            if self.0.get(&who) != Some(&now) {
                self.0.insert(who, now.clone());
                changes.push(now);
            }
        }
        changes
    }
}

/// Everybody but us, as they are.
pub(super) fn everybody(conversation: &Conversation) -> Vec<(Hashname, ParticipantRecord)> {
    let present = conversation.present();
    let room = conversation.room();
    let others = { room.participants().iter() }.filter(|one| one.who() != room.me());
    others
        .map(|one| {
            let who = one.who();
            let state = match (present.contains(&who), one.activity()) {
                (false, _) => Presence::Offline,
                (true, Some(Activity::Composing)) => Presence::Typing,
                (true, Some(Activity::Inactive | Activity::Gone)) => Presence::Away,
                (true, _) => Presence::Online,
            };
            let record = ParticipantRecord {
                hashname: who.to_string(),
                name: name(&room, &who),
                state,
                leads: who == room.leader(),
            };
            (who, record)
        })
        .collect()
}

/// What somebody is called.
pub(super) fn name(room: &Room, who: &Hashname) -> String {
    room.name(who).unwrap_or_else(|| who.short().to_string())
}
