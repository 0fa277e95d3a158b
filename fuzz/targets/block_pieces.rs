//! Packets of a block channel, as a hostile sender may send them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_block::fuzzing::block_pieces(data));
