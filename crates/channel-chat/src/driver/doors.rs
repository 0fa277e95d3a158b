//! Who may come in.

use std::collections::{HashMap, HashSet};

use telehash_hashname::Hashname;

use crate::message::Profile;

/// Limit: those who ask to be let in and of whom the leader has not decided yet. At the limit others are
/// passed over; they may ask again.
pub const MAX_KNOCKING: usize = 64;

/// Who may come in, and who would like to.
#[derive(Debug, Default)]
pub(super) struct Doors {
    invited: HashSet<Hashname>,
    knocking: HashMap<Hashname, Profile>,
}

/// What becomes of somebody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knock {
    /// They are invited.
    Open,
    /// The application has to decide.
    Wait,
    /// Too many wait already.
    Passed,
}

impl Doors {
    pub(super) fn invite(&mut self, who: Hashname) {
        self.invited.insert(who);
    }

    pub(super) fn knock(&mut self, who: Hashname, profile: &Profile) -> Knock {
        if self.invited.contains(&who) {
            return Knock::Open;
        }
        if self.knocking.len() >= MAX_KNOCKING && !self.knocking.contains_key(&who) {
            return Knock::Passed;
        }
        self.knocking.insert(who, profile.clone());
        Knock::Wait
    }

    /// The profile of somebody who asks to be let in.
    pub(super) fn knocking(&self, who: &Hashname) -> Option<Profile> {
        self.knocking.get(who).cloned()
    }

    pub(super) fn admitted(&mut self, who: &Hashname) {
        self.knocking.remove(who);
    }
}
