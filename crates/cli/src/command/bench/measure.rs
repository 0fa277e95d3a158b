//! The measurements, each on one stream.

use std::io;
use std::time::Duration;

use mesh::Link;
use mesh::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::peer;
use crate::failure::{Code, Failure, Outcome};
use crate::record::Record;
use crate::report::Report;

/// Bytes written or read at once.
const BLOCK: usize = 64 * 1024;

/// Bytes between two reports of progress.
const PROGRESS: u64 = 1 << 20;

/// Seconds until the far end has all the bytes and said so.
pub(super) async fn one_way(link: &Link, bytes: u64, report: &mut Report) -> Outcome<f64> {
    let mut stream = open(link).await?;
    let start = Instant::now();
    send(&mut stream, bytes, Some(report)).await?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .map_err(|error| broken(&error))?;
    match answer.as_slice() {
        [peer::RECEIVED] => Ok(start.elapsed().as_secs_f64()),
        _ => Err(Failure::new(
            Code::Integrity,
            "the far end did not confirm what it got",
        )),
    }
}

/// Seconds until all the bytes came back from an echo.
pub(super) async fn there_and_back(link: &Link, bytes: u64, report: &mut Report) -> Outcome<f64> {
    let (mut reader, mut writer) = open(link).await?.into_split();
    let start = Instant::now();
    let there = send(&mut writer, bytes, None);
    let back = receive(&mut reader, bytes, report);
    let ((), received) = tokio::try_join!(there, back)?;
    match received == bytes {
        true => Ok(start.elapsed().as_secs_f64()),
        false => Err(Failure::new(
            Code::Integrity,
            format_args!(
                "{received} bytes came back instead of {bytes}; does the other side run `mesh up --echo`?"
            ),
        )),
    }
}

/// Round trips of 64 bytes, one after the other.
pub(super) async fn round_trips(link: &Link, count: usize) -> Outcome<Vec<Duration>> {
    let mut stream = open(link).await?;
    let mut times = Vec::with_capacity(count);
    let mut packet = [peer::PING; 64];
    let mut measure = async || {
        for _ in 0..count {
            let start = Instant::now();
            stream.write_all(&packet).await?;
            stream.read_exact(&mut packet).await?;
            times.push(start.elapsed());
        }
        stream.shutdown().await
    };
    measure().await.map_err(|error| broken(&error))?;
    Ok(times)
}

async fn open(link: &Link) -> Outcome<ByteStream> {
    link.stream(StreamOptions::new())
        .await
        .map_err(Failure::unreachable)
}

/// Writes so many bytes, and the end.
async fn send(
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    bytes: u64,
    mut report: Option<&mut Report>,
) -> Outcome {
    let block = vec![0x5a; BLOCK];
    let mut sent = 0;
    while sent < bytes {
        let count = (bytes - sent).min(BLOCK as u64);
        to.write_all(&block[..count as usize])
            .await
            .map_err(|error| broken(&error))?;
        sent += count;
        if let Some(report) = &mut report {
            progress(report, sent, count, bytes).await?;
        }
    }
    to.shutdown().await.map_err(|error| broken(&error))
}

/// Reads to the end; the number of bytes.
async fn receive(
    from: &mut (impl AsyncRead + Unpin),
    expected: u64,
    report: &mut Report,
) -> Outcome<u64> {
    let mut block = vec![0; BLOCK];
    let mut received = 0;
    loop {
        match from
            .read(&mut block)
            .await
            .map_err(|error| broken(&error))?
        {
            0 => return Ok(received),
            count => {
                received += count as u64;
                progress(report, received, count as u64, expected).await?;
            }
        }
    }
}

/// Reports when another `PROGRESS` bytes are done.
async fn progress(report: &mut Report, done: u64, step: u64, total: u64) -> Outcome {
    match done / PROGRESS == (done - step) / PROGRESS {
        true => Ok(()),
        false => report.report(Record::Progress { done, total }).await,
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::unreachable(format_args!("the stream broke: {error}"))
        .hint("the other side has to run `mesh up --echo`")
}
