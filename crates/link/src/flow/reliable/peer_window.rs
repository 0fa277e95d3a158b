//! How far the peer has room (channels.md, Window).

/// Limit: packets beyond its ack that a peer can open its window by; more counts as this.
pub const MAX_PEER_WINDOW: u32 = 1 << 16;

/// JS, C and Go never have room for more than this: who does is none of them.
const OLD_PEERS_ROOM: u32 = 100;

/// The sender's limit: the latest ack and the sum of the last `miss`; later bare acks slide it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerWindow {
    limit: u32,
    ack: u32,
    room: u32,
    told: bool,
    /// The most room it ever told of.
    most: u32,
}

impl PeerWindow {
    /// A peer that has not told: it is taken to have this much room.
    pub(super) const fn new(room: u32) -> Self {
        Self {
            limit: room,
            ack: 0,
            room,
            told: false,
            most: 0,
        }
    }

    /// Takes an ack that is not older than the last, and the sum of its `miss` if it had one.
    /// Returns whether the limit rose.
    pub(super) fn on_ack(&mut self, ack: u32, sum: Option<u32>) -> bool {
        if let Some(sum) = sum {
            let sum = sum.min(MAX_PEER_WINDOW);
            // Of two acks of the same packet the one with less room is the older.
            let again = self.told && ack == self.ack;
            self.room = if again { self.room.max(sum) } else { sum };
            self.told = true;
            self.most = self.most.max(sum);
        }
        self.ack = ack;
        let limit = self.limit.max(ack.saturating_add(self.room));
        let rose = limit > self.limit;
        self.limit = limit;
        rose
    }

    /// The highest `seq` that may be sent.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether the peer may be one of the old implementations.
    pub(super) const fn may_be_old(&self) -> bool {
        self.most <= OLD_PEERS_ROOM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_acks_slide_the_last_window() {
        let mut window = PeerWindow::new(50);
        assert_eq!(window.limit(), 50);
        assert!(window.on_ack(3, None));
        assert_eq!(window.limit(), 53);
        assert!(window.on_ack(10, Some(128)));
        window.on_ack(20, None);
        assert_eq!(window.limit(), 148);
    }

    #[test]
    fn a_closed_window_stays_where_it_was() {
        let mut window = PeerWindow::new(50);
        window.on_ack(50, Some(0));
        assert_eq!(window.limit(), 50);
        assert!(!window.on_ack(50, Some(0)));
        assert!(window.on_ack(50, Some(10)));
        assert_eq!(window.limit(), 60);
    }

    #[test]
    fn nothing_takes_back_what_was_advertised() {
        let mut window = PeerWindow::new(50);
        window.on_ack(10, Some(200));
        window.on_ack(11, Some(5));
        assert_eq!(window.limit(), 210);
    }

    #[test]
    fn an_older_ack_of_the_same_packet_does_not_close_the_window() {
        let mut window = PeerWindow::new(50);
        window.on_ack(50, Some(128));
        window.on_ack(50, Some(0));
        window.on_ack(60, None);
        assert_eq!(window.limit(), 188);
    }

    #[test]
    fn boundless_room_is_bounded() {
        let mut window = PeerWindow::new(50);
        window.on_ack(1, Some(u32::MAX));
        assert_eq!(window.limit(), 1 + MAX_PEER_WINDOW);
        window.on_ack(u32::MAX, None);
        assert_eq!(window.limit(), u32::MAX);
    }

    #[test]
    fn only_a_peer_with_much_room_is_known_to_be_new() {
        let mut window = PeerWindow::new(200);
        assert!(window.may_be_old());
        window.on_ack(1, Some(50));
        assert!(window.may_be_old());
        window.on_ack(1, Some(128));
        assert!(!window.may_be_old());
        window.on_ack(128, Some(1));
        assert!(!window.may_be_old());
    }
}
