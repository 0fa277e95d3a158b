//! The far end of a measurement with ourselves.

use std::io;

use mesh::stream::IncomingStream;
use tokio::io::AsyncWriteExt as _;

/// What the first byte of a stream of round trips is.
pub(super) const PING: u8 = b'p';

/// What confirms the rest.
pub(super) const RECEIVED: u8 = 1;

/// Echoes a stream that begins with [`PING`]; discards any other, and confirms its end with one byte.
pub(super) async fn serve(incoming: IncomingStream) -> io::Result<()> {
    let stream = incoming.accept()?;
    let (mut reader, mut writer) = stream.into_split();
    let mut echoes = None;
    while let Some(chunk) = reader.chunk().await? {
        if *echoes.get_or_insert(chunk.first() == Some(&PING)) {
            writer.write_all(&chunk).await?;
        }
    }
    if echoes != Some(true) {
        writer.write_all(&[RECEIVED]).await?;
    }
    writer.shutdown().await
}
