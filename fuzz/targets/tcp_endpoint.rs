//! What comes by a TCP connection, on its way to an endpoint that has a link.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_link::fuzzing::tcp_endpoint(
    data,
    telehash_transport_tcp::MAX_STRANGER_PACKET
));
