//! Strict I-JSON objects (packets.md, LOB).
//!
//! Everything that a peer sent goes through here before it becomes a [`Value`]: UTF-8 only, one
//! object and nothing after it, no key twice in any object, bounded in length and depth. Numbers
//! are integers up to `u64` (and down to `i64`) or finite floats.

use alloc::{string::String, vec::Vec};
use core::fmt::{self, Write as _};

use serde::de::{self, DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Number, Value};

use crate::{MAX_HEAD, MIN_JSON_HEAD};

/// Longest JSON text accepted, in bytes; a longer one is refused before it is read.
pub const MAX_JSON_LEN: usize = MAX_HEAD;

/// Deepest nesting accepted: the object itself is level 1. A deeper one is refused while reading.
pub const MAX_JSON_DEPTH: usize = 16;

/// Reads one JSON object.
///
/// ```
/// use telehash_lob::json;
///
/// let object = json::parse_object(br#"{"type":"link","at":1409414400}"#)?;
/// assert_eq!(object["at"], 1_409_414_400);
/// assert!(json::parse_object(br#"{"at":1,"at":2}"#).is_err());
/// # Ok::<(), json::JsonError>(())
/// ```
///
/// # Errors
///
/// [`JsonError::TooLong`] above [`MAX_JSON_LEN`], [`JsonError::Malformed`] for anything that is not
/// an object, holds a key twice, or nests deeper than [`MAX_JSON_DEPTH`].
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    check_length(text)?;
    let mut deserializer = Deserializer::from_slice(text);
    let object = deserializer.deserialize_map(StrictObject)?;
    deserializer.end()?;
    Ok(object)
}

/// Refuses text above [`MAX_JSON_LEN`].
pub(crate) fn check_length(text: &[u8]) -> Result<(), JsonError> {
    if text.len() > MAX_JSON_LEN {
        return Err(JsonError::TooLong { len: text.len() });
    }
    Ok(())
}

/// Appends `object` as compact JSON, in the order of its entries.
pub(crate) fn write_object(object: &Map<String, Value>, out: &mut Vec<u8>) {
    let mut separator = b'{';
    for (key, value) in object {
        out.push(separator);
        separator = b',';
        write_string(key, |piece| out.extend_from_slice(piece));
        out.push(b':');
        write_value(value, |piece| out.extend_from_slice(piece));
    }
    if separator == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
}

/// Writes `value` as compact JSON, piece by piece.
pub(crate) fn write_value(value: &Value, put: impl FnMut(&[u8])) {
    let mut pieces = Pieces(put);
    // `Pieces` never fails, and neither does the display form of a value.
    let _ = write!(pieces, "{value}");
}

/// Writes `text` as a JSON string, piece by piece: nothing but quotes, backslashes and control
/// characters is escaped, since old peers understand no more than `\"` and `\n`.
pub(crate) fn write_string(text: &str, mut put: impl FnMut(&[u8])) {
    put(b"\"");
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| needs_escape(byte)) {
        let (plain, tail) = rest.split_at(at);
        put(plain);
        if let Some((&byte, tail)) = tail.split_first() {
            write_escape(byte, &mut put);
            rest = tail;
        }
    }
    put(rest);
    put(b"\"");
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escape(byte: u8, mut put: impl FnMut(&[u8])) {
    match byte {
        b'"' => put(b"\\\""),
        b'\\' => put(b"\\\\"),
        b'\n' => put(b"\\n"),
        control => {
            let mut pieces = Pieces(put);
            let _ = write!(pieces, "\\u{control:04x}");
        }
    }
}

/// Lets formatted text go where the pieces go.
struct Pieces<F>(F);

impl<F: FnMut(&[u8])> fmt::Write for Pieces<F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        (self.0)(text.as_bytes());
        Ok(())
    }
}

/// Reads the outermost object.
struct StrictObject;

impl<'de> Visitor<'de> for StrictObject {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        StrictValue::inside_object().object(access)
    }
}

/// Reads one value of at most `levels` nested arrays and objects, refusing keys that come twice.
#[derive(Clone, Copy)]
pub(crate) struct StrictValue {
    levels: usize,
}

impl StrictValue {
    /// For a value directly in the outermost object.
    pub(crate) const fn inside_object() -> Self {
        Self {
            levels: MAX_JSON_DEPTH - 1,
        }
    }

    /// The same for what is in an array or object here.
    fn nested<E: de::Error>(self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels }),
            None => Err(E::custom(format_args!(
                "nested deeper than {MAX_JSON_DEPTH} levels"
            ))),
        }
    }

    /// Reads the entries of an object whose values are `self`.
    fn object<'de, A: MapAccess<'de>>(self, mut access: A) -> Result<Map<String, Value>, A::Error> {
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(self)?;
            insert_once(&mut object, key, value)?;
        }
        Ok(object)
    }
}

/// Adds an entry to `object`, or says that its key is there already.
pub(crate) fn insert_once<E: de::Error>(
    object: &mut Map<String, Value>,
    key: String,
    value: Value,
) -> Result<(), E> {
    if object.contains_key(&key) {
        return Err(duplicate(&key));
    }
    object.insert(key, value);
    Ok(())
}

/// The error for a key that comes twice.
pub(crate) fn duplicate<E: de::Error>(key: &str) -> E {
    E::custom(format_args!("the key {key:?} appears twice"))
}

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let nested = self.nested()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(nested)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        self.nested()?.object(access).map(Value::Object)
    }
}

/// Why bytes are not a JSON object that we accept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is longer than [`MAX_JSON_LEN`].
    #[error("the JSON is {len} bytes long; at most {MAX_JSON_LEN} are accepted")]
    TooLong {
        /// Bytes of the text.
        len: usize,
    },
    /// A packet's head of 1 to 6 bytes, which is binary.
    #[error("the head is {len} bytes of binary; JSON heads have at least {MIN_JSON_HEAD}")]
    BinaryHead {
        /// Bytes of the head.
        len: usize,
    },
    /// Not JSON, not an object, a key twice, or nested deeper than [`MAX_JSON_DEPTH`].
    #[error("the JSON is not acceptable: {0}")]
    Malformed(#[from] serde_json::Error),
}
