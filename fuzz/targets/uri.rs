//! Link URIs, read leniently and strictly.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_uri::fuzzing::uri(data));
