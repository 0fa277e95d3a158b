//! Opening messages that a stranger made or altered.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_e3x::fuzzing::message_open(data));
