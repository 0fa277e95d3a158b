//! CBOR items, one after the other; the only module that knows serde_cbor.
//!
//! serde_cbor decodes the items. It is lenient where packets.md is not, so every item is checked to
//! be of definite length and as short as it can be: its length on the wire must be the length that
//! we would write. That also rules out tags, which serde_cbor skips.

use alloc::{format, string::String};
use core::{fmt, marker::PhantomData, ops::Range};

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_cbor::Deserializer;
use serde_json::{Map, Number, Value};

use super::{
    HeaderError,
    misses::{Misses, MissesSeed},
    sink::Sink,
};
use crate::json::insert_once;

/// The major types of the items in a payload: the top three bits of their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Major {
    Uint = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
}

/// The low five bits of the first byte of an item that says its own length at its end.
const INDEFINITE: u8 = 31;

/// Walks the items of a payload.
pub(super) struct Items<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Items<'a> {
    pub(super) const fn new(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }

    /// Whether the next item is there, of this type and of definite length.
    pub(super) fn next_is(&self, major: Major) -> bool {
        self.payload
            .get(self.at)
            .is_some_and(|&first| first >> 5 == major as u8 && first & 31 != INDEFINITE)
    }

    /// Reads an unsigned integer.
    pub(super) fn uint(&mut self) -> Result<u32, HeaderError> {
        if !self.next_is(Major::Uint) {
            return Err(self.fault("an unsigned integer should be here"));
        }
        self.item(PhantomData::<u32>, |&number| head_len(number.into()))
    }

    /// Reads a text.
    pub(super) fn text(&mut self) -> Result<&'a str, HeaderError> {
        self.item(PhantomData::<&str>, |text| string_len(text.len()))
    }

    /// Reads a byte string, and says where in the payload its content is.
    pub(super) fn bytes(&mut self) -> Result<(&'a [u8], Range<usize>), HeaderError> {
        let bytes = self.item(PhantomData::<&[u8]>, |bytes| string_len(bytes.len()))?;
        Ok((bytes, self.at - bytes.len()..self.at))
    }

    /// Reads the array of an ack and its misses.
    pub(super) fn ack(&mut self) -> Result<(u32, Misses), HeaderError> {
        self.item(AckSeed, |(ack, misses)| {
            let numbers = misses.iter().copied().chain([*ack]);
            head_len(misses.len() as u64 + 1) + numbers.map(|n| head_len(n.into())).sum::<usize>()
        })
    }

    /// Reads a map of text to text or number.
    pub(super) fn scalars(&mut self) -> Result<Map<String, Value>, HeaderError> {
        let start = self.at;
        let map = self.item_unchecked(ScalarsSeed)?;
        let shortest = serde_cbor::to_vec(&map).map_err(|error| self.fault(error))?;
        if self.payload.get(start..self.at) != Some(&shortest) {
            return Err(self.fault("the map before this is not in its shortest form"));
        }
        Ok(map)
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&self) -> Result<(), HeaderError> {
        if self.at < self.payload.len() {
            return Err(self.fault("no such item belongs here"));
        }
        Ok(())
    }

    /// Reads an item which `shortest` knows the length of.
    fn item<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
        shortest: impl FnOnce(&S::Value) -> usize,
    ) -> Result<S::Value, HeaderError> {
        let start = self.at;
        let value = self.item_unchecked(seed)?;
        if self.at - start != shortest(&value) {
            return Err(self.fault("the item before this is not in its shortest form"));
        }
        Ok(value)
    }

    fn item_unchecked<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, HeaderError> {
        let rest = self.payload.get(self.at..).unwrap_or_default();
        let mut deserializer = Deserializer::from_slice(rest);
        let value = seed
            .deserialize(&mut deserializer)
            .map_err(|error| self.fault(error))?;
        self.at += deserializer.byte_offset();
        Ok(value)
    }

    /// What is wrong at the current position.
    #[cold]
    fn fault(&self, what: impl fmt::Display) -> HeaderError {
        HeaderError::Cbor(format!(
            "{what} (at byte {} of {})",
            self.at,
            self.payload.len()
        ))
    }
}

/// Bytes of an item's head with this argument.
const fn head_len(argument: u64) -> usize {
    match argument {
        0..24 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Bytes of a text or byte string of `len` bytes.
const fn string_len(len: usize) -> usize {
    head_len(len as u64) + len
}

/// Writes the head of an item: its type and its value or length.
pub(super) fn put_head(out: &mut impl Sink, major: Major, argument: u64) {
    let first = (major as u8) << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..24 => out.put(&[first | bytes[7]]),
        24..=0xff => out.put(&[first | 24, bytes[7]]),
        0x100..=0xffff => out.put(&[first | 25, bytes[6], bytes[7]]),
        0x1_0000..=0xffff_ffff => {
            out.put(&[first | 26, bytes[4], bytes[5], bytes[6], bytes[7]]);
        }
        _ => {
            out.put(&[first | 27]);
            out.put(&bytes);
        }
    }
}

/// Writes a text.
pub(super) fn put_text(out: &mut impl Sink, text: &str) {
    put_head(out, Major::Text, text.len() as u64);
    out.put(text.as_bytes());
}

/// Writes a number in its shortest form.
pub(super) fn put_number(out: &mut impl Sink, number: &Number) {
    if let Some(number) = number.as_u64() {
        put_head(out, Major::Uint, number);
    } else if let Some(number) = number.as_i64() {
        // -1 - n, as CBOR stores a negative number, is the complement.
        put_head(out, Major::Negative, !number as u64);
    } else {
        let float = serde_cbor::to_vec(number).expect("writing a float to a Vec cannot fail");
        out.put(&float);
    }
}

/// Reads `[ack, miss deltas…]`.
struct AckSeed;

impl<'de> DeserializeSeed<'de> for AckSeed {
    type Value = (u32, Misses);

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for AckSeed {
    type Value = (u32, Misses);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of an ack and its misses")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let ack = access
            .next_element()?
            .ok_or_else(|| A::Error::custom("an ack is missing"))?;
        Ok((ack, MissesSeed.visit_seq(access)?))
    }
}

/// Reads a map of text to text or number.
struct ScalarsSeed;

impl<'de> DeserializeSeed<'de> for ScalarsSeed {
    type Value = Map<String, Value>;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ScalarsSeed {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of text to text or number")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key()? {
            insert_once(&mut map, key, access.next_value_seed(Scalar)?)?;
        }
        Ok(map)
    }
}

/// Reads a text or a number.
struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl Visitor<'_> for Scalar {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }
}
