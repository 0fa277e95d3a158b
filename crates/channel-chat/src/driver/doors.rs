//! Who may come in.

use std::collections::{HashMap, HashSet, VecDeque};

use telehash_hashname::Hashname;

use crate::message::Profile;

/// Limit: those who ask to be let in and of whom the leader has not decided yet. At the limit others are
/// passed over; they may ask again.
pub const MAX_KNOCKING: usize = 64;

/// Limit: those who are invited and have not come yet. At the limit the oldest invitation is forgotten: whom it
/// was for can still ask, and the application decides.
pub const MAX_INVITED: usize = 256;

/// Who may come in, and who would like to.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// The oldest comes first.
    invited: VecDeque<Hashname>,
    /// Those who are being told so.
    inviting: HashSet<Hashname>,
    knocking: HashMap<Hashname, Profile>,
}

/// What becomes of somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Knock {
    /// They are invited.
    Open,
    /// The application has to decide, of this profile.
    Wait(Profile),
    /// Too many wait already.
    Passed,
}

impl Doors {
    /// Has somebody let in who is to be told so; false if they are being told already.
    pub(super) fn invite(&mut self, who: Hashname) -> bool {
        if !self.invited.contains(&who) {
            if self.invited.len() >= MAX_INVITED {
                self.invited.pop_front();
            }
            self.invited.push_back(who);
        }
        self.inviting.insert(who)
    }

    /// They have been told, or could not be.
    pub(super) fn told(&mut self, who: &Hashname) {
        self.inviting.remove(who);
    }

    pub(super) fn knock(&mut self, who: Hashname, profile: &Profile) -> Knock {
        if self.invited.contains(&who) {
            return Knock::Open;
        }
        if self.knocking.len() >= MAX_KNOCKING && !self.knocking.contains_key(&who) {
            return Knock::Passed;
        }
        // What the application decides of does not change meanwhile, but for the chain of who starts over.
        let kept = self.knocking.entry(who).or_insert_with(|| profile.clone());
        kept.id = profile.id;
        Knock::Wait(kept.clone())
    }

    /// The profile of somebody who asks to be let in.
    pub(super) fn knocking(&self, who: &Hashname) -> Option<Profile> {
        self.knocking.get(who).cloned()
    }

    pub(super) fn admitted(&mut self, who: &Hashname) {
        self.knocking.remove(who);
        self.invited.retain(|invited| invited != who);
    }
}
