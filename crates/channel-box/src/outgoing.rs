//! Messages in packets.

use std::time::Duration;

use bytes::Bytes;
use telehash_runtime::Packet;

use crate::wire::Ask;

/// Most bytes that the fields of a piece take in a packet's head.
const FIELDS: usize = r#","done":true,"x":18446744073709551615"#.len();

/// Cuts a message into packets with room for `quota` bytes without fields.
pub(crate) fn packets(
    message: &Bytes,
    quota: usize,
    keep: Option<Duration>,
) -> impl Iterator<Item = Packet> + Send + '_ {
    let room = quota.saturating_sub(FIELDS).max(1);
    let pieces = message.len().div_ceil(room);
    (0..pieces).map(move |piece| {
        let at = piece * room;
        let body = message.slice(at..message.len().min(at + room));
        if piece + 1 < pieces {
            return Packet::new(body);
        }
        let last = Ask {
            done: true,
            keep,
            ..Ask::default()
        };
        Packet::new(body).head(last.to_head())
    })
}
