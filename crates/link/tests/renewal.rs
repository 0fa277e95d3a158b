//! Sessions of cipher set 42 are renewed under running channels.

mod common;

use std::time::Duration;

use common::{Peer, pattern};
use telehash_hashname::Csid;
use telehash_netsim::{Conditions, Loss, Queue, World};

/// Takes more than an hour at [`RATE`].
const BYTES: usize = 40_000_000;

/// Bytes a second.
const RATE: u64 = 10_000;

/// Bytes that wait for the wire: two seconds' worth.
const QUEUE: Queue = Queue {
    bytes: 20_000,
    packets: 100,
};

#[test]
fn a_stream_outlives_the_hourly_renewal_on_a_lossy_network() {
    for seed in 0..3 {
        let mut world = World::new(seed).with_sets(&[Csid::CS42]);
        let (sending, _) = Peer::sending(pattern(BYTES));
        let receiving = Peer::default();
        let seen = receiving.seen.clone();
        let (sender, receiver) = (world.add(sending), world.add(receiving));
        world.network().set_conditions(
            &Conditions::perfect()
                .with_delay(Duration::from_millis(40))
                .with_loss(Loss::Random(0.02))
                .with_rate(RATE)
                .with_queue(QUEUE),
        );
        world.connect(sender, receiver).unwrap();
        let done = world.drive(Duration::from_secs(8 * 3600), |_| {
            seen.lock().unwrap().finished
        });
        let seen = seen.lock().unwrap();
        assert!(done, "seed {seed}: {} bytes", seen.received.len());
        assert!(seen.received == pattern(BYTES), "seed {seed}");
        assert_eq!((seen.downs, seen.restarts), (0, 0), "seed {seed}");
        assert!(seen.failed.is_empty(), "seed {seed}: {:?}", seen.failed);
        for (here, there) in [(sender, receiver), (receiver, sender)] {
            let stats = world.link(here, there).unwrap().stats();
            assert!(stats.sessions > 1, "seed {seed}: it was never renewed");
        }
    }
}
