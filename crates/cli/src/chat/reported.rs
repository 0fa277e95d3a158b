//! Which messages were reported already.

use std::collections::HashSet;

use mesh::Hashname;
use mesh::chat::Id;

/// Limit: messages of which we remember that they were reported. At the limit those are forgotten that the chat has
/// forgotten.
const MAX_REPORTED: usize = 1 << 16;

/// Messages, by sender and id: two senders may use the same one, if one of them is up to something.
#[derive(Debug, Default)]
pub(super) struct Reported(HashSet<(Hashname, Id)>);

impl Reported {
    /// Notes one; whether it is new.
    pub(super) fn insert(&mut self, from: Hashname, id: Id) -> bool {
        self.0.insert((from, id))
    }

    /// Makes room, if there has to be some: `there` is what the chat has.
    pub(super) fn make_room(&mut self, there: impl FnOnce() -> HashSet<(Hashname, Id)>) {
        if self.0.len() > MAX_REPORTED {
            let there = there();
            self.0.retain(|message| there.contains(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_messages_than_the_limit_those_are_remembered_that_the_chat_has() {
        let who = Hashname::from_bytes([1; 32]);
        let id = |number: usize| Id::from_bytes(number.to_be_bytes());
        let mut reported = Reported::default();
        for number in 0..MAX_REPORTED {
            assert!(reported.insert(who, id(number)));
            reported.make_room(|| panic!("there is room"));
        }
        assert!(reported.insert(who, id(MAX_REPORTED)));
        reported.make_room(|| HashSet::from([(who, id(7)), (who, id(MAX_REPORTED))]));
        assert_eq!(reported.0.len(), 2);
        assert!(!reported.insert(who, id(7)) && reported.insert(who, id(8)));
    }
}
