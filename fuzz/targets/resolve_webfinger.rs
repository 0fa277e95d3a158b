//! WebFinger answers, and the documents that they and OpenID providers lead to.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_resolve::fuzzing::resolve_webfinger(data));
