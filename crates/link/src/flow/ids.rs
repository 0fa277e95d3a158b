//! Channel ids: which come next, and which of the peer's were used (channels.md, "Ids and opening").

use telehash_e3x::Order;

use super::{error::PacketError, types::ChannelId};

/// Limit: how many ids behind the highest one the peer's opens may arrive, counting only its own;
/// later ones are dropped.
pub const UNORDERED_OPENS: u32 = 64;

/// The ids of one session.
#[derive(Debug)]
pub(super) struct Ids {
    order: Order,
    /// The next id of ours; nothing once they are used up.
    next: Option<ChannelId>,
    /// The highest id accepted from the peer, counted 1, 2, 3, … within its parity; 0 for none.
    highest: u32,
    /// Bit n: the id n places below the highest was accepted.
    accepted: u64,
}

impl Ids {
    pub(super) fn new(order: Order) -> Self {
        let first = match order {
            Order::Odd => 1,
            Order::Even => 2,
        };
        Self {
            order,
            next: ChannelId::new(first),
            highest: 0,
            accepted: 0,
        }
    }

    pub(super) const fn order(&self) -> Order {
        self.order
    }

    /// The next id of ours.
    pub(super) fn allocate(&mut self) -> Option<ChannelId> {
        let id = self.next?;
        self.next = id.get().checked_add(2).and_then(ChannelId::new);
        Some(id)
    }

    /// Uses up an id of the peer.
    ///
    /// # Errors
    /// It is not the peer's to choose, was used before, or is too far behind the highest.
    pub(super) fn accept(&mut self, id: ChannelId) -> Result<(), PacketError> {
        if u64::from(id.get() % 2) != self.order.opposite().parity() {
            return Err(PacketError::WrongParity(id));
        }
        let place = id.get().div_ceil(2);
        if place > self.highest {
            let ahead = place - self.highest;
            self.accepted = self.accepted.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = place;
            return Ok(());
        }
        let behind = self.highest - place;
        if behind >= UNORDERED_OPENS || self.accepted >> behind & 1 == 1 {
            return Err(PacketError::UsedChannel(id));
        }
        self.accepted |= 1 << behind;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u32) -> ChannelId {
        ChannelId::new(id).expect("tests use valid ids")
    }

    #[test]
    fn each_side_counts_in_its_own_parity() {
        let (mut odd, mut even) = (Ids::new(Order::Odd), Ids::new(Order::Even));
        assert_eq!([odd.allocate(), odd.allocate()], [Some(id(1)), Some(id(3))]);
        assert_eq!(
            [even.allocate(), even.allocate()],
            [Some(id(2)), Some(id(4))]
        );
        assert!(matches!(
            odd.accept(id(1)),
            Err(PacketError::WrongParity(_))
        ));
        assert!(odd.accept(id(2)).is_ok());
        assert!(even.accept(id(1)).is_ok());
    }

    #[test]
    fn an_id_is_accepted_once() {
        let mut ids = Ids::new(Order::Odd);
        assert!(ids.accept(id(2)).is_ok());
        assert!(matches!(
            ids.accept(id(2)),
            Err(PacketError::UsedChannel(_))
        ));
        assert!(ids.accept(id(8)).is_ok());
        assert!(matches!(
            ids.accept(id(2)),
            Err(PacketError::UsedChannel(_))
        ));
        assert!(matches!(
            ids.accept(id(8)),
            Err(PacketError::UsedChannel(_))
        ));
    }

    #[test]
    fn opens_may_arrive_out_of_order_up_to_the_limit() {
        let mut ids = Ids::new(Order::Odd);
        let highest = 2 + 2 * UNORDERED_OPENS;
        assert!(ids.accept(id(highest)).is_ok());
        assert!(
            matches!(ids.accept(id(2)), Err(PacketError::UsedChannel(_))),
            "just too far behind"
        );
        for behind in (4..highest).step_by(2) {
            assert!(ids.accept(id(behind)).is_ok(), "{behind}");
            assert!(ids.accept(id(behind)).is_err(), "{behind} twice");
        }
    }

    #[test]
    fn a_leap_forgets_what_is_out_of_reach() {
        let mut ids = Ids::new(Order::Odd);
        assert!(ids.accept(id(2)).is_ok());
        assert!(ids.accept(id(u32::MAX - 1)).is_ok());
        assert!(ids.accept(id(4)).is_err());
        assert!(ids.accept(id(u32::MAX - 3)).is_ok());
    }

    #[test]
    fn ids_run_out_instead_of_wrapping() {
        let mut ids = Ids::new(Order::Even);
        ids.next = ChannelId::new(u32::MAX - 1);
        assert_eq!(ids.allocate(), ChannelId::new(u32::MAX - 1));
        assert_eq!(ids.allocate(), None);
        assert_eq!(ids.allocate(), None);
    }
}
