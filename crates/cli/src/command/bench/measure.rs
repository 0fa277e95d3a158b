//! The measurements.

use std::io;
use std::time::Duration;

use futures::future::join_all;
use mesh::LinkJson;
use mesh::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use super::ends::Ends;
use super::watch::Watch;
use super::{peer, process};
use crate::failure::{Code, Failure, Outcome};

/// Bytes written or read at once.
const BLOCK: usize = 64 * 1024;

/// Round trips that are measured at most.
const ROUND_TRIPS: usize = 100_000;

/// Set-ups that are measured at most: their endpoints, each with sockets, are there until all are closed together.
const SET_UPS: usize = 200;

/// When a stream ends: whatever comes first. It has a block at least.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

/// What a stream took.
pub(super) struct Streamed {
    bytes: u64,
    seconds: f64,
    cpu: Option<f64>,
}

impl Limit {
    pub(super) fn tenth(self) -> Self {
        Self {
            time: self.time / 10,
            bytes: self.bytes.div_ceil(10),
        }
    }
}

impl Streamed {
    pub(super) fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds / 1e6
    }

    /// Of both ends; nothing where the system does not tell, or the stream was too short to tell.
    pub(super) fn cpu_seconds_per_gigabyte(&self) -> Option<f64> {
        let cpu = self.cpu.filter(|cpu| *cpu > 0.0)?;
        Some(cpu / (self.bytes as f64 / 1e9))
    }
}

/// One stream, until the far end has all the bytes and said so.
pub(super) async fn one_way(link: &Link, limit: Limit, watch: &mut Watch<'_>) -> Outcome<Streamed> {
    let mut stream = open(link).await?;
    let (cpu, start) = (process::cpu_seconds(), Instant::now());
    let bytes = send(&mut stream, limit, Some(watch)).await?;
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer).await;
    end.map_err(|error| broken(&error))?;
    if answer != [peer::RECEIVED] {
        let what = "the far end did not confirm what it got";
        return Err(Failure::new(Code::Integrity, what));
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = process::cpu_seconds().zip(cpu);
    let cpu = cpu.map(|(after, before)| after - before);
    Ok(Streamed {
        bytes,
        seconds,
        cpu,
    })
}

/// One stream, until all the bytes came back from an echo.
pub(super) async fn there_and_back(
    link: &Link,
    limit: Limit,
    watch: &mut Watch<'_>,
) -> Outcome<Streamed> {
    let (mut reader, mut writer) = open(link).await?.into_split();
    let start = Instant::now();
    let there = send(&mut writer, limit, None);
    let (bytes, back) = tokio::try_join!(there, receive(&mut reader, watch))?;
    if back != bytes {
        let what = format_args!("{back} bytes came back instead of {bytes}").to_string();
        return Err(
            Failure::new(Code::Integrity, what).hint("the other side has to run `mesh up --echo`")
        );
    }
    Ok(Streamed {
        bytes,
        seconds: start.elapsed().as_secs_f64(),
        cpu: None,
    })
}

/// Round trips of 64 bytes, one after the other for so long; one at least.
pub(super) async fn round_trips(
    link: &Link,
    time: Duration,
    watch: &mut Watch<'_>,
) -> Outcome<Vec<Duration>> {
    let mut stream = open(link).await?;
    let mut packet = [peer::PING; 64];
    let mut times = Vec::new();
    let begin = Instant::now();
    loop {
        let start = Instant::now();
        let there = stream.write_all(&packet).await;
        there.map_err(|error| broken(&error))?;
        let back = stream.read_exact(&mut packet).await;
        back.map_err(|error| broken(&error))?;
        times.push(start.elapsed());
        watch.tick().await?;
        if begin.elapsed() >= time || times.len() >= ROUND_TRIPS {
            break;
        }
    }
    stream.shutdown().await.map_err(|error| broken(&error))?;
    Ok(times)
}

/// Link set-ups a second, one after the other for so long, each by a new endpoint with a new identity; one at least.
pub(super) async fn set_ups(
    ends: &Ends,
    to: &LinkJson,
    time: Duration,
    watch: &mut Watch<'_>,
) -> Outcome<f64> {
    let start = Instant::now();
    let mut meshes = Vec::new();
    while meshes.is_empty() || (start.elapsed() < time && meshes.len() < SET_UPS) {
        let (mesh, _) = ends.dial(to).await?;
        meshes.push(mesh);
        watch.tick().await?;
    }
    let rate = meshes.len() as f64 / start.elapsed().as_secs_f64();
    // Some transports wait for a farewell, which is no part of it.
    join_all(meshes.iter().map(Mesh::close)).await;
    Ok(rate)
}

async fn open(link: &Link) -> Outcome<ByteStream> {
    let stream = link.stream(StreamOptions::new()).await;
    stream.map_err(Failure::unreachable)
}

/// Writes up to the limit, and the end; how many bytes it were.
async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    limit: Limit,
    mut watch: Option<&mut Watch<'_>>,
) -> Outcome<u64> {
    let block = vec![0x5a; BLOCK];
    let start = Instant::now();
    let mut sent = 0;
    loop {
        let count = (limit.bytes - sent).min(BLOCK as u64);
        let written = to.write_all(&block[..count as usize]).await;
        written.map_err(|error| broken(&error))?;
        sent += count;
        if let Some(watch) = &mut watch {
            watch.tick().await?;
        }
        if sent >= limit.bytes || start.elapsed() >= limit.time {
            break;
        }
    }
    to.shutdown().await.map_err(|error| broken(&error))?;
    Ok(sent)
}

/// Reads to the end; the number of bytes.
async fn receive(from: &mut (impl AsyncRead + Unpin), watch: &mut Watch<'_>) -> Outcome<u64> {
    let mut block = vec![0; BLOCK];
    let mut received = 0;
    loop {
        match from.read(&mut block).await {
            Ok(0) => return Ok(received),
            Ok(count) => received += count as u64,
            Err(error) => return Err(broken(&error)),
        }
        watch.tick().await?;
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::unreachable(format_args!("the stream broke: {error}"))
        .hint("the other side has to run `mesh up --echo`")
}
