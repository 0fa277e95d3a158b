//! Carries pieces between a link and a TCP connection, both ways.

use futures::stream::{SplitSink, SplitStream};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::frames::{FrameReader, FrameWriter, Role};
use crate::close::{CloseCode, CloseFrame};
use crate::config::ANSWER_TIMEOUT;
use crate::error::WsError;
use crate::piece::Piece;
use crate::pieces::PieceSocket;

/// Relays until both sides have closed, or one is gone.
///
/// Pings, pongs and closes go to the other end as they are; nothing is answered here. Each direction
/// waits for its slower end. What either side does wrong closes both.
pub(super) async fn relay<I>(pieces: PieceSocket, io: I, role: Role)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (read, write) = tokio::io::split(io);
    let (mut to_link, mut from_link) = pieces.split();
    let (mut reader, mut writer) = (FrameReader::new(read, role), FrameWriter::new(write, role));
    let ended = {
        let up = upwards(&mut reader, &mut to_link);
        let down = downwards(&mut from_link, &mut writer);
        tokio::pin!(up, down);
        let first = tokio::select! {
            end = &mut up => (end, Side::Tcp),
            end = &mut down => (end, Side::Link),
        };
        match first {
            // A close is answered by the other end, which may take its time but not for ever.
            (End::Closed, Side::Tcp) => timeout(ANSWER_TIMEOUT, down).await.ok(),
            (End::Closed, Side::Link) => timeout(ANSWER_TIMEOUT, up).await.ok(),
            (failed, _) => Some(failed),
        }
    };
    if let Some(End::Failed {
        tell_link,
        tell_tcp,
    }) = ended
    {
        let told = async {
            if let Some(frame) = tell_link {
                let _ = to_link.send(Piece::Close(Some(frame))).await;
            }
            if let Some(frame) = tell_tcp {
                let _ = writer.write(Piece::Close(Some(frame))).await;
            }
        };
        let _ = timeout(ANSWER_TIMEOUT, told).await;
    }
    let _ = timeout(ANSWER_TIMEOUT, writer.shutdown()).await;
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Tcp,
    Link,
}

/// How one direction ended.
#[derive(Debug)]
enum End {
    /// With a close.
    Closed,
    /// Otherwise; whom to tell what.
    Failed {
        tell_link: Option<CloseFrame>,
        tell_tcp: Option<CloseFrame>,
    },
}

impl End {
    fn failed(link: Option<CloseCode>, tcp: Option<CloseCode>) -> Self {
        Self::Failed {
            tell_link: link.map(CloseFrame::from),
            tell_tcp: tcp.map(CloseFrame::from),
        }
    }
}

/// From TCP to the link.
async fn upwards<I: AsyncRead + AsyncWrite + Unpin>(
    reader: &mut FrameReader<ReadHalf<I>>,
    link: &mut SplitSink<PieceSocket, Piece>,
) -> End {
    loop {
        let piece = match reader.next().await {
            Ok(Some(piece)) => piece,
            // Gone without a close: so it is for the peer.
            Ok(None) => return End::failed(None, None),
            Err(error) => {
                tracing::debug!(%error, "a local WebSocket failed");
                let code = error.close_code();
                return End::failed(code, code);
            }
        };
        let closes = matches!(piece, Piece::Close(_));
        match link.send(piece).await {
            Ok(()) if closes => return End::Closed,
            Ok(()) => {}
            Err(WsError::NotUtf8) => {
                let code = Some(CloseCode::INVALID);
                return End::failed(code, code);
            }
            Err(_) => return End::failed(None, Some(CloseCode::ERROR)),
        }
    }
}

/// From the link to TCP.
async fn downwards<I: AsyncRead + AsyncWrite + Unpin>(
    link: &mut SplitStream<PieceSocket>,
    writer: &mut FrameWriter<WriteHalf<I>>,
) -> End {
    loop {
        // What was written leaves when nothing more is at hand.
        let piece = match link.next().now_or_never() {
            Some(piece) => piece,
            None if writer.flush().await.is_err() => return End::failed(None, None),
            None => link.next().await,
        };
        let piece = match piece {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => {
                let code = error.close_code().unwrap_or(CloseCode::ERROR);
                return End::failed(None, Some(code));
            }
            None => return End::failed(None, Some(CloseCode::ERROR)),
        };
        let closes = matches!(piece, Piece::Close(_));
        let late = matches!(&piece, Piece::Data(data) if writer.is_late(data));
        if late {
            let code = Some(CloseCode::PROTOCOL);
            return End::failed(code, code);
        }
        if writer.write(piece).await.is_err() {
            return End::failed(None, None);
        }
        if closes {
            return match writer.flush().await {
                Ok(()) => End::Closed,
                Err(_) => End::failed(None, None),
            };
        }
    }
}
