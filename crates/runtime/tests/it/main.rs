//! The runtime as its users see it: two and more endpoints in one process, over a network in memory
//! with virtual time, and a few over real sockets.

mod accept;
mod backpressure;
mod cancel;
mod channels;
mod common;
mod dialing;
mod discovery;
mod domains;
mod hooked;
mod invites;
#[cfg(feature = "jwt")]
mod jwt;
mod limits;
mod linking;
mod many;
mod mapping;
mod overtaken;
mod panics;
mod paths;
mod restarted;
mod routers;
mod shutdown;
mod state;
mod streams_transport;
mod udp;
mod uris;
