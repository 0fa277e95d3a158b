//! Collecting the fields of a header, each at most once, from whatever notation they come in.

use alloc::{borrow::Cow, boxed::Box, string::String};
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::{ChannelHeader, Extra, HeaderError, misses::MissesSeed};
use crate::json::{StrictValue, duplicate, insert_once};

/// The names of the members of [`ChannelHeader`]; every other name goes to its `extra`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Channel,
    Kind,
    Seq,
    Ack,
    Miss,
    End,
    Frag,
    Err,
}

impl Known {
    /// The member of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "c" => Self::Channel,
            "type" => Self::Kind,
            "seq" => Self::Seq,
            "ack" => Self::Ack,
            "miss" => Self::Miss,
            "end" => Self::End,
            "frag" => Self::Frag,
            "err" => Self::Err,
            _ => return None,
        })
    }

    /// The name of this member.
    #[cfg(feature = "cbor")]
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Channel => "c",
            Self::Kind => "type",
            Self::Seq => "seq",
            Self::Ack => "ack",
            Self::Miss => "miss",
            Self::End => "end",
            Self::Frag => "frag",
            Self::Err => "err",
        }
    }
}

/// A header being read, and which of its members were there already.
pub(super) struct Fields<'a> {
    pub(super) header: ChannelHeader<'a>,
    seen: u8,
}

impl<'a> Fields<'a> {
    pub(super) const fn new() -> Self {
        Self {
            header: ChannelHeader::new(0),
            seen: 0,
        }
    }

    /// Notes that a member is there, or says that it came before.
    pub(super) fn first(&mut self, known: Known) -> bool {
        let bit = 1 << known as u8;
        let first = self.seen & bit == 0;
        self.seen |= bit;
        first
    }

    /// The finished header, which must name a channel.
    pub(super) fn finish(mut self) -> Result<ChannelHeader<'a>, HeaderError> {
        if self.header.channel == 0 {
            return Err(HeaderError::NoChannel);
        }
        if self.header.misses().is_none() {
            self.header.miss = None;
        }
        Ok(self.header)
    }

    /// Reads the value of a member.
    fn read<A: MapAccess<'a>>(&mut self, known: Known, access: &mut A) -> Result<(), A::Error> {
        let header = &mut self.header;
        match known {
            Known::Channel => header.channel = access.next_value()?,
            Known::Seq => header.seq = Some(access.next_value()?),
            Known::Ack => header.ack = Some(access.next_value()?),
            Known::End => header.end = access.next_value()?,
            Known::Frag => header.frag = access.next_value()?,
            Known::Miss => header.miss = Some(access.next_value_seed(MissesSeed)?),
            Known::Kind => header.kind = Some(access.next_value_seed(Text)?),
            Known::Err => header.err = Some(access.next_value_seed(Text)?),
        }
        Ok(())
    }
}

/// Adds a field that is no member.
pub(super) fn add_extra<E: Error>(extra: &mut Extra, key: String, value: Value) -> Result<(), E> {
    insert_once(extra.get_or_insert_with(Box::default), key, value)
}

/// Fills in the fields of one JSON object.
impl<'de> Visitor<'de> for &mut Fields<'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a channel header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while let Some(name) = access.next_key_seed(Text)? {
            match Known::from_name(&name) {
                Some(known) if self.first(known) => self.read(known, &mut access)?,
                Some(_) => return Err(duplicate(&name)),
                None => {
                    let value = access.next_value_seed(StrictValue::inside_object())?;
                    add_extra(&mut self.header.extra, name.into_owned(), value)?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a text, borrowed where it stands there as it is.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.into()))
    }
}
