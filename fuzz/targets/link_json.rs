//! Link JSON and JWK files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_hashname::fuzzing::link_json(data));
