//! A host loses its address under a stream and gets another.

use anyhow::Result;

use super::endpoint::Endpoint;
use super::net::Host;
use super::stream::{MB, Stream};
use super::world::World;

/// What is streamed, where the address changes, and how much a second.
const BYTES: u64 = 60 * MB;
const MOVE_AT: u64 = 20 * MB;
const RATE: u64 = 12 * MB;

/// The one that dialed.
pub(super) fn dialer(world: &World) -> Result<String> {
    stream(world, &world.net.dialer)
}

/// The one that was dialed.
pub(super) fn listener(world: &World) -> Result<String> {
    stream(world, &world.net.listener)
}

fn stream(world: &World, moving: &Host) -> Result<String> {
    let net = &world.net;
    let server = Endpoint::accepting(world, &net.listener, &["udp"])?;
    let stream = Stream::dial(world, &net.dialer, &["udp"], server.target(), BYTES, RATE)?;
    stream.expect(MOVE_AT)?;
    let new = moving.move_address()?;
    let arrived = stream.finish()?;
    server.stop()?;
    Ok(format!("{}, to {new}", arrived.figures()))
}
