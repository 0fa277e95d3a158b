//! The outside of packets: what can be read without any key.

use alloc::vec::Vec;

use telehash_hashname::Csid;

use crate::Token;

/// What an uncloaked packet is, from its first bytes (cipher-sets.md, Common to all).
///
/// Outer packets are LOBs without JSON: a message has one byte of HEAD, the csid; a channel packet
/// has none and its BODY begins with the recipient's token. Both therefore begin with a zero byte,
/// and looking costs no parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer<'a> {
    /// A message, most often of a handshake: give `body` to
    /// [`LocalKey::open`](crate::LocalKey::open) of that csid.
    Message {
        /// The cipher set it is encrypted with.
        csid: Csid,
        /// The BODY.
        body: &'a [u8],
    },
    /// A channel packet: give the *whole* packet to [`Session::open`](crate::Session::open) of the
    /// session with that token.
    Channel {
        /// The token of its recipient.
        token: Token,
    },
}

impl<'a> Outer<'a> {
    /// Looks at a complete packet; `None` if it is neither, or too short to tell.
    #[must_use]
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        match packet {
            [0, 1, csid, body @ ..] => Some(Self::Message {
                csid: Csid::new(*csid)?,
                body,
            }),
            [0, 0, body @ ..] => Some(Self::Channel {
                token: Token::from_bytes(*body.first_chunk()?),
            }),
            _ => None,
        }
    }
}

/// Bytes of an outer message packet before its BODY: LENGTH and the csid.
pub const MESSAGE_HEAD_LEN: usize = 3;

/// Begins an outer message packet, for implementations of cipher sets: what comes before the BODY,
/// with capacity for `body_len` bytes of it.
#[must_use]
pub fn message_head(csid: Csid, body_len: usize) -> Vec<u8> {
    let mut packet = Vec::with_capacity(MESSAGE_HEAD_LEN + body_len);
    packet.extend_from_slice(&[0, 1, csid.as_u8()]);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_csid_as_head() {
        let packet = [0, 1, 0x3a, 7, 8];
        assert_eq!(
            Outer::parse(&packet),
            Some(Outer::Message {
                csid: Csid::CS3A,
                body: &[7, 8]
            })
        );
    }

    #[test]
    fn what_message_head_writes_parses_as_a_message() {
        let packet = message_head(Csid::CS42, 10);
        assert_eq!(packet.len(), MESSAGE_HEAD_LEN);
        assert_eq!(
            Outer::parse(&packet),
            Some(Outer::Message {
                csid: Csid::CS42,
                body: &[]
            })
        );
    }

    #[test]
    fn a_channel_packet_begins_with_its_token() {
        let mut packet = [9; 20];
        packet[..2].fill(0);
        assert_eq!(
            Outer::parse(&packet),
            Some(Outer::Channel {
                token: Token::from_bytes([9; 16])
            })
        );
        assert_eq!(Outer::parse(&packet[..17]), None);
    }

    #[test]
    fn anything_else_is_no_outer_packet() {
        for packet in [
            &[][..],
            &[0],
            &[0, 1],
            &[0, 1, 0],
            &[0, 2, 0x3a, 0x3a],
            &[1, 0, 5],
            &[0, 9, b'{'],
        ] {
            assert_eq!(Outer::parse(packet), None, "{packet:?}");
        }
    }
}
