//! LOB packets: head, body, and back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_lob::fuzzing::lob(data));
