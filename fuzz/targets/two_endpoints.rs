//! Two endpoints and a hostile network between them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_link::fuzzing::two_endpoints(data));
