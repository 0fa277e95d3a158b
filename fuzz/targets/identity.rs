//! Identity files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_hashname::fuzzing::identity(data));
