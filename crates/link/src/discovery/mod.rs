//! Endpoints of the local network: what they announce, and who was heard (transports.md, "LAN
//! discovery").

mod announcement;
mod neighbours;

pub use self::{
    announcement::{Announcement, AnnouncementError, MAX_ANNOUNCEMENT},
    neighbours::{
        ANNOUNCEMENTS, ANNOUNCEMENTS_PER_SOURCE, MAX_ANNOUNCEMENT_SOURCES, MAX_NEIGHBOUR_PATHS,
        MAX_NEIGHBOURS, NEIGHBOUR_TTL, Neighbours, REMINDER_INTERVAL,
    },
};

#[cfg(test)]
mod tests {
    use telehash_hashname::{Csid, KeySet};

    use super::Announcement;

    /// Keys of somebody.
    pub(super) fn keys(who: usize) -> KeySet {
        let mut key = alloc::vec![who as u8; 32];
        if let Some(bytes) = key.first_chunk_mut::<8>().filter(|_| who > 255) {
            *bytes = (who as u64).to_be_bytes();
        }
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, key).unwrap();
        keys
    }

    /// What somebody announces.
    pub(super) fn announcement(who: usize) -> Announcement {
        Announcement::new(keys(who)).unwrap()
    }
}
