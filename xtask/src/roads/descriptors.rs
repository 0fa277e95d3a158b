//! No file descriptor is left for another connection.

use std::time::Duration;
use std::{thread, time::Instant};

use anyhow::{Result, ensure};

use super::crowd::{Conduct, Crowd};
use super::endpoint::Endpoint;
use super::patient;
use super::stream::{MB, Stream};
use super::world::World;

/// Descriptors that it gets beyond those that it has.
const SPARE: usize = 24;

/// Strangers that come.
const SIZE: usize = 400;

/// How long it is watched, and what it may work meanwhile: next to nothing.
const WATCHED: Duration = Duration::from_secs(2);
const WORK: Duration = Duration::from_millis(200);

/// How soon it has to be of use again once they are gone.
const RECOVERY: Duration = Duration::from_secs(5);

/// The whole of it.
pub(super) fn run(world: &World) -> Result<String> {
    let net = &world.net;
    let server = Endpoint::accepting(world, &net.listener, &["tcp"])?;
    let before = server.descriptors()?;
    server.limit_descriptors((before + SPARE) as u64)?;
    let address = server.address("tcp")?;
    let crowd = Crowd::gather(&net.stranger, address, SIZE, Conduct::Idle)?;
    let used = server.descriptors()? - before;
    ensure!(
        used >= SPARE,
        "only {used} of {SPARE} descriptors are in use: accepting has not failed"
    );
    let busy = server.processor_time()?;
    thread::sleep(WATCHED);
    let busy = server.processor_time()? - busy;
    ensure!(
        busy <= WORK,
        "it worked {busy:?} of {WATCHED:?} without anything to do"
    );
    crowd.disperse()?;
    let start = Instant::now();
    Stream::dial(world, &net.dialer, &["tcp"], server.target(), MB, u64::MAX)?.finish()?;
    let took = start.elapsed();
    let limit = patient(RECOVERY);
    ensure!(took < limit, "the next peer was served after {took:?} only");
    server.stop()?;
    Ok(format!(
        "{SIZE} connections for {SPARE} descriptors; {} ms of processor in {WATCHED:?}; the next peer was served within \
         {:.2} s after they left",
        busy.as_millis(),
        took.as_secs_f32()
    ))
}
