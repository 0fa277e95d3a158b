//! Peeling cloaking rounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_lob::fuzzing::decloak(data));
