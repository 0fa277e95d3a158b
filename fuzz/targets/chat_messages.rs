//! Packets of a chat, as its leader and another participant receive them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| telehash_channel_chat::fuzzing::chat_messages(data));
