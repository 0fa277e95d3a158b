//! What a router is asked for.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_peer::fuzzing::peer_open(data));
