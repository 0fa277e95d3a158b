//! Opening channel packets that a stranger made, altered or replayed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_e3x::fuzzing::channel_open(data));
