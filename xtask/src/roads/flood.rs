//! Thousands of connections of strangers, who say nothing or hardly anything, beside a peer that is welcome.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::crowd::{Conduct, Crowd};
use super::endpoint::Endpoint;
use super::stream::{MB, Stream};
use super::world::World;

/// Connections of each conduct.
const SIZE: usize = 2000;

/// File descriptors that the program may have; what systems give a program that does not ask for more.
const DESCRIPTORS: u64 = 1024;

/// Connections of one host whom nobody knows that the program keeps (docs/limits.md,
/// `transport-tcp::MAX_STRANGERS_PER_HOST`), and those that it may be about to close.
const KEPT: usize = 64;
const CLOSING: usize = 16;

/// How long the strangers stay before anybody else comes.
const STAY: Duration = Duration::from_secs(3);

/// What is streamed meanwhile, and how much a second.
const BYTES: u64 = 20 * MB;
const RATE: u64 = 20 * MB;

/// Descriptors that may be left of them afterwards, and when.
const LEFT: usize = 4;
const RELEASE: Duration = Duration::from_secs(10);

/// The whole of it.
pub(super) fn run(world: &World) -> Result<String> {
    let net = &world.net;
    let server = Endpoint::accepting(world, &net.listener, &["tcp"])?;
    server.limit_descriptors(DESCRIPTORS)?;
    let before = server.descriptors()?;
    let address = server.address("tcp")?;
    let idle = Crowd::gather(&net.stranger, address, SIZE, Conduct::Idle)?;
    let slow = Crowd::gather(&net.stranger, address, SIZE, Conduct::Slow)?;
    std::thread::sleep(STAY);
    let (start, busy) = (Instant::now(), server.processor_time()?);
    let crowded = server.descriptors()?;
    let stream = Stream::dial(world, &net.dialer, &["tcp"], server.target(), BYTES, RATE)?;
    stream.expect(1)?;
    let first = start.elapsed();
    let arrived = stream.finish()?;
    let busy = server.processor_time()? - busy;
    let most = before + KEPT + CLOSING;
    ensure!(
        crowded <= most,
        "{crowded} file descriptors are open, {before} were before, and {most} are the most that one host may bring about"
    );
    let connected = idle.connected() + slow.connected();
    let closed = idle.closed() + slow.closed();
    idle.disperse()?;
    slow.disperse()?;
    let release = server.expect_release(before + LEFT, RELEASE)?;
    server.stop()?;
    Ok(format!(
        "{connected} connected, {closed} closed by the program, {crowded} file descriptors ({before} before); the \
         peer's first byte came after {:.2} s, {}, {:.1} s of processor; all released within {:.2} s",
        first.as_secs_f32(),
        arrived.figures(),
        busy.as_secs_f32(),
        release.as_secs_f32()
    ))
}
