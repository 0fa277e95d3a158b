//! The heads of sock opens, and destinations and rules as people write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_sock::fuzzing::sock_open(data));
