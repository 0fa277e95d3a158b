//! Every seed of the fuzz targets, replayed: a plain test run checks what fuzzing once found, without a fuzzer.

use std::fs;
use std::path::Path;

/// A target's name and its body.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 26] = [
    ("lob", telehash_lob::fuzzing::lob),
    ("json_head", telehash_lob::fuzzing::json_head),
    ("chunk", telehash_lob::fuzzing::chunk),
    ("decloak", telehash_lob::fuzzing::decloak),
    ("cbor_payload", telehash_lob::fuzzing::cbor_payload),
    ("link_json", telehash_hashname::fuzzing::link_json),
    ("identity", telehash_hashname::fuzzing::identity),
    ("uri", telehash_uri::fuzzing::uri),
    ("resolve_txt", telehash_resolve::fuzzing::resolve_txt),
    (
        "resolve_webfinger",
        telehash_resolve::fuzzing::resolve_webfinger,
    ),
    ("message_open", telehash_e3x::fuzzing::message_open),
    ("channel_open", telehash_e3x::fuzzing::channel_open),
    ("announcement", telehash_link::fuzzing::announcement),
    ("quic_payloads", telehash_transport_quic::fuzzing::payloads),
    ("two_endpoints", telehash_link::fuzzing::two_endpoints),
    ("peer_open", telehash_channel_peer::fuzzing::peer_open),
    (
        "introduction",
        telehash_channel_connect::fuzzing::introduction,
    ),
    ("tcp_inbound", telehash_transport_tcp::fuzzing::tcp_inbound),
    (
        "chat_messages",
        telehash_channel_chat::fuzzing::chat_messages,
    ),
    (
        "files_stream",
        telehash_channel_files::fuzzing::files_stream,
    ),
    (
        "block_pieces",
        telehash_channel_block::fuzzing::block_pieces,
    ),
    ("box_packets", telehash_channel_box::fuzzing::box_packets),
    ("sock_open", telehash_channel_sock::fuzzing::sock_open),
    ("thtp_head", telehash_channel_thtp::fuzzing::thtp_head),
    ("ws_messages", telehash_channel_ws::fuzzing::ws_messages),
    ("tcp_endpoint", |data| {
        telehash_link::fuzzing::tcp_endpoint(data, telehash_transport_tcp::MAX_STRANGER_PACKET);
    }),
];

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"))
}

/// The file names in a folder of `fuzz/`, without their endings, sorted.
fn names(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(fuzz().join(folder))
        .expect("the folder exists")
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn every_seed_still_holds() {
    for (target, body) in TARGETS {
        let folder = format!("corpus/{target}");
        let mut seeds = 0;
        for entry in fs::read_dir(fuzz().join(&folder)).expect("each target has a corpus") {
            let path = entry.expect("a readable folder").path();
            println!("{}", path.display()); // shown only if the seed fails
            body(&fs::read(&path).expect("a readable seed"));
            seeds += 1;
        }
        assert!(seeds > 0, "{folder} is empty");
    }
}

#[test]
fn every_target_is_replayed() {
    let mut replayed: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
    replayed.sort_unstable();
    assert_eq!(names("targets"), replayed);
    assert_eq!(names("corpus"), replayed);
}
