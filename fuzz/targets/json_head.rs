//! The JSON heads of channel packets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_lob::fuzzing::json_head(data));
