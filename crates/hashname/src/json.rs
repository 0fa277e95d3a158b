//! Reading JSON objects from files and peers: bounded in size and depth, no name twice.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of objects and arrays in the JSON that this crate reads, the outermost object
/// included; deeper is refused as [`JsonError::Malformed`].
pub const MAX_JSON_DEPTH: usize = 16;

/// Parses a text that is exactly one JSON object.
pub(crate) fn parse_object(text: &str, max: usize) -> Result<Map<String, Value>, JsonError> {
    check_len(text, max)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let object = ObjectSeed { depth: 0 }.deserialize(&mut json)?;
    json.end()?;
    Ok(object)
}

pub(crate) fn check_len(text: &str, max: usize) -> Result<(), JsonError> {
    match text.len() {
        len if len > max => Err(JsonError::TooLong { len, max }),
        _ => Ok(()),
    }
}

/// Why a text is not a JSON object that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Longer than the limit for its kind.
    #[error("the text has {len} bytes, more than the {max} that are read")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// No JSON, no object, a name twice in one object, or too deep.
    #[error("not a JSON object that can be used: {reason} (line {line}, column {column})")]
    Malformed {
        /// What is wrong.
        reason: String,
        /// Line of the text, counted from 1.
        line: usize,
        /// Column of the text, counted from 1.
        column: usize,
    },
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        // serde_json appends the position, which this error carries separately.
        let reason = error.to_string();
        let position = format!(" at line {line} column {column}");
        let reason = reason.strip_suffix(position.as_str()).unwrap_or(&reason);
        Self::Malformed {
            reason: reason.to_string(),
            line,
            column,
        }
    }
}

/// Reads an object at nesting `depth`, counted from zero.
struct ObjectSeed {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let values = ValueSeed::inside(self.depth)?;
        let mut object = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            refuse_repeated(&name, object.contains_key(&name))?;
            let value = access.next_value_seed(values)?;
            object.insert(name, value);
        }
        Ok(object)
    }
}

pub(crate) fn refuse_repeated<E: de::Error>(name: &str, seen: bool) -> Result<(), E> {
    match seen {
        true => Err(E::custom(format!("the name {name:?} appears twice"))),
        false => Ok(()),
    }
}

/// Reads any value at nesting `depth`.
#[derive(Clone, Copy)]
pub(crate) struct ValueSeed {
    depth: usize,
}

impl ValueSeed {
    /// Reads the values inside an object or array at nesting `depth`.
    pub(crate) fn inside<E: de::Error>(depth: usize) -> Result<Self, E> {
        match depth < MAX_JSON_DEPTH {
            true => Ok(Self { depth: depth + 1 }),
            false => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number out of range"))?;
        Ok(number.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let values = Self::inside(self.depth)?;
        let mut array = Vec::new();
        while let Some(value) = access.next_element_seed(values)? {
            array.push(value);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let object = ObjectSeed { depth: self.depth };
        object.visit_map(access).map(Value::Object)
    }
}
