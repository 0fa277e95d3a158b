//! The machinery between links and sockets (architecture.md, "How packets flow").
//!
//! - One receive task per transport ([`receive`]): a batch from one system call, the endpoint
//!   locked once to find whose packets they are, then each link locked once for all of its own.
//! - Whoever worked on a link fills its transmit buffer under the same lock and makes the system
//!   call after releasing it ([`LinkDriver::run`]); one thread sends for a link at a time, so that
//!   packets leave in order. A writer sends its own data.
//! - What a transport takes no more of waits in its queue ([`port`]), and the link goes on with its
//!   other pipes; so does a link that had its turn. One task per transport serves the queue round
//!   robin, once there is room.
//! - One task for the deadlines of all links ([`timers`]).
//!
//! Locks are taken in the order link, endpoint, directory; none is held across an await, a system
//! call, or code of the application.

mod channels;
mod core;
mod effects;
mod link_driver;
mod pool;
mod port;
mod receive;
mod timers;

pub(crate) use self::{
    channels::ChannelSlot,
    core::Core,
    effects::{Effects, Opened},
    link_driver::{LinkDriver, Status, Target},
    pool::BufferPool,
    port::{Port, serve},
    receive::receive,
    timers::{Timers, run as run_timers},
};
