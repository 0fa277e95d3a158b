//! What the existing implementations produced (interop/vectors), and what we make of it.

mod common;

use common::{cases, object, unhex, vectors};
use serde_json::Value;
use telehash_lob::{
    ChannelHeader, Compression, HeadKind, Lob, LobError, MAX_HEAD,
    chunk::{self, Decoder, Event, Framing, MAX_FRAGMENT, Writer},
    cloak::{self, NONCE_LEN, WorkBudget},
    encode, encode_json,
};

#[test]
fn javascript_packets_are_ours() {
    let vectors = vectors("js/lob.json");
    let sent = cases(&vectors["encode"])
        .iter()
        .filter(|case| case.get("throws").is_none());
    for case in sent {
        let name = case["name"].as_str().unwrap();
        let body = || unhex(&case["body_hex"]);
        let ours = match &case["head"] {
            Value::Null => encode(&[], &body()),
            Value::Object(head) => encode_json(head, &body()),
            Value::String(text) if text == "32767 x 0x61" => {
                let longest = encode(&[0x61; MAX_HEAD], &[]).unwrap();
                assert_eq!(
                    (longest.len(), &longest[..3]),
                    (2 + MAX_HEAD, &b"\x7f\xff\x61"[..])
                );
                continue;
            }
            Value::String(text) if text.starts_with("hex:") => {
                encode(&unhex(&text["hex:".len()..].into()), &body())
            }
            other => panic!("{name}: {other}"),
        };
        assert_eq!(ours.unwrap(), unhex(&case["encoded_hex"]), "{name}");
    }
}

#[test]
fn a_head_that_javascript_cannot_send_we_refuse_to_send() {
    let vectors = vectors("js/lob.json");
    let throws = cases(&vectors["encode"])
        .iter()
        .find(|case| case["throws"].is_string())
        .unwrap();
    assert_eq!(throws["name"], "head 32768 bytes");
    assert!(matches!(
        encode(&[0x61; 32_768], &[]),
        Err(LobError::HeadTooLong { len: 32_768 })
    ));
}

#[test]
fn what_javascript_decodes_we_decode_but_for_heads_that_are_no_object() {
    let vectors = vectors("js/lob.json");
    for case in cases(&vectors["decode"]) {
        let bytes = unhex(&case["hex"]);
        if case["result"].is_string() {
            continue;
        }
        let packet = Lob::parse(&bytes).unwrap();
        assert_eq!(
            packet.head().len() as u64,
            case["head_len"].as_u64().unwrap()
        );
        assert_eq!(packet.head(), unhex(&case["head_hex"]));
        assert_eq!(packet.body(), unhex(&case["body_hex"]));
        match case["hex"].as_str().unwrap() {
            // An array, a number, a key that comes twice: JavaScript takes them.
            "00095b312c322c332c345d78"
            | "000731323334353637"
            | "000d7b2261223a312c2261223a327d" => {
                assert!(packet.json().is_err());
            }
            _ if packet.kind() == HeadKind::Binary => assert!(packet.json().is_err()),
            _ => assert_eq!(packet.json().unwrap(), object(case["json"].clone())),
        }
    }
}

#[test]
fn what_javascript_rejects_is_malformed_or_has_no_json() {
    let vectors = vectors("js/lob.json");
    let rejected: Vec<_> = cases(&vectors["decode"])
        .iter()
        .filter(|case| case["result"].is_string())
        .map(|case| {
            let bytes = unhex(&case["hex"]);
            match Lob::parse(&bytes) {
                Ok(packet) => {
                    assert!(packet.json().is_err());
                    "bytes only"
                }
                Err(_) => "malformed",
            }
        })
        .collect();
    // Heads of seven bytes and more that are no JSON: we hand out their bytes, as the text says.
    let malformed = "malformed";
    assert_eq!(
        rejected,
        [
            malformed,
            malformed,
            "bytes only",
            "bytes only",
            "bytes only",
            malformed,
            malformed,
            malformed,
            malformed,
        ]
    );
}

#[test]
fn c_packets_are_ours_but_for_lenient_json() {
    let vectors = vectors("c/lob.json");
    for case in cases(&vectors["cases"]) {
        let name = case["name"].as_str().unwrap();
        let bytes = unhex(&case["packet"]);
        let Ok(packet) = Lob::parse(&bytes) else {
            assert_eq!(case["parse_ok"], false, "{name}");
            continue;
        };
        if name == "head 7 invalid json" {
            // C rejects the packet, we its JSON.
            assert!(packet.json().is_err());
            continue;
        }
        assert_eq!(case["parse_ok"], true, "{name}");
        assert_eq!(packet.head(), unhex(&case["head"]), "{name}");
        assert_eq!(packet.body(), unhex(&case["body"]), "{name}");
        let lenient = [
            "head 7 array",
            "head 9 string",
            "head 7 number",
            "trailing comma",
        ];
        let strict = packet.kind() != HeadKind::Binary && !lenient.contains(&name);
        assert_eq!(packet.json().is_ok(), strict, "{name}");
    }
}

#[test]
fn a_head_that_c_builds_is_ours_but_for_the_line_feed_it_does_not_escape() {
    let vectors = vectors("c/lob.json");
    let [quoted, sorted] = cases(&vectors["set"]) else {
        panic!("two cases")
    };
    let sorted = &sorted["result"];
    let bytes = unhex(&sorted["packet"]);
    let json = Lob::parse(&bytes).unwrap().json().unwrap();
    assert_eq!(encode_json(&json, &[]).unwrap(), bytes);

    let bytes = unhex(&quoted["result"]["packet"]);
    assert!(Lob::parse(&bytes).unwrap().json().is_err());
    let escaped = quoted["result"]["json"]
        .as_str()
        .unwrap()
        .replace('\n', "\\n");
    let json: Value = serde_json::from_str(&escaped).unwrap();
    let ours = encode_json(&object(json), b"BB").unwrap();
    assert_eq!(Lob::parse(&ours).unwrap().head(), escaped.as_bytes());
}

/// Peels `wire` and returns the packet and the nonces, the outermost first.
fn peeled(mut wire: Vec<u8>) -> (Vec<u8>, Vec<[u8; NONCE_LEN]>) {
    let received = wire.clone();
    let seen = cloak::peek(&received, &mut WorkBudget::default()).unwrap();
    let offset = cloak::decloak_in_place(&mut wire, &mut WorkBudget::default()).unwrap();
    assert_eq!(seen.offset(), offset);
    let plain = wire.split_off(offset);
    assert_eq!(cloak::finish(&mut received.clone(), &seen, false), plain);
    // Peeling leaves the nonces where they are: that is why it can be repeated backwards.
    let (nonces, rest) = wire.as_chunks::<NONCE_LEN>();
    assert!(rest.is_empty());
    (plain, nonces.to_vec())
}

fn cloaked(packet: &[u8], outermost_first: &[[u8; NONCE_LEN]]) -> Vec<u8> {
    let mut wire = packet.to_vec();
    for nonce in outermost_first.iter().rev() {
        wire.splice(0..0, *nonce);
        cloak::cloak_in_place(&mut wire);
    }
    wire
}

#[test]
fn the_keystream_is_that_of_javascript() {
    let check = &vectors("js/cloaking.json")["keystream_check"];
    let mut buf = [unhex(&check["nonce_hex"]), vec![0; 128]].concat();
    cloak::cloak_in_place(&mut buf);
    assert_eq!(buf[NONCE_LEN..], unhex(&check["first_128_bytes_hex"]));
}

#[test]
fn javascript_cloaking_is_ours() {
    let vectors = vectors("js/cloaking.json");
    assert_eq!(unhex(&vectors["key_hex"]), cloak::KEY);
    for case in cases(&vectors["cases"]) {
        let wire = unhex(&case["cloaked_hex"]);
        let (packet, nonces) = peeled(wire.clone());
        assert_eq!(packet, unhex(&case["packet_hex"]));
        assert_eq!(nonces.len() as u64, case["rounds"].as_u64().unwrap());
        if let Some(theirs) = case["nonces_in_order_hex"].as_array() {
            let theirs: Vec<_> = theirs.iter().rev().map(unhex).collect();
            assert_eq!(nonces.as_flattened(), theirs.concat());
        }
        assert_eq!(cloaked(&packet, &nonces), wire);
    }
}

#[test]
fn c_cloaking_is_ours() {
    let vectors = vectors("c/cloak.json");
    for case in cases(&vectors["cases"]) {
        let wire = unhex(&case["cloaked"]);
        let (packet, nonces) = peeled(wire.clone());
        assert_eq!(packet, unhex(&case["packet"]));
        assert_eq!(nonces.len() as u64, case["rounds"].as_u64().unwrap());
        assert_eq!(nonces[0][..], unhex(&case["outer_nonce"]));
        assert_eq!(cloaked(&packet, &nonces), wire);
    }
    for case in cases(&vectors["decloak_edge"]) {
        assert_eq!(case["ok"], false);
        assert!(cloak::peek(&unhex(&case["in"]), &mut WorkBudget::default()).is_err());
    }
}

fn chunked(packet: &[u8], max_fragment: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    chunk::encode_into(packet, max_fragment, &mut stream);
    stream
}

/// The packets that come out of these writes.
fn received(decoder: &mut Decoder, writes: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for write in writes {
        let mut input = &write[..];
        while let Some(event) = decoder.next_event(&mut input).unwrap() {
            if let Event::Packet(packet) = event {
                packets.push(packet.to_vec());
            }
        }
    }
    packets
}

#[test]
fn javascript_chunks_are_ours() {
    let vectors = vectors("js/chunking.json");
    for case in cases(&vectors["encode"]) {
        let len = case["packet_len"].as_u64().unwrap() as usize;
        let packet: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let wire = unhex(&case["wire_hex"]);
        if len == 0 {
            // JavaScript writes two zeros for no packet; we write nothing.
            assert_eq!((wire, chunked(&packet, MAX_FRAGMENT)), (vec![0, 0], vec![]));
            continue;
        }
        let size = case["size_arg"].as_u64().map_or(256, |size| size as usize);
        assert_eq!(chunked(&packet, size - 1), wire);
        assert_eq!(received(&mut Decoder::new(), &[wire]).concat(), packet);

        let mut writer = Writer::new(Framing::Frames(size), false);
        writer.push(&packet).unwrap();
        let mut ours = Vec::new();
        while let Some(write) = writer.next_write() {
            ours.push(write.len());
        }
        let mut theirs: Vec<_> = cases(&case["writes"])
            .iter()
            .map(|len| len.as_u64().unwrap() as usize)
            .collect();
        // JavaScript overruns a frame by the terminator of a packet that fills it; we do not.
        if theirs.pop_if(|last| *last > size).is_some() {
            theirs.extend([size, 1]);
        }
        assert_eq!(ours, theirs);
    }
}

#[test]
fn what_javascript_receives_we_receive() {
    let vectors = vectors("js/chunking.json");
    for case in cases(&vectors["receive"]) {
        let writes: Vec<_> = cases(&case["writes_hex"]).iter().map(unhex).collect();
        let packets: Vec<_> = received(&mut Decoder::new(), &writes)
            .into_iter()
            .filter(|packet| Lob::parse(packet).is_ok())
            .collect();
        let theirs: Vec<_> = case["packets"]
            .as_array()
            .unwrap()
            .iter()
            // "HTTP detected" is theirs: to us "G" announces a fragment of 71 bytes.
            .filter_map(|packet| packet.get("packet_hex").map(unhex))
            .collect();
        assert_eq!(packets, theirs);
    }
}

#[test]
fn a_blocking_sender_writes_what_javascript_writes() {
    let sender = &vectors("js/chunking.json")["blocking_sender"];
    let size = sender["size"].as_u64().unwrap() as usize;
    let mut writer = Writer::new(Framing::Frames(size), true);
    writer.push(&unhex(&sender["sent_packet_hex"])).unwrap();
    let mut written = Vec::new();
    for stage in ["after_send", "after_first_ack", "after_second_ack"] {
        while let Some(write) = writer.next_write() {
            written.push(write.to_vec());
        }
        let theirs: Vec<_> = cases(&sender[stage]).iter().map(unhex).collect();
        assert_eq!(written, theirs, "{stage}");
        writer.received();
    }
    assert_eq!(writer.next_write(), None);
}

#[test]
fn c_chunks_are_ours_but_for_the_terminator_it_forgets() {
    let vectors = vectors("c/chunks.json");
    let mut forgotten = 0;
    for case in cases(&vectors["cases"]) {
        let packet = unhex(&case["packet"]);
        let max_fragment = case["max_fragment"].as_u64().unwrap() as usize;
        let stream = unhex(&case["stream"]);
        assert_eq!(chunked(&packet, max_fragment), stream);
        assert_eq!(received(&mut Decoder::new(), &[stream]).concat(), packet);

        if case["c_output_identical"] == false {
            // The packet runs into the next one, and the one after that is received again.
            let sent = [
                unhex(&case["c_output"]),
                chunked(b"next", 255),
                chunked(b"after", 255),
            ];
            let merged = [&packet[..], b"next"].concat();
            assert_eq!(
                received(&mut Decoder::new(), &sent),
                [merged, b"after".to_vec()]
            );
            forgotten += 1;
        }
    }
    assert_eq!(forgotten, 3);
}

/// Every JSON object of a channel packet in the vectors.
fn channel_packets() -> Vec<(Value, Vec<u8>)> {
    let folder = format!(
        "{}/../../interop/vectors/traces",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut packets = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        {
            let is_channel = line["trace"]
                .as_str()
                .is_some_and(|what| what.starts_with("chan-"));
            let whole = || line["body_len"] == line["body"].as_str().map_or(0, |hex| hex.len() / 2);
            if is_channel && whole() {
                packets.push((line["json"].clone(), unhex(&line["body"])));
            }
        }
    }
    let reliable = vectors("js/reliable.json");
    for case in cases(&reliable["cases"]) {
        for step in cases(&case["steps"]) {
            let sends = step["sends"].as_array().into_iter().flatten();
            packets.extend(sends.map(|send| (send.clone(), vec![])));
        }
    }
    packets
}

#[test]
fn channel_packets_of_real_conversations_come_back_from_every_notation() {
    let packets = channel_packets();
    assert!(packets.len() > 200, "{} packets", packets.len());
    let mut saved = 0;
    for (json, body) in packets {
        let packet = encode_json(&object(json.clone()), &body).unwrap();
        let (header, range) = ChannelHeader::decode(&packet, Compression::None).unwrap();
        assert_eq!(packet[range], body);
        assert_eq!(header.channel, json["c"].as_u64().unwrap() as u32);
        assert_eq!(header.seq.map(Value::from), json.get("seq").cloned());

        let mut plain = Vec::new();
        header
            .encode_into(&mut plain, &body, Compression::None)
            .unwrap();
        assert_eq!(Lob::parse(&plain).unwrap().json().unwrap(), object(json));
        if cfg!(feature = "cbor") {
            let mut payload = Vec::new();
            header
                .encode_into(&mut payload, &body, Compression::Cbor)
                .unwrap();
            let (again, range) = ChannelHeader::decode(&payload, Compression::Cbor).unwrap();
            assert_eq!((&again, &payload[range]), (&header, &body[..]));
            saved += plain.len() - payload.len();
        }
    }
    assert!(saved > 0 || cfg!(not(feature = "cbor")));
}
