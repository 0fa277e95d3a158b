//! Channel packets of cipher sets.

use std::hint::black_box;

use telehash_benches::Pair;
use telehash_hashname::Csid;

use crate::counter::Counter;

const SETS: [Csid; 3] = [Csid::CS1A, Csid::CS3A, Csid::CS42];

/// Bytes of content: a small packet, one of most paths, and one of the loopback interface.
const SIZES: [usize; 3] = [64, 1400, 8900];

/// Packets of each.
const PACKETS: usize = 32;

pub(crate) fn count(counter: &mut Counter) {
    for csid in SETS {
        for size in SIZES {
            let mut pair = Pair::new(csid);
            let mut packets = vec![pair.room(size); PACKETS];
            // A session may prepare something for its first packet.
            let mut first = pair.packet(size);
            black_box(pair.open(&mut first));
            let name = format!("cs{csid}: seal {size}");
            counter.each(&name, &mut packets, |packet| pair.seal(packet));
            let name = format!("cs{csid}: open {size}");
            counter.each(&name, &mut packets, |packet| {
                black_box(pair.open(packet));
            });
        }
    }
}
