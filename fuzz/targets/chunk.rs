//! The chunk decoder of stream transports.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_lob::fuzzing::chunk(data));
