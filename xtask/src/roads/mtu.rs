//! The MTU of the path drops to 1280 bytes, the least that IPv6 promises, under a stream over UDP.

use anyhow::{Result, ensure};

use super::endpoint::Endpoint;
use super::stream::{MB, Stream};
use super::world::World;

/// What is streamed, where the MTU drops, and how much a second.
const BYTES: u64 = 60 * MB;
const DROP_AT: u64 = 20 * MB;
const RATE: u64 = 12 * MB;

/// The router tells senders that their packets are too big.
pub(super) fn told(world: &World) -> Result<String> {
    stream(world)
}

/// It only drops them.
pub(super) fn black_hole(world: &World) -> Result<String> {
    world.net.router.say_nothing()?;
    stream(world)
}

fn stream(world: &World) -> Result<String> {
    let net = &world.net;
    // Or else the router could not tell how long they are.
    net.listener.send_singly()?;
    net.dialer.send_singly()?;
    let server = Endpoint::accepting(world, &net.listener, &["udp"])?;
    let stream = Stream::dial(world, &net.dialer, &["udp"], server.target(), BYTES, RATE)?;
    stream.expect(DROP_AT)?;
    net.router.narrow(&net.listener)?;
    net.router.narrow(&net.dialer)?;
    let narrowed = net.router.passed()?;
    ensure!(
        narrowed.long > narrowed.udp / 2,
        "packets were short before the MTU dropped: {narrowed:?} bytes passed"
    );
    let arrived = stream.finish()?;
    let after = net.router.passed()?.since(narrowed);
    ensure!(after.udp > 0, "the stream was over before the MTU dropped");
    server.stop()?;
    Ok(format!(
        "{}, {} kB of it in long packets that may be fragmented",
        arrived.figures(),
        after.long / 1000
    ))
}
