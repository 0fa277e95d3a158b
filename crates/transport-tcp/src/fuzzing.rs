//! The bodies of the fuzz targets: each takes any bytes, must not panic on its own account, and
//! asserts what has to hold for them. The tests here run them on random bytes; the fuzzer proper
//! finds better ones.

use std::time::Duration;

use telehash_lob::chunk::MAX_CHUNKED_PACKET;
use telehash_transport::Remote;
use tokio::time::Instant;

use crate::{
    inbound::{Inbound, Sink},
    limits::{
        FIRST_PACKET_TIMEOUT, IDLE_TIMEOUT, MAX_STRANGER_PACKET, PACKET_TIMEOUT, STRANGER_TIMEOUT,
    },
};

/// A connection's receiving side makes the same packets of a stream however its reads are cut and
/// however little room there is for packets, keeps to the limits of strangers, and never waits for a
/// peer without an end. The first byte says after how many bytes a link uses the connection.
pub fn tcp_inbound(data: &[u8]) {
    let Some((&first, stream)) = data.split_first() else {
        return;
    };
    let keep_at = usize::from(first) * 64;
    let whole = received(stream, keep_at, usize::MAX, usize::MAX);
    assert_eq!(whole, received(stream, keep_at, 1, usize::MAX));
    assert_eq!(whole, received(stream, keep_at, 7, 1));
    assert_eq!(whole, received(stream, keep_at, 4096, 3));
    let (packets, _) = whole;
    assert!(packets.iter().map(Vec::len).sum::<usize>() <= stream.len());
    assert!(
        packets
            .iter()
            .all(|p| (1..=MAX_CHUNKED_PACKET).contains(&p.len()))
    );
    let large = packets.iter().find(|p| p.len() > MAX_STRANGER_PACKET);
    assert!(large.is_none() || keep_at < stream.len());
}

/// The packets in `stream`, and whether it was nonsense, if it arrives in pieces of `piece` bytes and
/// there is room for `room` packets at a time.
fn received(stream: &[u8], keep_at: usize, piece: usize, room: usize) -> (Vec<Vec<u8>>, bool) {
    let mut now = Instant::now();
    let mut inbound = Inbound::new(Remote::Connection(2), now, true);
    let mut packets = Vec::new();
    let (before, after) = stream.split_at(keep_at.min(stream.len()));
    for (part, keep) in [(before, false), (after, true)] {
        if keep && keep_at < stream.len() {
            inbound.keep();
        }
        for mut input in part.chunks(piece.min(part.len()).max(1)) {
            now += Duration::from_secs(1);
            while !input.is_empty() {
                let mut sink = Few {
                    room,
                    packets: vec![],
                };
                let heard = inbound.take(&mut input, now, &mut sink);
                packets.append(&mut sink.packets);
                let Ok(heard) = heard else {
                    return (packets, true);
                };
                assert!(heard.packets <= room);
                assert_ne!(inbound.spoke(), packets.is_empty());
                assert!(inbound.deadline() <= now + IDLE_TIMEOUT.max(STRANGER_TIMEOUT));
            }
        }
    }
    assert!(PACKET_TIMEOUT < IDLE_TIMEOUT && FIRST_PACKET_TIMEOUT < STRANGER_TIMEOUT);
    (packets, false)
}

/// Takes no more than so many packets.
struct Few {
    room: usize,
    packets: Vec<Vec<u8>>,
}

impl Sink for Few {
    fn has_room(&self) -> bool {
        self.packets.len() < self.room
    }

    fn put(&mut self, _remote: Remote, packet: &[u8]) {
        self.packets.push(packet.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use telehash_lob::chunk::{MAX_FRAGMENT, encode_into};

    use super::*;

    proptest! {
        #[test]
        fn tcp_inbound_holds_for_random_bytes(data in vec(prop_oneof![0u8..6, any::<u8>()], 0..600)) {
            tcp_inbound(&data);
        }

        #[test]
        fn tcp_inbound_holds_for_packets_of_every_size(
            first in any::<u8>(),
            sizes in vec(prop_oneof![1usize..3000, 8000usize..8400, 60_000usize..66_000], 1..4),
        ) {
            let mut data = vec![first];
            for size in sizes {
                encode_into(&vec![7; size], MAX_FRAGMENT, &mut data);
            }
            tcp_inbound(&data);
        }
    }
}
