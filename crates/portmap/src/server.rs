//! A mapping server for tests, as good or bad as they need it.
//!
//! It speaks PCP and NAT-PMP on UDP port 5351, and UPnP by SSDP on 1900 and HTTP: run it where it is
//! alone, in a network namespace. It keeps no clock: leases end when they are given back.

mod igd;
mod pcp;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::port::{Method, Port, Protocol};

/// What the server does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// What they ask for.
    Good,
    /// Refuses them.
    Refusing,
    /// Answers with less than an answer has.
    Short,
    /// Answers with what belongs to another request.
    Mistaken,
    /// Answers nothing.
    Silent,
}

/// Somebody wants a port mapped, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// How it was asked for.
    pub method: Method,
    /// The port inside.
    pub port: Port,
    /// The port outside.
    pub external: u16,
    /// Seconds; 0 takes it back.
    pub lifetime: u32,
}

/// What a server is like.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its address inside.
    pub address: Ipv4Addr,
    /// The outer address that it tells of.
    pub external: Ipv4Addr,
    /// What it speaks.
    pub methods: Vec<Method>,
    /// How it does so.
    pub temper: Temper,
    /// Where it says that its UPnP device is, if not where it is.
    pub location: Option<SocketAddrV4>,
    /// Seconds since it began, as it says.
    pub epoch: u32,
}

/// What the threads of a server share.
#[derive(Clone)]
struct Server {
    description: Arc<Description>,
    changes: Arc<Mutex<dyn FnMut(Change) + Send>>,
}

/// Runs a server on threads of their own, until the process ends. Each change that it agrees to goes
/// to `changed` first.
///
/// # Errors
/// A port is taken.
pub fn start(
    description: Description,
    changed: impl FnMut(Change) + Send + 'static,
) -> io::Result<()> {
    let server = Server {
        description: Arc::new(description),
        changes: Arc::new(Mutex::new(changed)),
    };
    let speaks = |method| server.description.methods.contains(&method);
    if speaks(Method::Pcp) || speaks(Method::NatPmp) {
        let socket = pcp::bind(&server)?;
        let server = server.clone();
        spawn_inside(move || pcp::serve(&server, &socket));
    }
    if speaks(Method::Upnp) {
        let device = igd::Device::bind(&server)?;
        let http = device.clone_http()?;
        let of_http = server.clone();
        spawn_inside(move || device.answer_searches(&server));
        spawn_inside(move || igd::serve(&of_http, &http));
    }
    Ok(())
}

/// Sockets are bound already; a new thread is in the namespace of the one that starts it anyway.
fn spawn_inside(work: impl FnOnce() -> io::Result<()> + Send + 'static) {
    thread::spawn(move || {
        if let Err(error) = work() {
            eprintln!("the mapping server ended: {error}");
        }
    });
}

impl Server {
    fn change(&self, change: Change) {
        let mut changed = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changed(change);
    }
}

/// A protocol by its number of IP.
fn protocol(number: u8) -> Option<Protocol> {
    match number {
        6 => Some(Protocol::Tcp),
        17 => Some(Protocol::Udp),
        _ => None,
    }
}
