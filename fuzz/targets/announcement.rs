//! What endpoints of a local network announce.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_link::fuzzing::announcement(data));
