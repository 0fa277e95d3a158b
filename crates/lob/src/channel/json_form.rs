//! Headers as JSON heads, `z:0`.

use alloc::vec::Vec;
use core::ops::Range;

use serde::de::Deserializer as _;

use super::{
    ChannelHeader, HeaderError,
    fields::{Fields, Known},
    sink::{Count, Sink},
};
use crate::{
    HeadKind, JsonError, Lob, LobError, json,
    packet::{LENGTH, head_length},
};

/// Reads a packet's header; the body is what follows its head.
pub(super) fn decode(payload: &[u8]) -> Result<(ChannelHeader<'_>, Range<usize>), HeaderError> {
    let packet = Lob::parse(payload)?;
    if packet.kind() != HeadKind::Json {
        return Err(HeaderError::NoJsonHead {
            len: packet.head().len(),
        });
    }
    let mut fields = Fields::new();
    read_head(packet.head(), &mut fields)?;
    Ok((
        fields.finish()?,
        LENGTH + packet.head().len()..payload.len(),
    ))
}

/// Adds the fields of a JSON head to `fields`.
pub(super) fn read_head<'a>(head: &'a [u8], fields: &mut Fields<'a>) -> Result<(), JsonError> {
    json::check_length(head)?;
    let mut deserializer = serde_json::Deserializer::from_slice(head);
    deserializer.deserialize_map(fields)?;
    deserializer.end()?;
    Ok(())
}

/// Appends LENGTH and head; `out` is left as it was if the head is too long.
pub(super) fn encode_head(header: &ChannelHeader<'_>, out: &mut Vec<u8>) -> Result<(), LobError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    write(header, out);
    let length = head_length(out.len() - start - LENGTH).inspect_err(|_| out.truncate(start))?;
    // `start` is where LENGTH was put above, so the range is there.
    if let Some(field) = out.get_mut(start..start + LENGTH) {
        field.copy_from_slice(&length);
    }
    Ok(())
}

/// Counts what [`encode_head`] appends.
pub(super) fn count(header: &ChannelHeader<'_>, count: &mut Count) {
    count.0 += LENGTH;
    write(header, count);
}

/// Writes all fields as one JSON object.
fn write(header: &ChannelHeader<'_>, out: &mut impl Sink) {
    let mut object = Object::new(out);
    if let Some(kind) = &header.kind {
        object.text(b"\"type\":", kind);
    }
    object.number(b"\"c\":", header.channel);
    if let Some(seq) = header.seq {
        object.number(b"\"seq\":", seq);
    }
    if let Some(ack) = header.ack {
        object.number(b"\"ack\":", ack);
    }
    if let Some(deltas) = header.misses() {
        object.numbers(b"\"miss\":", deltas);
    }
    object.flags(header);
    if let Some(err) = &header.err {
        object.text(b"\"err\":", err);
    }
    for (name, value) in header.extra.iter().flat_map(|extra| extra.iter()) {
        if Known::from_name(name).is_none() {
            object.value(name, value);
        }
    }
    object.close();
}

/// Writes the members of a JSON object.
pub(super) struct Object<'s, S> {
    out: &'s mut S,
    /// What comes before the next member.
    before: &'static [u8],
}

impl<'s, S: Sink> Object<'s, S> {
    pub(super) const fn new(out: &'s mut S) -> Self {
        Self { out, before: b"{" }
    }

    /// Starts a member; its name stands there quoted and with a colon.
    fn name(&mut self, name: &[u8]) {
        self.out.put(self.before);
        self.out.put(name);
        self.before = b",";
    }

    fn number(&mut self, name: &[u8], number: u32) {
        self.name(name);
        self.out.put_decimal(number);
    }

    pub(super) fn numbers(&mut self, name: &[u8], numbers: &[u32]) {
        self.name(name);
        let mut before = b"[";
        for &number in numbers {
            self.out.put(before);
            self.out.put_decimal(number);
            before = b",";
        }
        self.out.put(b"]");
    }

    fn text(&mut self, name: &[u8], text: &str) {
        self.name(name);
        json::write_string(text, |piece| self.out.put(piece));
    }

    /// `end` and `frag`, which are there only when true.
    pub(super) fn flags(&mut self, header: &ChannelHeader<'_>) {
        if header.end {
            self.name(b"\"end\":true");
        }
        if header.frag {
            self.name(b"\"frag\":true");
        }
    }

    pub(super) fn value(&mut self, name: &str, value: &serde_json::Value) {
        self.out.put(self.before);
        self.before = b",";
        json::write_string(name, |piece| self.out.put(piece));
        self.out.put(b":");
        json::write_value(value, |piece| self.out.put(piece));
    }

    /// Ends the object, which has at least one member.
    pub(super) fn close(self) {
        self.out.put(b"}");
    }
}
