//! A byte stream on the control socket, in which the end of the data and the end of the client are different things.
//!
//! A frame is a length of 4 bytes, big-endian, and as many bytes. Length 0 is the end of its direction; [`ABORTED`] says
//! that the direction failed. Either way what follows is no frame. If the connection ends before, whoever sent is gone,
//! and what came so far is not all.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;

use crate::pump::{Sink, Source};

/// Largest frame, in bytes; a larger one ends the connection.
pub(super) const MAX_FRAME: usize = 64 * 1024;

/// In place of a length: the direction failed.
const ABORTED: u32 = u32::MAX;

/// Reads frames as a stream of bytes.
pub(super) struct FrameReader<R> {
    /// Gone after the end.
    inner: Option<R>,
    /// Bytes left of the present frame.
    left: usize,
    give_back: Option<oneshot::Sender<R>>,
}

/// Writes a stream of bytes as frames.
pub(super) struct FrameWriter<W> {
    inner: W,
    /// The present frame, of which so many bytes are written.
    frame: Vec<u8>,
    written: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin + Send> FrameReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner: Some(inner),
            left: 0,
            give_back: None,
        }
    }

    /// The same, and `inner` again after the end of the frames.
    pub(super) fn giving_back(inner: R) -> (Self, oneshot::Receiver<R>) {
        let (give_back, receiver) = oneshot::channel();
        (
            Self {
                give_back: Some(give_back),
                ..Self::new(inner)
            },
            receiver,
        )
    }

    fn ended(&mut self) {
        if let (Some(inner), Some(give_back)) = (self.inner.take(), self.give_back.take()) {
            // Nobody may want it.
            let _ = give_back.send(inner);
        }
    }
}

impl<R: AsyncRead + Unpin + Send> Source for FrameReader<R> {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(inner) = &mut self.inner else {
            return Ok(0);
        };
        if self.left == 0 {
            self.left = next_frame(inner).await?;
        }
        if self.left == 0 {
            self.ended();
            return Ok(0);
        }
        let wanted = self.left.min(buf.len());
        match inner.read(&mut buf[..wanted]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.left -= count;
                Ok(count)
            }
        }
    }
}

/// The length of the next frame; 0 at the end.
async fn next_frame(inner: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
    match inner.read_u32().await? {
        ABORTED => Err(io::ErrorKind::ConnectionAborted.into()),
        length if length as usize <= MAX_FRAME => Ok(length as usize),
        length => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes"),
        )),
    }
}

impl<W: AsyncWrite + Unpin + Send> FrameWriter<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            frame: Vec::new(),
            written: 0,
            ended: false,
        }
    }

    /// The connection, after the end of the frames: an [`ABORTED`] unless there was one.
    pub(super) async fn finish(mut self) -> io::Result<W> {
        self.write_out().await?;
        if !self.ended {
            self.send(&ABORTED.to_be_bytes(), &[]).await?;
        }
        Ok(self.inner)
    }

    async fn send(&mut self, length: &[u8; 4], data: &[u8]) -> io::Result<()> {
        self.frame.clear();
        self.written = 0;
        self.frame.extend_from_slice(length);
        self.frame.extend_from_slice(data);
        self.write_out().await
    }

    /// Writes what is left of the present frame. Given up in the middle, it can be called again.
    async fn write_out(&mut self) -> io::Result<()> {
        while let Some(rest) = self
            .frame
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match self.inner.write(rest).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.written += count,
            }
        }
        Ok(())
    }
}

impl<W: AsyncWrite + Unpin + Send> Sink for FrameWriter<W> {
    async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        for part in data.chunks(MAX_FRAME) {
            self.send(&(part.len() as u32).to_be_bytes(), part).await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        self.ended = true;
        self.send(&0u32.to_be_bytes(), &[]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut reader = FrameReader::new(bytes);
        let (mut all, mut buf) = (Vec::new(), [0; 1000]);
        loop {
            match reader.read(&mut buf).await? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buf[..count]),
            }
        }
    }

    async fn written(data: &[u8], end: bool) -> Vec<u8> {
        let mut writer = FrameWriter::new(Vec::new());
        writer.write(data).await.unwrap();
        if end {
            writer.end().await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    #[tokio::test]
    async fn what_was_written_is_read_whatever_its_size() {
        for length in [0, 1, MAX_FRAME, MAX_FRAME + 1, 3 * MAX_FRAME] {
            let data: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            assert_eq!(
                read_all(&written(&data, true).await).await.unwrap(),
                data,
                "{length}"
            );
        }
    }

    #[tokio::test]
    async fn a_client_that_dies_is_not_the_end_of_its_data() {
        let whole = written(b"hello", true).await;
        for cut in 0..whole.len() {
            let error = read_all(&whole[..cut]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }

    #[tokio::test]
    async fn a_direction_that_failed_says_so() {
        let error = read_all(&written(b"hello", false).await).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_frame_given_up_in_the_middle_is_completed_before_anything_else() {
        let (near, far) = tokio::io::duplex(7);
        let mut writer = FrameWriter::new(near);
        assert!(poll_once(writer.write(b"hello, world")).is_none());
        let finish = async { writer.finish().await.map(drop) };
        let (mut reader, mut buf) = (FrameReader::new(far), Vec::new());
        let read = async {
            let mut part = [0; 5];
            loop {
                match reader.read(&mut part).await {
                    Ok(count) => buf.extend_from_slice(&part[..count]),
                    Err(error) => return error.kind(),
                }
            }
        };
        let (finished, error) = tokio::join!(finish, read);
        finished.unwrap();
        assert_eq!(
            (buf.as_slice(), error),
            (&b"hello, world"[..], io::ErrorKind::ConnectionAborted)
        );
    }

    /// Polls once, and drops.
    fn poll_once<F: Future>(future: F) -> Option<F::Output> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn after_the_frames_the_connection_comes_back() {
        let mut bytes = written(b"hello", true).await;
        bytes.extend_from_slice(b"rest");
        let (mut reader, rest) = FrameReader::giving_back(bytes.as_slice());
        let mut buf = [0; 5];
        assert_eq!(reader.read(&mut buf).await.unwrap(), 5);
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
        assert_eq!(rest.await.unwrap(), b"rest");
    }

    #[tokio::test]
    async fn a_frame_beyond_the_limit_is_refused() {
        let length = MAX_FRAME as u32;
        let longest = [&length.to_be_bytes(), &vec![7; MAX_FRAME][..], &[0; 4]].concat();
        assert_eq!(read_all(&longest).await.unwrap(), vec![7; MAX_FRAME]);
        let length = MAX_FRAME as u32 + 1;
        let error = read_all(&length.to_be_bytes()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
