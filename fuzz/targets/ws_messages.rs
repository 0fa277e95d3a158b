//! Packets of a WebSocket, as messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_ws::fuzzing::ws_messages(data));
