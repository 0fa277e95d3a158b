//! Parts of messages, as they travel.

use bytes::Bytes;

use crate::close::CloseFrame;

/// Limit: bytes of a ping or pong. A longer one cannot be sent, and breaks the protocol when received.
pub const MAX_CONTROL: usize = 125;

/// What a [`PieceSocket`](crate::PieceSocket) carries: parts of messages, and what may come between
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// A part of a message.
    Data(Data),
    /// Asks for a pong with the same bytes, at most [`MAX_CONTROL`].
    Ping(Bytes),
    /// Answers a ping.
    Pong(Bytes),
    /// The last of its direction.
    Close(Option<CloseFrame>),
}

/// A part of a message. Pieces are bytes of the message as they come to hand; where they begin and
/// end means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// The message is text. Sent: the first piece decides. Received: known from the first piece on,
    /// but for peers that say it with the last one only.
    pub text: bool,
    /// Bytes of the message; a piece of text may end within a character.
    pub bytes: Bytes,
    /// It is the last piece of its message.
    pub last: bool,
}
