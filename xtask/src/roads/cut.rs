//! UDP is cut under a stream, which goes on over TCP; once UDP is back it returns there.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::endpoint::Endpoint;
use super::patient;
use super::router::Router;
use super::stream::{ENDLESS, MB, Stream};
use super::world::World;

const TRANSPORTS: [&str; 2] = ["udp", "tcp"];

/// What is streamed, and where UDP is cut.
const BYTES: u64 = 100 * MB;
const CUT_AT: u64 = 20 * MB;

/// Bytes a second: the stream lasts long enough to be met by what happens to it.
const RATE: u64 = 25 * MB;

/// How long nothing may arrive when the road that carries the stream breaks.
const STALL: Duration = Duration::from_secs(2);

/// How long it may take until a better road is used that has come back.
const RETURN: Duration = Duration::from_secs(60);

/// How often the counters are looked at, and how much of the stream has to go by UDP meanwhile.
const LOOK: Duration = Duration::from_millis(500);
const RETURNED: u64 = MB;

/// The whole of it.
pub(super) fn run(world: &World) -> Result<String> {
    let server = Endpoint::accepting(world, &world.net.listener, &TRANSPORTS)?;
    let cut = cut(world, &server)?;
    let back = comes_back(world, &server)?;
    server.stop()?;
    Ok(format!("{cut}; {back}"))
}

fn cut(world: &World, server: &Endpoint) -> Result<String> {
    let router = &world.net.router;
    let stream = dial(world, server, BYTES)?;
    stream.expect(CUT_AT)?;
    let before = router.passed()?;
    ensure!(
        before.udp > before.tcp,
        "the stream was not on UDP: {before:?} bytes passed"
    );
    router.cut_udp()?;
    let cut = router.passed()?;
    let arrived = stream.finish()?;
    let after = router.passed()?.since(cut);
    let limit = patient(STALL);
    ensure!(
        arrived.stall < limit,
        "{}, which is not under {limit:?}",
        arrived.figures()
    );
    ensure!(after.tcp > 0, "nothing went over TCP");
    Ok(format!(
        "{}, {} MB of it by TCP",
        arrived.figures(),
        after.tcp / MB
    ))
}

/// Starts while UDP is cut still.
fn comes_back(world: &World, server: &Endpoint) -> Result<String> {
    let router = &world.net.router;
    let stream = dial(world, server, ENDLESS)?;
    stream.expect(CUT_AT / 4)?;
    let without = server.active_path()?;
    router.mend()?;
    let start = Instant::now();
    let took = returns(router, start);
    let path = server.active_path()?;
    stream.end();
    let arrived = stream.finish()?;
    let took = took?;
    ensure!(
        path.starts_with("udp"),
        "UDP carries the stream, and the status says that {path} does"
    );
    Ok(format!(
        "on UDP again {:.1} s after it came back (from {without} to {path}), {}",
        took.as_secs_f32(),
        arrived.figures()
    ))
}

/// Waits until more goes by UDP than by TCP, and returns how long that took.
fn returns(router: &Router, start: Instant) -> Result<Duration> {
    let mut before = router.passed()?;
    loop {
        thread::sleep(LOOK);
        let now = router.passed()?;
        let passed = now.since(before);
        if passed.udp > passed.tcp && passed.udp > RETURNED {
            return Ok(start.elapsed());
        }
        ensure!(
            start.elapsed() < RETURN,
            "still on TCP {RETURN:?} after UDP came back: {passed:?} bytes within {LOOK:?}"
        );
        before = now;
    }
}

fn dial(world: &World, server: &Endpoint, bytes: u64) -> Result<Stream> {
    let host = &world.net.dialer;
    Stream::dial(world, host, &TRANSPORTS, server.target(), bytes, RATE)
}
