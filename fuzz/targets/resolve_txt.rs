//! DNS answers: service records, and keys in text records.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_resolve::fuzzing::resolve_txt(data));
