//! Packets to a cache of boxes, as hostile senders and recipients may send them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_box::fuzzing::box_packets(data));
