//! Keys that a router hands over.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_connect::fuzzing::introduction(data));
