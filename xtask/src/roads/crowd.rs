//! Many TCP connections of a host that is up to no good.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::net::{Host, join};

/// How long one connection may take to be made.
const CONNECT: Duration = Duration::from_millis(300);

/// How long all of them may take; those that are not made then are not.
const GATHER: Duration = Duration::from_secs(15);

/// How often slow ones send a byte.
const SLOW: Duration = Duration::from_secs(1);

/// What the members do once they are connected.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Conduct {
    /// Nothing.
    Idle,
    /// A byte a second, of a packet that never ends.
    Slow,
}

/// The connections, open until it goes home.
pub(super) struct Crowd {
    state: Arc<State>,
    connected: usize,
    thread: JoinHandle<Result<()>>,
}

#[derive(Default)]
struct State {
    leave: AtomicBool,
    closed: AtomicUsize,
    heard: AtomicUsize,
}

impl Crowd {
    /// Connects `size` times from `host`.
    pub(super) fn gather(
        host: &Host,
        to: SocketAddr,
        size: usize,
        conduct: Conduct,
    ) -> Result<Self> {
        let state = Arc::new(State::default());
        let theirs = state.clone();
        let (sender, gathered): (_, Receiver<usize>) = sync_channel(1);
        let thread = host.namespace.inside(move || {
            let members = connect(to, size)?;
            let _not_waited_for = sender.send(members.len());
            stay(&theirs, members, conduct);
            Ok(())
        });
        match gathered.recv() {
            Ok(connected) => Ok(Self {
                state,
                connected,
                thread,
            }),
            Err(_) => {
                join(thread)?;
                bail!("a crowd dispersed")
            }
        }
    }

    /// How many were connected.
    pub(super) fn connected(&self) -> usize {
        self.connected
    }

    /// How many of them the program has closed.
    pub(super) fn closed(&self) -> usize {
        self.state.closed.load(Ordering::Relaxed)
    }

    /// Closes what is open. It is an error if the program ever said anything to one of them.
    pub(super) fn disperse(self) -> Result<()> {
        self.state.leave.store(true, Ordering::Relaxed);
        join(self.thread)?;
        let heard = self.state.heard.load(Ordering::Relaxed);
        ensure!(heard == 0, "the program sent bytes to {heard} strangers");
        Ok(())
    }
}

fn connect(to: SocketAddr, size: usize) -> Result<Vec<TcpStream>> {
    let end = Instant::now() + GATHER;
    let mut members = Vec::with_capacity(size);
    for _ in 0..size {
        if Instant::now() > end {
            break;
        }
        // A listener that takes no more is what some of this is about.
        if let Ok(member) = TcpStream::connect_timeout(&to, CONNECT) {
            member.set_nonblocking(true)?;
            members.push(member);
        }
    }
    ensure!(!members.is_empty(), "{to} takes no connection at all");
    Ok(members)
}

fn stay(state: &State, mut members: Vec<TcpStream>, conduct: Conduct) {
    let mut next = Instant::now();
    while !state.leave.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            members.retain_mut(|member| still_there(state, member, conduct));
            next += SLOW;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Looks whether it is open still, and lets it do what it does.
fn still_there(state: &State, member: &mut TcpStream, conduct: Conduct) -> bool {
    let open = match member.read(&mut [0; 64]) {
        Ok(0) => false,
        Ok(_) => {
            state.heard.fetch_add(1, Ordering::Relaxed);
            true
        }
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    let open = open && (conduct == Conduct::Idle || member.write_all(&[0xff]).is_ok());
    if !open {
        state.closed.fetch_add(1, Ordering::Relaxed);
    }
    open
}
