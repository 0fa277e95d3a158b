//! Payload compression: what the `z` of both link handshakes switches on (packets.md, Payload
//! compression).
//!
//! It applies to decrypted channel payloads, never to handshakes, and is fixed for the life of a
//! session. [`Compression::Cbor`] is another notation of the [channel header](crate::channel);
//! [`Compression::Deflate`] is a wrapping around the whole packet, put on and taken off here:
//!
//! ```
//! use telehash_lob::{ChannelHeader, Compression};
//!
//! let z = Compression::from_z(1).unwrap_or_default();
//! // Sending: append the header and the body, then seal what was appended.
//! let mut out = b"room in front".to_vec();
//! let from = out.len();
//! ChannelHeader::new(1).encode_into(&mut out, b"content", z)?;
//! z.seal(&mut out, from)?;
//! // Receiving: open the payload, then read the header.
//! let payload = z.open(&out[from..])?;
//! let (header, body) = ChannelHeader::decode(&payload, z)?;
//! assert_eq!((header.channel, &payload[body]), (1, &b"content"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::{borrow::Cow, vec::Vec};

/// Longest payload that [`Compression::open`] inflates to, in bytes; a longer one is refused
/// without being held.
pub const MAX_INFLATED: usize = 65_535;

/// How the payloads of a session are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// `z:0` or no `z`: plain packets.
    #[default]
    None,
    /// `z:1`: channel headers as a CBOR sequence. Needs the feature `cbor`: without it
    /// [`Compression::from_z`] never names it, and headers in it are refused.
    Cbor,
    /// `z:2`: raw DEFLATE of the packet. Needs the feature `deflate`.
    ///
    /// Compressing before encrypting tells an observer how well the content compresses: where an
    /// attacker can mix chosen text into secret content, that leaks the secret. Hence the feature
    /// is off by default.
    Deflate,
}

impl Compression {
    /// The compression that a handshake's `z` names; nothing for one that this build lacks.
    #[must_use]
    pub const fn from_z(z: u64) -> Option<Self> {
        match z {
            0 => Some(Self::None),
            1 if cfg!(feature = "cbor") => Some(Self::Cbor),
            2 if cfg!(feature = "deflate") => Some(Self::Deflate),
            _ => None,
        }
    }

    /// The `z` of a handshake that offers this; 0 is sent as no `z` at all.
    #[must_use]
    pub const fn z(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Cbor => 1,
            Self::Deflate => 2,
        }
    }

    /// Takes the wrapping off a received payload: inflates for [`Compression::Deflate`], returns
    /// the payload itself for the others.
    ///
    /// # Errors
    ///
    /// [`CompressError::Inflate`] for what is not a DEFLATE stream or would grow beyond
    /// [`MAX_INFLATED`]; [`CompressError::Unsupported`] without the feature.
    pub fn open(self, payload: &[u8]) -> Result<Cow<'_, [u8]>, CompressError> {
        match self {
            Self::None | Self::Cbor => Ok(Cow::Borrowed(payload)),
            Self::Deflate => deflate::inflate(payload).map(Cow::Owned),
        }
    }

    /// Puts the wrapping on a payload in `out[from..]`: deflates it for [`Compression::Deflate`],
    /// leaves it alone for the others.
    ///
    /// # Errors
    ///
    /// [`CompressError::TooLong`] for more than the receiver may inflate, [`MAX_INFLATED`];
    /// [`CompressError::Unsupported`] without the feature.
    pub fn seal(self, out: &mut Vec<u8>, from: usize) -> Result<(), CompressError> {
        match self {
            Self::None | Self::Cbor => Ok(()),
            Self::Deflate => deflate::deflate(out, from),
        }
    }
}

#[cfg(feature = "deflate")]
mod deflate {
    use alloc::vec::Vec;

    use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};

    use super::{CompressError, MAX_INFLATED};

    /// The level at which DEFLATE stops getting much smaller and goes on getting slower.
    const LEVEL: u8 = 6;

    pub(super) fn inflate(payload: &[u8]) -> Result<Vec<u8>, CompressError> {
        decompress_to_vec_with_limit(payload, MAX_INFLATED).map_err(|_| CompressError::Inflate)
    }

    pub(super) fn deflate(out: &mut Vec<u8>, from: usize) -> Result<(), CompressError> {
        let payload = out.get(from..).unwrap_or_default();
        if payload.len() > MAX_INFLATED {
            return Err(CompressError::TooLong { len: payload.len() });
        }
        let deflated = compress_to_vec(payload, LEVEL);
        out.truncate(from);
        out.extend_from_slice(&deflated);
        Ok(())
    }
}

#[cfg(not(feature = "deflate"))]
mod deflate {
    use alloc::vec::Vec;

    use super::CompressError;

    pub(super) fn inflate(_: &[u8]) -> Result<Vec<u8>, CompressError> {
        Err(CompressError::Unsupported)
    }

    pub(super) fn deflate(_: &mut Vec<u8>, _: usize) -> Result<(), CompressError> {
        Err(CompressError::Unsupported)
    }
}

/// Why a payload cannot be wrapped or unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// Received: not one DEFLATE stream of at most [`MAX_INFLATED`] bytes.
    #[error("the payload does not inflate to a packet of at most {MAX_INFLATED} bytes")]
    Inflate,
    /// Sending: longer than what a receiver accepts.
    #[error("a payload of {len} bytes is too long to deflate: receivers take {MAX_INFLATED}")]
    TooLong {
        /// Bytes of the payload.
        len: usize,
    },
    /// This build lacks the feature.
    #[error("this build cannot deflate: enable the feature `deflate` of telehash-lob")]
    Unsupported,
}
