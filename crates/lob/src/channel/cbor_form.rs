//! Headers as a CBOR sequence, `z:1` (packets.md, Payload compression):
//!
//! ```text
//! uint c, [bytes LOB], [map of text to text or number], [text type], [uint seq], [array ack, miss…]
//! ```
//!
//! The LOB carries the body, and in its JSON head what the other items cannot say: `end`, `frag`,
//! unknown fields that are neither text nor number, and a `miss` without `ack`.

use alloc::{borrow::Cow, boxed::Box, format, string::String, vec::Vec};
use core::ops::Range;

use serde_json::{Map, Number, Value};

use super::{
    ChannelHeader, HeaderError,
    cbor::{Items, Major, put_head, put_number, put_text},
    fields::{Fields, Known},
    json_form::{self, Object},
    sink::{Count, Sink},
};
use crate::{
    HeadKind, Lob, LobError,
    packet::{LENGTH, head_length},
};

/// Reads a payload; its body is the body of the LOB in it.
pub(super) fn decode(payload: &[u8]) -> Result<(ChannelHeader<'_>, Range<usize>), HeaderError> {
    let mut items = Items::new(payload);
    let mut fields = Fields::new();
    let mut body = payload.len()..payload.len();
    fields.header.channel = items.uint()?;
    fields.once(Known::Channel)?;
    if items.next_is(Major::Bytes) {
        let (packet, range) = items.bytes()?;
        body = range.end - read_packet(packet, &mut fields)?..range.end;
    }
    if items.next_is(Major::Map) {
        let scalars = items.scalars()?;
        scalars
            .into_iter()
            .try_for_each(|(name, value)| fields.set_scalar(name, value))?;
    }
    if items.next_is(Major::Text) {
        fields.once(Known::Kind)?;
        fields.header.kind = Some(Cow::Borrowed(items.text()?));
    }
    if items.next_is(Major::Uint) {
        fields.once(Known::Seq)?;
        fields.header.seq = Some(items.uint()?);
    }
    if items.next_is(Major::Array) {
        read_ack(&mut items, &mut fields)?;
    }
    items.end()?;
    Ok((fields.finish()?, body))
}

/// Reads the inner LOB and returns the length of its body.
fn read_packet<'a>(packet: &'a [u8], fields: &mut Fields<'a>) -> Result<usize, HeaderError> {
    let packet = Lob::parse(packet)?;
    match packet.kind() {
        HeadKind::None => {}
        HeadKind::Json => json_form::read_head(packet.head(), fields)?,
        HeadKind::Binary => {
            return Err(HeaderError::NoJsonHead {
                len: packet.head().len(),
            });
        }
    }
    Ok(packet.body().len())
}

fn read_ack<'a>(items: &mut Items<'a>, fields: &mut Fields<'a>) -> Result<(), HeaderError> {
    fields.once(Known::Ack)?;
    let (ack, misses) = items.ack()?;
    fields.header.ack = Some(ack);
    if !misses.is_empty() {
        fields.once(Known::Miss)?;
        fields.header.miss = Some(misses);
    }
    Ok(())
}

impl Fields<'_> {
    /// Notes that a member is there, which must not have come before.
    fn once(&mut self, known: Known) -> Result<(), HeaderError> {
        if self.first(known) {
            Ok(())
        } else {
            Err(twice(known.name()))
        }
    }

    /// Sets a field from an entry of the map.
    fn set_scalar(&mut self, name: String, value: Value) -> Result<(), HeaderError> {
        let Some(known) = Known::from_name(&name) else {
            let extra = self.header.extra.get_or_insert_with(Box::default);
            return match extra.insert(name, value) {
                None => Ok(()),
                Some(_) => Err(twice("a field")),
            };
        };
        self.once(known)?;
        match (known, value) {
            (Known::Kind, Value::String(text)) => self.header.kind = Some(Cow::Owned(text)),
            (Known::Err, Value::String(text)) => self.header.err = Some(Cow::Owned(text)),
            (Known::Seq, Value::Number(number)) => self.header.seq = Some(to_u32(known, &number)?),
            (Known::Ack, Value::Number(number)) => self.header.ack = Some(to_u32(known, &number)?),
            _ => return Err(wrong_type(known)),
        }
        Ok(())
    }
}

fn to_u32(known: Known, number: &Number) -> Result<u32, HeaderError> {
    let number = number
        .as_u64()
        .and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| wrong_type(known))
}

#[cold]
fn wrong_type(known: Known) -> HeaderError {
    HeaderError::Cbor(format!("the type or range of `{}` is wrong", known.name()))
}

#[cold]
fn twice(name: &str) -> HeaderError {
    HeaderError::Cbor(format!("`{name}` appears twice"))
}

/// Appends what comes before the body; `out` is left as it was if the inner head is too long.
pub(super) fn encode_head(
    header: &ChannelHeader<'_>,
    out: &mut Vec<u8>,
    body_len: usize,
) -> Result<(), LobError> {
    let inner = inner_len(header);
    let length = head_length(inner)?;
    put_head(out, Major::Uint, header.channel.into());
    if inner + body_len > 0 {
        put_head(out, Major::Bytes, (LENGTH + inner + body_len) as u64);
        out.put(&length);
        write_inner(header, out);
    }
    Ok(())
}

/// Appends what comes after the body.
pub(super) fn encode_tail(header: &ChannelHeader<'_>, out: &mut impl Sink) {
    write_scalars(header, out);
    if let Some(kind) = &header.kind {
        put_text(out, kind);
    }
    if let Some(seq) = header.seq {
        put_head(out, Major::Uint, seq.into());
    }
    if let Some(ack) = header.ack {
        let deltas = header.misses().unwrap_or_default();
        put_head(out, Major::Array, deltas.len() as u64 + 1);
        put_head(out, Major::Uint, ack.into());
        deltas
            .iter()
            .for_each(|&delta| put_head(out, Major::Uint, delta.into()));
    }
}

/// Counts what [`encode_head`] and [`encode_tail`] append around a body of `body_len` bytes.
pub(super) fn count(header: &ChannelHeader<'_>, body_len: usize, count: &mut Count) {
    put_head(count, Major::Uint, header.channel.into());
    let inner = inner_len(header);
    if inner + body_len > 0 {
        put_head(count, Major::Bytes, (LENGTH + inner + body_len) as u64);
        count.0 += LENGTH + inner;
    }
    encode_tail(header, count);
}

/// Bytes of the inner LOB's head; 0 if the header needs none.
fn inner_len(header: &ChannelHeader<'_>) -> usize {
    let mut count = Count(0);
    write_inner(header, &mut count);
    count.0
}

/// Writes the JSON head of the inner LOB, or nothing if it would be empty.
fn write_inner(header: &ChannelHeader<'_>, out: &mut impl Sink) {
    let lone_misses = header.misses().filter(|_| header.ack.is_none());
    let mut others = extras(header)
        .filter(|(_, value)| !is_scalar(value))
        .peekable();
    if !(header.end || header.frag || lone_misses.is_some() || others.peek().is_some()) {
        return;
    }
    let mut object = Object::new(out);
    if let Some(deltas) = lone_misses {
        object.numbers(b"\"miss\":", deltas);
    }
    object.flags(header);
    others.for_each(|(name, value)| object.value(name, value));
    object.close();
}

/// Writes the map of `err` and of the unknown fields that are text or numbers, if there are any.
fn write_scalars(header: &ChannelHeader<'_>, out: &mut impl Sink) {
    let scalars = || extras(header).filter(|(_, value)| is_scalar(value));
    let entries = scalars().count() + usize::from(header.err.is_some());
    if entries == 0 {
        return;
    }
    put_head(out, Major::Map, entries as u64);
    if let Some(err) = &header.err {
        put_text(out, Known::Err.name());
        put_text(out, err);
    }
    for (name, value) in scalars() {
        put_text(out, name);
        match value {
            Value::Number(number) => put_number(out, number),
            value => put_text(out, value.as_str().unwrap_or_default()),
        }
    }
}

const fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_))
}

/// The unknown fields of a header.
fn extras<'h>(header: &'h ChannelHeader<'_>) -> impl Iterator<Item = (&'h String, &'h Value)> {
    let extra: Option<&Map<_, _>> = header.extra.as_deref();
    extra
        .into_iter()
        .flatten()
        .filter(|(name, _)| Known::from_name(name).is_none())
}
