//! What stands in for the CBOR form in a build without it: a session never agrees on `z:1` then.

use alloc::vec::Vec;
use core::ops::Range;

use super::{ChannelHeader, HeaderError, sink::Count};
use crate::LobError;

pub(super) fn decode(_: &[u8]) -> Result<(ChannelHeader<'_>, Range<usize>), HeaderError> {
    Err(HeaderError::Lob(LobError::NoCbor))
}

pub(super) fn encode_head(
    _: &ChannelHeader<'_>,
    _: &mut Vec<u8>,
    _: usize,
) -> Result<(), LobError> {
    Err(LobError::NoCbor)
}

pub(super) fn encode_tail(_: &ChannelHeader<'_>, _: &mut Vec<u8>) {}

pub(super) fn count(_: &ChannelHeader<'_>, _: usize, _: &mut Count) {}
