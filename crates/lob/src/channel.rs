//! Channel headers: the JSON head of every packet inside an encrypted channel (channels.md), or
//! its CBOR form under `z:1` (packets.md, Payload compression).
//!
//! [`ChannelHeader`] types the fields that every channel packet may have and keeps all others in
//! [`Extra`]. Reading one borrows from the packet and **allocates nothing** as long as the packet
//! has known fields only, its texts contain no escapes and it lists at most
//! [`Misses::INLINE`] misses: the ordinary data packet and its ack.
//!
//! A sender appends the header around a body that it writes itself, so that content is copied
//! once, straight into the transmit buffer:
//!
//! ```
//! use telehash_lob::{ChannelHeader, Compression};
//!
//! let mut header = ChannelHeader::new(2);
//! header.seq = Some(22);
//! let (body, z) = (b"content", Compression::from_z(1).unwrap_or_default());
//! let mut out = Vec::with_capacity(header.encoded_len(body.len(), z));
//! header.encode_head(&mut out, body.len(), z)?;
//! out.extend_from_slice(body);
//! header.encode_tail(&mut out, z);
//! assert_eq!(out.len(), header.encoded_len(body.len(), z));
//! # Ok::<(), telehash_lob::LobError>(())
//! ```

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::ops::Range;

use serde_json::{Map, Value};

use crate::{Compression, JsonError, LobError};

#[cfg(feature = "cbor")]
mod cbor;
#[cfg(feature = "cbor")]
mod cbor_form;
mod fields;
mod json_form;
mod misses;
#[cfg(not(feature = "cbor"))]
mod no_cbor;
mod sink;

pub use misses::{MAX_MISSES, Misses, TooManyMisses};

#[cfg(not(feature = "cbor"))]
use no_cbor as cbor_form;
use sink::Count;

/// The fields of a header that have no member of their own, as the sender ordered them; allocated
/// only if there are any. A member's name in here is never sent.
pub type Extra = Option<Box<Map<String, Value>>>;

/// The head of a channel packet.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelHeader<'a> {
    /// `c`: the channel, never 0 in a received header.
    pub channel: u32,
    /// `type`: what an opening packet opens.
    pub kind: Option<Cow<'a, str>>,
    /// `seq`: this packet's place in a reliable channel, from 1. A 0 is handed on as it came.
    pub seq: Option<u32>,
    /// `ack`: every packet up to this `seq` was accepted.
    pub ack: Option<u32>,
    /// `miss`: the gaps after `ack` and the room behind them, as deltas. An empty list is not sent,
    /// and a received one counts as none.
    pub miss: Option<Misses>,
    /// `end`: the sender's last packet with content.
    pub end: bool,
    /// `frag`: the body goes on in the next packet.
    pub frag: bool,
    /// `err`: the channel failed, and why.
    pub err: Option<Cow<'a, str>>,
    /// All other fields.
    pub extra: Extra,
}

impl<'a> ChannelHeader<'a> {
    /// A header of `channel` with nothing else in it.
    #[must_use]
    pub const fn new(channel: u32) -> Self {
        Self {
            channel,
            kind: None,
            seq: None,
            ack: None,
            miss: None,
            end: false,
            frag: false,
            err: None,
            extra: None,
        }
    }

    /// Reads the header of a decrypted payload, and says where in `payload` the body is.
    ///
    /// For [`Compression::Deflate`] that is the payload which [`Compression::open`] inflated.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] for a payload that is no channel packet: the packet is to be dropped.
    pub fn decode(payload: &'a [u8], z: Compression) -> Result<(Self, Range<usize>), HeaderError> {
        match z {
            Compression::None | Compression::Deflate => json_form::decode(payload),
            Compression::Cbor => cbor_form::decode(payload),
        }
    }

    /// Appends what comes before a body of `body_len` bytes.
    ///
    /// The caller then appends the body and calls [`ChannelHeader::encode_tail`], with the same
    /// `z`; under [`Compression::Deflate`] it lets [`Compression::seal`] have the result.
    ///
    /// # Errors
    ///
    /// [`LobError::HeadTooLong`] if the fields do not fit into a head, [`LobError::NoCbor`] in a
    /// build without the feature; `out` is left as it was.
    pub fn encode_head(
        &self,
        out: &mut Vec<u8>,
        body_len: usize,
        z: Compression,
    ) -> Result<(), LobError> {
        match z {
            Compression::None | Compression::Deflate => json_form::encode_head(self, out),
            Compression::Cbor => cbor_form::encode_head(self, out, body_len),
        }
    }

    /// Appends what comes after the body.
    pub fn encode_tail(&self, out: &mut Vec<u8>, z: Compression) {
        match z {
            Compression::None | Compression::Deflate => {}
            Compression::Cbor => cbor_form::encode_tail(self, out),
        }
    }

    /// Appends the header and its body.
    ///
    /// # Errors
    ///
    /// As [`ChannelHeader::encode_head`].
    pub fn encode_into(
        &self,
        out: &mut Vec<u8>,
        body: &[u8],
        z: Compression,
    ) -> Result<(), LobError> {
        self.encode_head(out, body.len(), z)?;
        out.extend_from_slice(body);
        self.encode_tail(out, z);
        Ok(())
    }

    /// How many bytes head, body and tail take, to the byte; under [`Compression::Deflate`] before
    /// deflating.
    #[must_use]
    pub fn encoded_len(&self, body_len: usize, z: Compression) -> usize {
        let mut count = Count(0);
        match z {
            Compression::None | Compression::Deflate => json_form::count(self, &mut count),
            Compression::Cbor => cbor_form::count(self, body_len, &mut count),
        }
        count.0 + body_len
    }

    /// The same header, owning its texts.
    #[must_use]
    pub fn into_owned(self) -> ChannelHeader<'static> {
        ChannelHeader {
            kind: self.kind.map(|text| Cow::Owned(text.into_owned())),
            err: self.err.map(|text| Cow::Owned(text.into_owned())),
            channel: self.channel,
            seq: self.seq,
            ack: self.ack,
            miss: self.miss,
            end: self.end,
            frag: self.frag,
            extra: self.extra,
        }
    }

    /// The misses, if there is anything to send.
    fn misses(&self) -> Option<&[u32]> {
        self.miss.as_deref().filter(|deltas| !deltas.is_empty())
    }
}

/// Why a payload is no channel packet. Its sender is at fault, except for [`LobError::NoCbor`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Not even a packet.
    #[error(transparent)]
    Lob(#[from] LobError),
    /// Inner packets have a JSON head; this one has none, or a binary one.
    #[error("a channel packet needs a JSON head; this one has {len} bytes of head")]
    NoJsonHead {
        /// Bytes of its head.
        len: usize,
    },
    /// The head is not JSON, or a field has the wrong type, comes twice or is too long.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Under `z:1`: no sequence of the items that belong there.
    #[error("not a CBOR channel packet: {0}")]
    Cbor(String),
    /// `c` is missing or 0.
    #[error("the packet names no channel: `c` is missing or 0")]
    NoChannel,
}
