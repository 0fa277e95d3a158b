//! Heads of HTTP requests and responses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_thtp::fuzzing::thtp_head(data));
