//! Recorded conversations between two JS endpoints, with a flow in the place of one of them.

use alloc::{collections::BTreeMap, string::String};

use serde_json::{Map, Value};

use super::{script::*, *};

macro_rules! traces {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../../../interop/vectors/traces/", $name, ".jsonl")))),*]
    };
}

const TRACES: &[(&str, &str)] = &traces![
    "chat.dialer",
    "chat.listener",
    "chatjoin.dialer",
    "chatjoin.listener",
    "path.dialer",
    "path.listener",
    "sock.dialer",
    "sock.listener",
    "sockbind.dialer",
    "sockbind.listener",
    "stream.dialer",
    "stream.listener",
    "thtp.dialer",
    "thtp.listener",
    "unknown.dialer",
    "unknown.listener"
];

/// A channel packet of a trace.
struct Line {
    sent: bool,
    head: Map<String, Value>,
    body: Vec<u8>,
}

fn lines(trace: &str) -> Vec<Line> {
    let packet = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let sent = match line["trace"].as_str()? {
            "chan-out" => true,
            "chan-in" => false,
            _ => return None,
        };
        let hex = line["body"].as_str()?.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
        let body = hex.chunks(2).map(byte).collect::<Option<_>>()?;
        Some(Line {
            sent,
            head: line["json"].as_object()?.clone(),
            body,
        })
    };
    trace.lines().filter_map(packet).collect()
}

/// Says what the endpoint of the trace said, through a flow.
fn say(script: &mut Script, line: Line) {
    let Line { mut head, body, .. } = line;
    let mut take = |name: &str| head.remove(name);
    let id = take("c")
        .and_then(|id| ChannelId::new(id.as_u64()? as u32))
        .expect("a channel");
    let (kind, seq, ack) = (take("type"), take("seq"), take("ack"));
    let (frag, end, err) = (take("frag").is_some(), take("end").is_some(), take("err"));
    take("miss");
    if let Some(kind) = kind.as_ref().and_then(Value::as_str) {
        let open = if seq.is_some() {
            Open::reliable(kind)
        } else {
            Open::unreliable(kind)
        };
        let opened = script.flow.open(script.now, open.head(head).body(body));
        assert_eq!(opened, Ok(id), "ids are as JS chose them");
    } else if let Some(err) = err {
        script
            .flow
            .refuse(script.now, id, err.as_str().expect("a text"));
    } else if seq.is_some() || ack.is_none() {
        let packet = Packet {
            frag,
            end,
            ..Packet::new(body).head(head)
        };
        script.flow.send(script.now, id, packet).expect("sends");
    }
}

fn replay(name: &str, trace: &str) {
    let lines = lines(trace);
    let first = lines
        .iter()
        .find(|line| line.sent && line.head.contains_key("type"));
    let odd = first.is_none_or(|line| line.head["c"].as_u64().is_some_and(|id| id % 2 == 1));
    let order = if odd { Order::Odd } else { Order::Even };
    let mut script = Script::with(FlowConfig::default(), order);
    script.flow.set_max_plain(60_000);
    let (mut spoken, mut heard) = (BTreeMap::<u32, Vec<u8>>::new(), BTreeMap::new());
    for line in lines {
        script.now += ms(5);
        if line.sent {
            say(&mut script, line);
            continue;
        }
        let id = line.head["c"].as_u64().expect("a channel") as u32;
        if line.head.contains_key("seq") && !line.head.contains_key("type") {
            spoken.entry(id).or_default().extend_from_slice(&line.body);
        }
        let head = Value::Object(line.head);
        // What we say must have left before JS can acknowledge it.
        script.sends_sized(SLOT, 60_000);
        let result = script.receive(&head, &line.body);
        assert!(result.is_ok(), "{name}: {head}: {result:?}");
        for event in script.events() {
            match event {
                ChannelEvent::Opened { id, .. } => {
                    script.flow.accept(script.now, id).expect("accepts");
                }
                ChannelEvent::Failed { error, .. } => {
                    assert_eq!(error, ChannelError::Peer("unknown type".into()), "{name}");
                }
                _ => {}
            }
        }
        let id = ChannelId::new(id).expect("an id");
        while let Ok(Some(packet)) = script.flow.read(script.now, id) {
            heard
                .entry(id.get())
                .or_insert_with(Vec::new)
                .extend_from_slice(&packet.body);
        }
    }
    for (id, bytes) in spoken {
        assert!(heard.get(&id) == Some(&bytes), "{name}: channel {id}");
    }
}

#[test]
fn conversations_of_js_run_through_a_flow() {
    for (name, trace) in TRACES {
        assert!(!lines(trace).is_empty(), "{name}");
        replay(name, trace);
    }
}
