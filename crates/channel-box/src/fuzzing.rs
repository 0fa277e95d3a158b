//! Bodies of the fuzz targets.

use std::time::Instant;

use telehash_hashname::Hashname;

use crate::cache::{Quota, Store};
use crate::id::BoxId;
use crate::pieces::Pieces;
use crate::wire::{self, Ask, Head};

/// Packets of hostile peers to a cache, each a line: the JSON of its head, a tab, its body. Those with
/// `to` are of a sender, those with `box` of a recipient. Nothing panics, what was read reads the same
/// again, and the quotas hold.
pub fn box_packets(data: &[u8]) {
    let quota = Quota::new()
        .per_sender(4000)
        .per_recipient(6000)
        .total(9000);
    let (mut store, now) = (Store::new(quota), Instant::now());
    let mut pieces = Pieces::default();
    for (number, line) in data.split(|byte| *byte == b'\n').enumerate() {
        let mut parts = line.splitn(2, |byte| *byte == b'\t');
        let head = parts.next().unwrap_or_default();
        let body = parts.next().unwrap_or_default();
        let ids: Vec<BoxId> = wire::read_boxes(body).collect();
        let known = ids.len().min(wire::BOXES_IN_PACKET);
        assert_eq!(wire::boxes(&ids), body[..known * BoxId::LEN]);
        let Ok(head) = serde_json::from_slice::<Head>(head) else {
            continue;
        };
        let ask = Ask::read(Some(&head));
        assert_eq!(Ask::read(Some(&ask.to_head())), ask);
        let peer = Hashname::from_bytes([(number % 3) as u8; 32]);
        if let Some(to) = wire::outbox_to(Some(&head)) {
            send(&mut store, &mut pieces, (peer, to), &ask, body, now);
        }
        if let Some(name) = wire::inbox_of(Some(&head)) {
            let key = (peer, name);
            if ask.clear {
                store.empty(&key);
            }
            if let Some(id) = &ask.remove {
                store.remove_from(&key, id);
            }
            let _ = (store.next_after(&key, 0), store.room(&peer));
        }
        store.check();
    }
}

fn send(
    store: &mut Store,
    pieces: &mut Pieces,
    people: (Hashname, Hashname),
    ask: &Ask,
    body: &[u8],
    now: Instant,
) {
    if ask.clear {
        store.take_all_back(&people.0, &people.1);
        pieces.clear();
    }
    if let Some(id) = &ask.remove {
        store.take_back(&people.0, &people.1, id);
    }
    if let Ok(Some(message)) = pieces.push(body, ask.done) {
        store.put(now, people, message, ask.keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_breaks_the_boxes() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/box_packets");
        let mut replayed = 0;
        for seed in std::fs::read_dir(seeds).unwrap() {
            box_packets(&std::fs::read(seed.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 5, "the seeds are gone");
    }
}
