//! Two senders share a bottleneck.

use std::time::Duration;

use telehash_link::ControllerKind;

use crate::{
    BOTH,
    sim::{Path, Sim, Source, ms, secs},
};

/// 20 Mbit/s and 40 ms, and a queue of a round trip.
fn path() -> Path {
    Path::new(20_000, 40, 0)
}

/// What the first of two carries of both, in hundredths, and what both carry of the rate; the second
/// begins later.
fn share(path: Path, controllers: [ControllerKind; 2], later: Duration) -> (u64, u64) {
    let mut sim = Sim::new(path, 3);
    sim.add(controllers[0], Source::Bulk);
    sim.run(later);
    sim.add(controllers[1], Source::Bulk);
    sim.run(secs(20));
    let carried = sim.carried(secs(40));
    let both: usize = carried.iter().sum();
    let rate = path.rate() * 40;
    (
        carried[0] as u64 * 100 / both as u64,
        both as u64 * 100 / rate,
    )
}

#[test]
fn two_of_a_kind_share_evenly() {
    for kind in BOTH {
        for later in [ms(300), secs(7)] {
            let (first, both) = share(path(), [kind; 2], later);
            println!("{kind} {later:?}: {first} of {both}");
            assert!(
                (40..=60).contains(&first),
                "{kind}: {first} after {later:?}"
            );
            assert!(both >= 80, "{kind}: {both}");
        }
    }
}

#[test]
fn bbr_and_cubic_leave_each_other_a_share() {
    for queue in [path().queue, 4 * path().queue] {
        for controllers in [BOTH, [BOTH[1], BOTH[0]]] {
            let path = Path { queue, ..path() };
            let (first, both) = share(path, controllers, secs(5));
            println!("{controllers:?} {queue}: {first} of {both}");
            assert!((30..=70).contains(&first), "{controllers:?}: {first}");
            assert!(both >= 80, "{controllers:?}: {both}");
        }
    }
}
