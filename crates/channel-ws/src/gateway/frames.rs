//! Frames of RFC 6455, in pieces as they come.

use std::io::{self, Cursor};

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data as DataCode, OpCode};

use crate::close::{CloseCode, CloseFrame};
use crate::error::WsError;
use crate::piece::{Data, MAX_CONTROL, Piece};

/// Limit: bytes that are read ahead of what was passed on; at the limit the local side is read no
/// further.
pub(super) const READ_CAPACITY: usize = 32 * 1024;

/// Which end of a WebSocket on TCP we are. Clients mask what they send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// What is wrong on the TCP side.
#[derive(Debug, Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the local side broke the protocol: {0}")]
    Protocol(&'static str),
    #[error(transparent)]
    Close(#[from] WsError),
}

impl FrameError {
    /// The code by which the local side hears of it.
    pub(super) fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Io(_) => None,
            Self::Protocol(_) => Some(CloseCode::PROTOCOL),
            Self::Close(error) => error.close_code(),
        }
    }
}

/// Reads frames.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    io: R,
    role: Role,
    buffer: BytesMut,
    /// The data frame whose payload is being read.
    open: Option<Open>,
    /// A message was begun; it is text.
    message: Option<bool>,
}

#[derive(Debug)]
struct Open {
    left: u64,
    last: bool,
    mask: Mask,
}

/// Where in the key the next byte is.
#[derive(Clone, Copy, Debug)]
struct Mask {
    key: [u8; 4],
    at: usize,
}

impl Mask {
    fn apply(&mut self, bytes: &mut [u8]) {
        let key = self.key.iter().cycle().skip(self.at);
        for (byte, key) in bytes.iter_mut().zip(key) {
            *byte ^= key;
        }
        self.at = (self.at + bytes.len()) % self.key.len();
    }
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(io: R, role: Role) -> Self {
        Self {
            io,
            role,
            buffer: BytesMut::with_capacity(READ_CAPACITY),
            open: None,
            message: None,
        }
    }

    /// The next piece; `None` if the connection ends between frames, without a close.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, FrameError> {
        loop {
            if let Some(piece) = self.parse()? {
                return Ok(Some(piece));
            }
            self.buffer.reserve(READ_CAPACITY);
            let mut limited = (&mut self.io).take(READ_CAPACITY as u64);
            if limited.read_buf(&mut self.buffer).await? == 0 {
                let between = self.buffer.is_empty() && self.open.is_none();
                return if between {
                    Ok(None)
                } else {
                    Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
                };
            }
        }
    }

    /// The next piece of what is there.
    fn parse(&mut self) -> Result<Option<Piece>, FrameError> {
        if let Some(open) = self.open.take() {
            return Ok(self.payload(open));
        }
        let mut cursor = Cursor::new(&self.buffer[..]);
        let parsed = FrameHeader::parse(&mut cursor);
        let parsed = parsed.map_err(|_| FrameError::Protocol("an unknown kind of frame"))?;
        let Some((header, len)) = parsed else {
            return Ok(None);
        };
        let head_len = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        self.check(&header)?;
        let mask = Mask {
            key: header.mask.unwrap_or_default(),
            at: 0,
        };
        match header.opcode {
            OpCode::Control(kind) => self.control(kind, &header, head_len, len, mask),
            OpCode::Data(kind) => {
                self.begin(kind)?;
                self.buffer.advance(head_len);
                let last = header.is_final;
                let left = len;
                Ok(self.payload(Open { left, last, mask }))
            }
        }
    }

    fn check(&self, header: &FrameHeader) -> Result<(), FrameError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(FrameError::Protocol("an extension that was not agreed on"));
        }
        if header.mask.is_some() != (self.role == Role::Server) {
            return Err(FrameError::Protocol("clients mask, servers do not"));
        }
        Ok(())
    }

    /// A data frame begins.
    fn begin(&mut self, kind: DataCode) -> Result<(), FrameError> {
        let (begun, continues) = (self.message.is_some(), kind == DataCode::Continue);
        if begun != continues {
            return Err(FrameError::Protocol("a message within another, or none"));
        }
        if !begun {
            self.message = Some(kind == DataCode::Text);
        }
        Ok(())
    }

    /// What is there of a data frame.
    fn payload(&mut self, mut open: Open) -> Option<Piece> {
        let there = usize::try_from(open.left).unwrap_or(usize::MAX);
        let mut bytes = self.buffer.split_to(there.min(self.buffer.len()));
        open.mask.apply(&mut bytes);
        open.left -= bytes.len() as u64;
        let (whole, text) = (open.left == 0, self.message.unwrap_or(false));
        let last = whole && open.last;
        if last {
            self.message = None;
        }
        if !whole {
            let nothing = bytes.is_empty();
            self.open = Some(open);
            if nothing {
                return None;
            }
        }
        let bytes = bytes.freeze();
        Some(Piece::Data(Data { text, bytes, last }))
    }

    fn control(
        &mut self,
        kind: Control,
        header: &FrameHeader,
        head_len: usize,
        len: u64,
        mut mask: Mask,
    ) -> Result<Option<Piece>, FrameError> {
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_CONTROL);
        let len = len.filter(|_| header.is_final);
        let len = len.ok_or(FrameError::Protocol("a control frame that is too long"))?;
        if self.buffer.len() < head_len + len {
            return Ok(None);
        }
        self.buffer.advance(head_len);
        let mut bytes = self.buffer.split_to(len);
        mask.apply(&mut bytes);
        let bytes = bytes.freeze();
        Ok(Some(match kind {
            Control::Ping => Piece::Ping(bytes),
            Control::Pong => Piece::Pong(bytes),
            _ => Piece::Close(close(&bytes)?),
        }))
    }
}

fn close(bytes: &[u8]) -> Result<Option<CloseFrame>, FrameError> {
    let Some((code, reason)) = bytes.split_first_chunk() else {
        let empty = FrameError::Protocol("a close with half a code");
        return if bytes.is_empty() {
            Ok(None)
        } else {
            Err(empty)
        };
    };
    let code = CloseCode::new(u16::from_be_bytes(*code))?;
    let reason = str::from_utf8(reason).map_err(|_| WsError::NotUtf8)?;
    Ok(Some(CloseFrame::new(code, reason)))
}

/// Writes frames.
#[derive(Debug)]
pub(super) struct FrameWriter<W> {
    io: BufWriter<W>,
    role: Role,
    /// A message was begun; it is text.
    begun: Option<bool>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(super) fn new(io: W, role: Role) -> Self {
        Self {
            io: BufWriter::with_capacity(READ_CAPACITY, io),
            role,
            begun: None,
        }
    }

    /// Whether this says too late that its message is text.
    pub(super) fn is_late(&self, data: &Data) -> bool {
        data.text && self.begun == Some(false)
    }

    /// Writes one frame; [`flush`](Self::flush) sends it.
    pub(super) async fn write(&mut self, piece: Piece) -> io::Result<()> {
        let (opcode, bytes, last) = match piece {
            Piece::Data(data) => {
                let kind = match (self.begun, data.text) {
                    (Some(_), _) => DataCode::Continue,
                    (None, true) => DataCode::Text,
                    (None, false) => DataCode::Binary,
                };
                let text = self.begun.unwrap_or(data.text);
                self.begun = (!data.last).then_some(text);
                (OpCode::Data(kind), data.bytes, data.last)
            }
            Piece::Ping(bytes) => (OpCode::Control(Control::Ping), bytes, true),
            Piece::Pong(bytes) => (OpCode::Control(Control::Pong), bytes, true),
            Piece::Close(frame) => (OpCode::Control(Control::Close), payload(frame), true),
        };
        let mask = match self.role {
            Role::Client => Some(new_mask()?),
            Role::Server => None,
        };
        let header = FrameHeader {
            is_final: last,
            opcode,
            mask,
            ..FrameHeader::default()
        };
        let mut frame = Vec::with_capacity(header.len(bytes.len() as u64) + bytes.len());
        header
            .format(bytes.len() as u64, &mut frame)
            .map_err(io::Error::other)?;
        let head_len = frame.len();
        frame.extend_from_slice(&bytes);
        if let Some(key) = mask {
            let payload = frame.get_mut(head_len..).unwrap_or_default();
            Mask { key, at: 0 }.apply(payload);
        }
        self.io.write_all(&frame).await
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.io.flush().await
    }

    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }
}

fn payload(frame: Option<CloseFrame>) -> Bytes {
    frame.map_or_else(Bytes::new, |CloseFrame { code, reason }| {
        [&code.get().to_be_bytes(), reason.as_bytes()]
            .concat()
            .into()
    })
}

fn new_mask() -> io::Result<[u8; 4]> {
    let mut key = [0; 4];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// The pieces in `bytes`, and whether that broke off.
    async fn read(bytes: &[u8], role: Role) -> (Vec<Piece>, bool) {
        let mut reader = FrameReader::new(bytes, role);
        let mut pieces = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(piece)) => pieces.push(piece),
                Ok(None) => return (pieces, false),
                Err(_) => return (pieces, true),
            }
        }
    }

    #[tokio::test]
    async fn what_is_written_is_read_by_the_other_end_and_only_by_that() {
        let text = Piece::Data(Data {
            text: true,
            bytes: "over".into(),
            last: true,
        });
        let close = Piece::Close(Some(CloseFrame::new(CloseCode::AWAY, "later")));
        let pieces = [
            text,
            Piece::Ping("?".into()),
            Piece::Pong("!".into()),
            close,
        ];
        for (from, to) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut bytes = Vec::new();
            let mut writer = FrameWriter::new(&mut bytes, from);
            for piece in &pieces {
                writer.write(piece.clone()).await.unwrap();
            }
            writer.flush().await.unwrap();
            assert_eq!(read(&bytes, to).await, (pieces.to_vec(), false));
            assert_eq!(read(&bytes, from).await, (vec![], true));
            assert!(read(&bytes[..bytes.len() - 1], to).await.1);
        }
    }

    #[tokio::test]
    async fn frames_that_break_the_protocol_are_refused() {
        for nonsense in [
            &b"\xc1\0"[..],          // an extension
            b"\x83\0",               // an unknown kind
            b"\x80\0",               // goes on with nothing
            b"\x01\0\x01\0",         // a message within a message
            b"\x09\0",               // a ping in parts
            b"\x89\x7e\x00\x7e",     // a ping of 126 bytes
            b"\x88\x01\x03",         // half a code
            b"\x88\x02\x03\xed",     // 1005
            b"\x88\x03\x03\xe8\xff", // a reason that is no text
        ] {
            let (pieces, broken) = read(nonsense, Role::Client).await;
            assert!(broken, "{nonsense:?}: {pieces:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(prop_oneof![any::<u8>(), 0x80_u8..0x8b], 0..80)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (pieces, _) = runtime.block_on(read(&bytes, Role::Client));
            let data = pieces.iter().map(|piece| match piece {
                Piece::Data(data) => data.bytes.len(),
                Piece::Ping(bytes) | Piece::Pong(bytes) => bytes.len(),
                Piece::Close(_) => 0,
            });
            prop_assert!(data.sum::<usize>() <= bytes.len());
        }
    }
}
