//! The telehash packet codec: [LOB packets](Lob), [channel headers](channel), [chunking](chunk),
//! [cloaking](cloak) and [payload compression](compress).
//!
//! It implements "packets.md" of the protocol notes: pure functions and small state machines over
//! bytes, without clocks, sockets or randomness of their own.
//!
//! A packet is a head and a body behind a length. What travels inside an encrypted channel has a
//! JSON head with a handful of known fields, the [`ChannelHeader`]:
//!
//! ```
//! use telehash_lob::{ChannelHeader, Compression, Lob, cloak};
//!
//! // A packet of channel 1 with five bytes of content.
//! let mut header = ChannelHeader::new(1);
//! header.seq = Some(22);
//! header.ack = Some(20);
//! let mut packet = Vec::new();
//! header.encode_into(&mut packet, b"hello", Compression::None)?;
//! assert_eq!(Lob::parse(&packet)?.head(), br#"{"c":1,"seq":22,"ack":20}"#);
//!
//! // Its reader borrows everything from the packet.
//! let (read, body) = ChannelHeader::decode(&packet, Compression::None)?;
//! assert_eq!((read.channel, read.seq, &packet[body]), (1, Some(22), &b"hello"[..]));
//!
//! // On the wire a packet is cloaked: it looks like noise from the first byte on.
//! let mut wire = cloak::make_nonce(*b"8 random").to_vec();
//! wire.extend_from_slice(&packet);
//! cloak::cloak_in_place(&mut wire);
//! let offset = cloak::decloak_in_place(&mut wire, &mut cloak::WorkBudget::default())?;
//! assert_eq!(wire[offset..], packet);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `std` | yes | links the standard library; the crate is `no_std` + `alloc` without it |
//! | `cbor` | yes | payload compression `z:1` |
//! | `deflate` | no | payload compression `z:2`; it leaks the length of what it compresses |
//! | `fuzzing` | no | the bodies of the fuzz targets |

#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod channel;
pub mod chunk;
pub mod cloak;
pub mod compress;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod json;
mod packet;

pub use channel::{ChannelHeader, Extra, HeaderError, Misses};
pub use compress::Compression;
pub use json::JsonError;
pub use packet::{
    HeadKind, Lob, LobError, MAX_HEAD, MIN_JSON_HEAD, encode, encode_into, encode_json,
};
