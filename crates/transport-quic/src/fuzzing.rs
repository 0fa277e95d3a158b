//! The body of the fuzz target: what peers send, on its way to those above. QUIC itself is quinn's
//! to fuzz, and a packet is nobody's but the endpoint's to read; left are the sizes.

use telehash_transport::{RecvBatch, Remote};

use crate::packer::Packer;

/// Bytes of a buffer here, so that small inputs fill some.
const BUFFER: usize = 32;

/// Packets of any sizes from several connections come out of batches as they went in. Each begins
/// with a byte that says from where, and one that says how long.
pub fn payloads(data: &[u8]) {
    let mut batch = RecvBatch::new(4, BUFFER);
    let mut expected = packets(data).peekable();
    while expected.peek().is_some() {
        let mut packer = Packer::new(&mut batch);
        let mut taken = Vec::new();
        while packer.has_room()
            && let Some((remote, packet)) = expected.next()
        {
            let pushed = packer.push(remote, packet);
            assert_eq!(pushed, packet.len() <= BUFFER, "there was room");
            taken.extend(pushed.then_some((remote, packet)));
        }
        assert_eq!(packer.len(), taken.len());
        drop(packer);
        assert_eq!(batch.len(), taken.len());
        let packed = batch.packets();
        let packed: Vec<_> = packed
            .map(|packet| (packet.remote, &*packet.contents))
            .collect();
        assert_eq!(packed, taken);
    }
}

fn packets(mut data: &[u8]) -> impl Iterator<Item = (Remote, &[u8])> {
    std::iter::from_fn(move || {
        let [from, len, rest @ ..] = data else {
            return None;
        };
        let len = usize::from(*len).min(rest.len());
        let (packet, rest) = rest.split_at(len);
        data = rest;
        Some((Remote::Connection(u64::from(from % 3)), packet))
    })
    .filter(|(_, packet)| !packet.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn payloads_hold_for_random_sizes(data in vec(prop_oneof![0u8..12, any::<u8>()], 0..400)) {
            payloads(&data);
        }
    }
}
