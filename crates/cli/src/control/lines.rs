//! JSON lines, bounded.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};

/// Largest request or answer, in bytes: a letter or a link JSON at its own limit, escaped, fits. A longer line ends the
/// connection.
pub(super) const MAX_LINE: u64 = 1024 * 1024;

/// Reads one line; `None` when the other end has closed instead.
pub(super) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
        Some(_) if line.len() as u64 == MAX_LINE => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a line is longer than {MAX_LINE} bytes"),
        )),
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes one line.
pub(super) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    value: &impl Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_text(text: &[u8]) -> io::Result<Option<String>> {
        read(&mut &*text).await
    }

    #[tokio::test]
    async fn a_line_is_read_and_the_end_is_told_from_a_broken_line() {
        assert_eq!(
            read_text(b"\"hello\"\n\"rest\"").await.unwrap().as_deref(),
            Some("hello")
        );
        assert_eq!(read_text(b"").await.unwrap(), None);
        assert_eq!(
            read_text(b"\"hel").await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert!(read_text(b"hello\n").await.is_err());
    }

    #[tokio::test]
    async fn a_line_longer_than_the_limit_is_refused() {
        let longest = format!("\"{}\"\n", "x".repeat(MAX_LINE as usize - 3));
        assert_eq!(
            read_text(longest.as_bytes())
                .await
                .unwrap()
                .map(|text| text.len()),
            Some(longest.len() - 3)
        );
        let longer = format!("\"{}\"\n", "x".repeat(MAX_LINE as usize - 2));
        assert_eq!(
            read_text(longer.as_bytes()).await.unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
