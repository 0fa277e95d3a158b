//! Packets of any sizes on their way from QUIC into batches.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_transport_quic::fuzzing::payloads(data));
