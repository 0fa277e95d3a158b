//! A file there and back, with a checksum at every place it passes.

use std::io;
use std::sync::Arc;

use mesh::prelude::*;
use mesh::stream::{ByteReader, ByteWriter};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::data::{Checksum, Noise};
use super::{Figures, PATIENCE, figures};
use crate::failure::{Code, Failure, Outcome};

/// Bytes that move at once.
const BLOCK: usize = 64 * 1024;

/// What the far end got.
pub(super) struct Echoed {
    bytes: u64,
    sha256: String,
}

/// The far end: sends back what comes, and tells what came.
pub(super) async fn serve(
    stream: IncomingStream,
    told: Arc<mpsc::Sender<Echoed>>,
) -> io::Result<()> {
    let (mut reader, mut writer) = stream.accept()?.into_split();
    let mut checksum = Checksum::default();
    while let Some(chunk) = reader.chunk().await? {
        checksum.add(&chunk);
        writer.write_all(&chunk).await?;
    }
    writer.shutdown().await?;
    // Nobody waits for it if the demo was interrupted.
    let _ = told
        .send(Echoed {
            bytes: checksum.bytes,
            sha256: checksum.hex(),
        })
        .await;
    Ok(())
}

/// The near end: sends a file, takes it back, and compares all three checksums.
pub(super) async fn transfer(
    link: &Link,
    echoes: &mut mpsc::Receiver<Echoed>,
    bytes: u64,
) -> Outcome<((), Figures)> {
    let stream = link
        .stream(StreamOptions::new())
        .await
        .map_err(Failure::unreachable)?;
    let start = Instant::now();
    let (mut reader, mut writer) = stream.into_split();
    let there = send(&mut writer, bytes);
    let back = receive(&mut reader);
    let both = async { tokio::try_join!(there, back) };
    let (sent, received) = both
        .await
        .map_err(|error| Failure::failed(format_args!("the stream broke: {error}")))?;
    let seconds = start.elapsed().as_secs_f64();
    let echoed = timeout(PATIENCE, echoes.recv()).await.ok().flatten();
    let echoed =
        echoed.ok_or_else(|| Failure::failed("the far end says nothing of what it got"))?;
    let sha256 = sent.hex();
    let intact = [
        (echoed.bytes, echoed.sha256),
        (received.bytes, received.hex()),
    ];
    if intact
        .iter()
        .any(|(count, sum)| (*count, sum) != (bytes, &sha256))
    {
        return Err(Failure::new(
            Code::Integrity,
            "what arrived is not what was sent",
        ));
    }
    let rate = (bytes as f64 / seconds / 1e4).round() / 1e2;
    Ok((
        (),
        figures([
            ("bytes", bytes.into()),
            ("mb_per_s_each_way", rate.into()),
            ("sha256", sha256.into()),
        ]),
    ))
}

async fn send(writer: &mut ByteWriter, bytes: u64) -> io::Result<Checksum> {
    let (mut noise, mut checksum) = (Noise::new(bytes), Checksum::default());
    let mut block = vec![0; BLOCK];
    loop {
        match noise.fill(&mut block) {
            0 => break,
            count => {
                checksum.add(&block[..count]);
                writer.write_all(&block[..count]).await?;
            }
        }
    }
    writer.shutdown().await?;
    Ok(checksum)
}

async fn receive(reader: &mut ByteReader) -> io::Result<Checksum> {
    let mut checksum = Checksum::default();
    let mut block = vec![0; BLOCK];
    loop {
        match reader.read(&mut block).await? {
            0 => return Ok(checksum),
            count => checksum.add(&block[..count]),
        }
    }
}
