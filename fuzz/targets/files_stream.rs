//! A stream of files, as messages and contents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_files::fuzzing::files_stream(data));
