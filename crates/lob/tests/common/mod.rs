//! What the tests of this crate share.
#![allow(dead_code, reason = "each test uses some of it")]

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value, json};
use telehash_lob::{ChannelHeader, Misses, channel::MAX_MISSES};

/// A header of channel 1 to add to.
pub(crate) fn header() -> ChannelHeader<'static> {
    ChannelHeader::new(1)
}

/// The object in a JSON value.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

/// The bytes of a hexadecimal text.
pub(crate) fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a text");
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .expect("hexadecimal")
}

/// The test vectors in this file of interop/vectors.
pub(crate) fn vectors(file: &str) -> Value {
    let path = format!(
        "{}/../../interop/vectors/{file}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cases of a vector file, of which there must be some.
pub(crate) fn cases(list: &Value) -> &[Value] {
    let cases = list.as_array().expect("a list of cases");
    assert!(!cases.is_empty());
    cases
}

/// Any header that can be sent, with floats whose decimal form is exact.
pub(crate) fn headers() -> impl Strategy<Value = ChannelHeader<'static>> {
    let texts = || option::of(".{0,9}".prop_map(Into::into));
    let misses = option::of(
        vec(any::<u32>(), 1..=MAX_MISSES).prop_map(|deltas| Misses::from_slice(&deltas).unwrap()),
    );
    let numbers = (
        1..=u32::MAX,
        option::of(any::<u32>()),
        option::of(any::<u32>()),
    );
    (
        numbers,
        texts(),
        texts(),
        misses,
        any::<[bool; 2]>(),
        option::of(extras()),
    )
        .prop_map(
            |((channel, seq, ack), kind, err, miss, [end, frag], extra)| {
                let extra = extra.map(Box::new);
                ChannelHeader {
                    channel,
                    kind,
                    seq,
                    ack,
                    miss,
                    end,
                    frag,
                    err,
                    extra,
                }
            },
        )
}

fn extras() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        ".{0,9}".prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!([{ "type": "udp4", "port": 42424 }, [true, 1.5]])),
    ];
    vec(("x.{0,5}", value), 1..5).prop_map(|entries| entries.into_iter().collect())
}
