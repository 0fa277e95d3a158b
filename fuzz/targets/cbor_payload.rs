//! Channel payloads as CBOR sequences.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_lob::fuzzing::cbor_payload(data));
