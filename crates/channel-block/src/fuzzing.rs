//! Bodies of the fuzz targets.

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_runtime::Packet;

use crate::assemble::Assembler;
use crate::wire::{Piece, cut};

/// Blocks longer than this are dropped here.
const LIMIT: usize = 4096;

/// Packets of a hostile sender, each a line: the JSON of its head, a tab, its body. Nothing panics, no
/// block is larger than the limit, their numbers rise, and an honest block after them comes whole.
pub fn block_pieces(data: &[u8]) {
    let mut assembler = Assembler::new(LIMIT);
    let (mut newest, mut last) = (0, 0);
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b'\t');
        let head = parts.next().unwrap_or_default();
        let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
        let Ok(head) = serde_json::from_slice::<Map<String, Value>>(head) else {
            continue;
        };
        let Some(piece) = Piece::read(Packet::new(body).head(head)) else {
            continue;
        };
        assert_eq!(Piece::read(piece.to_packet()).as_ref(), Some(&piece));
        newest = newest.max(piece.number);
        if let Some(block) = assembler.push(&piece) {
            assert!(block.bytes.len() <= LIMIT && block.number > last);
            last = block.number;
        }
    }
    let Some(next) = newest.checked_add(1) else {
        return;
    };
    let honest = Bytes::from_static(&[7; 1000]);
    let blocks = cut(next, &honest, 300).filter_map(|piece| assembler.push(&piece));
    assert_eq!(
        blocks.map(|block| block.bytes).collect::<Vec<_>>(),
        [honest]
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_breaks_the_blocks() {
        let seeds = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fuzz/corpus/block_pieces"
        );
        let mut replayed = 0;
        for seed in std::fs::read_dir(seeds).unwrap() {
            block_pieces(&std::fs::read(seed.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 5, "the seeds are gone");
    }
}
