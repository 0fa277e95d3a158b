//! Reading a head off a channel.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use telehash_channel_stream::ByteReader;

use crate::error::HeadError;
use crate::head;

/// Limit: how long a request's head may take from the opening packet on. A slower one gets 408.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no head.
pub(crate) enum ReadError {
    /// What came is none.
    Head(HeadError),
    /// The peer ended before it was complete.
    Ended,
    /// The channel failed.
    Channel(io::Error),
}

/// Reads until the head is complete, of which `first` is the beginning: its JSON, and what came of the
/// body with it.
pub(crate) async fn head(
    first: Bytes,
    reader: &mut ByteReader,
) -> Result<(Bytes, Bytes), ReadError> {
    let mut bytes = first;
    loop {
        let length = head::length(&bytes).map_err(ReadError::Head)?;
        if let Some(end) = length.map(|length| head::PREFIX + length)
            && bytes.len() >= end
        {
            let body = bytes.split_off(end);
            return Ok((bytes.slice(head::PREFIX..), body));
        }
        let next = reader.chunk().await.map_err(ReadError::Channel)?;
        let next = next.ok_or(ReadError::Ended)?;
        bytes = joined(bytes, &next);
    }
}

/// No more than a head and a packet.
fn joined(bytes: Bytes, next: &[u8]) -> Bytes {
    let mut joined = bytes
        .try_into_mut()
        .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    joined.extend_from_slice(next);
    joined.freeze()
}
