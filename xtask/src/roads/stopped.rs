//! One of two programs with an idle link is stopped for longer than a link lives in silence, as on a machine that sleeps.

use std::ffi::OsString;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::endpoint::Endpoint;
use super::patient;
use super::stream::{MB, Stream};
use super::world::World;

/// How long it sleeps.
const SLEEP: Duration = Duration::from_secs(90);

/// How soon the link has to be of use again.
const USABLE: Duration = Duration::from_secs(3);

/// How much longer we try, to say in the end how long it took.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is streamed afterwards.
const BYTES: u64 = MB;

enum Sleeper {
    Listener,
    Dialer,
}

pub(super) fn listener_udp(world: &World) -> Result<String> {
    sleep(world, &Sleeper::Listener, "udp")
}

pub(super) fn dialer_udp(world: &World) -> Result<String> {
    sleep(world, &Sleeper::Dialer, "udp")
}

pub(super) fn listener_tcp(world: &World) -> Result<String> {
    sleep(world, &Sleeper::Listener, "tcp")
}

pub(super) fn dialer_tcp(world: &World) -> Result<String> {
    sleep(world, &Sleeper::Dialer, "tcp")
}

fn sleep(world: &World, sleeper: &Sleeper, transport: &str) -> Result<String> {
    let net = &world.net;
    let listener = Endpoint::accepting(world, &net.listener, &[transport])?;
    let words: [OsString; 2] = ["--link".into(), listener.target()];
    let dialer = Endpoint::start(
        &world.place,
        &net.dialer.namespace,
        "dialer",
        &[transport],
        &words,
    )?;
    dialer.expect_link(listener.hashname()?)?;
    let sleeping = match sleeper {
        Sleeper::Listener => &listener,
        Sleeper::Dialer => &dialer,
    };
    sleeping.signal("STOP")?;
    thread::sleep(SLEEP);
    sleeping.signal("CONT")?;
    let usable = usable(&dialer, listener.hashname()?)?;
    dialer.stop()?;
    listener.stop()?;
    Ok(usable)
}

/// A ping, then a stream, both through the endpoint that has the link.
fn usable(dialer: &Endpoint, hashname: &str) -> Result<String> {
    let start = Instant::now();
    while !dialer.ping(hashname, USABLE)? {
        ensure!(
            start.elapsed() < PATIENCE,
            "no ping was answered for {PATIENCE:?}"
        );
    }
    let pinged = start.elapsed();
    let mut pipe = dialer.ask("pipe");
    Stream::start(pipe.arg(hashname), BYTES, u64::MAX)?.finish()?;
    let streamed = start.elapsed();
    let figures = format!(
        "a ping {:.2} s and {} MB there and back {:.2} s after it woke",
        pinged.as_secs_f32(),
        BYTES / MB,
        streamed.as_secs_f32()
    );
    let limit = patient(USABLE);
    ensure!(streamed < limit, "{figures}, which is not under {limit:?}");
    Ok(figures)
}
