//! The receiving side of a TCP connection, with its limits.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_transport_tcp::fuzzing::tcp_inbound(data));
