//! Channel ids: which come next, and which of the peer's were used (channels.md, "Ids and opening").

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use telehash_e3x::Order;

use super::{error::PacketError, types::ChannelId};

/// Limit: runs of unused ids below the highest one at which the peer's opens may still arrive;
/// beyond it the oldest run is forgotten, and opens in it are dropped.
///
/// A lost open goes again after a second. Until then each one leaves a run behind, while others
/// pass it by the thousand.
pub const UNORDERED_OPENS: usize = 1024;

/// The ids of one session.
#[derive(Debug)]
pub(super) struct Ids {
    order: Order,
    /// The next id of ours; nothing once they are used up.
    next: Option<ChannelId>,
    /// The highest id accepted from the peer, counted 1, 2, 3, … within its parity; 0 for none.
    highest: u32,
    /// Runs of places below the highest that may still be used, in order.
    unused: Vec<RangeInclusive<u32>>,
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
            unused: Vec::new(),
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
    /// It is not the peer's to choose, was used before, or is in a run that was forgotten.
    pub(super) fn accept(&mut self, id: ChannelId) -> Result<(), PacketError> {
        if u64::from(id.get() % 2) != self.order.opposite().parity() {
            return Err(PacketError::WrongParity(id));
        }
        let place = id.get().div_ceil(2);
        if place <= self.highest {
            return self.fill(place).ok_or(PacketError::UsedChannel(id));
        }
        if place - self.highest > 1 {
            self.unused.push(self.highest + 1..=place - 1);
        }
        self.highest = place;
        self.forget_oldest();
        Ok(())
    }

    /// Takes a place out of the run that it is in.
    fn fill(&mut self, place: u32) -> Option<()> {
        let at = self.unused.partition_point(|run| *run.end() < place);
        let run = self.unused.get(at).filter(|run| run.contains(&place))?;
        let (before, after) = (*run.start()..=place - 1, place + 1..=*run.end());
        let rest = [before, after].into_iter().filter(|run| !run.is_empty());
        self.unused.splice(at..=at, rest);
        self.forget_oldest();
        Some(())
    }

    fn forget_oldest(&mut self) {
        if self.unused.len() > UNORDERED_OPENS {
            self.unused.remove(0);
        }
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
        // Every other id of the peer's, so that each leaves a run of one behind: one too many.
        let runs = u32::try_from(UNORDERED_OPENS).expect("small") + 1;
        for run in 0..runs {
            assert!(ids.accept(id(4 * run + 4)).is_ok(), "{run}");
        }
        assert!(
            matches!(ids.accept(id(2)), Err(PacketError::UsedChannel(_))),
            "the oldest run is forgotten"
        );
        for late in (6..4 * runs).step_by(4) {
            assert!(ids.accept(id(late)).is_ok(), "{late}");
            assert!(ids.accept(id(late)).is_err(), "{late} twice");
        }
        assert!(ids.unused.is_empty());
    }

    #[test]
    fn splitting_runs_keeps_to_the_limit() {
        let mut ids = Ids::new(Order::Odd);
        assert!(ids.accept(id(u32::MAX - 1)).is_ok());
        for split in 1..10_000 {
            assert!(ids.accept(id(8 * split)).is_ok(), "{split}");
            assert!(ids.unused.len() <= UNORDERED_OPENS);
        }
    }

    #[test]
    fn a_lost_open_may_arrive_after_any_number_of_others() {
        let mut ids = Ids::new(Order::Odd);
        for later in 2..100_000 {
            assert!(ids.accept(id(2 * later)).is_ok());
        }
        assert!(ids.accept(id(2)).is_ok());
        assert!(ids.accept(id(2)).is_err());
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
