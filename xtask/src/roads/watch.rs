//! What comes to a host from an address, seen below all sockets.

use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, SocketType, eth, socket};

use super::net::{Host, join};

/// How long an answer may be on its way; after that nobody answers.
const ANSWER: Duration = Duration::from_millis(500);

/// How long the thread waits before it looks whether it should end.
const TICK: Duration = Duration::from_millis(20);

/// Room for packets that the thread has not got to.
const BUFFER: usize = 4 << 20;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A thread that notes everything that comes.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Vec<u8>>>>,
}

impl Watch {
    /// Watches what comes to `host` from `address` from now on.
    pub(super) fn start(host: &Host, address: Ipv4Addr) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = stop.clone();
        let (sender, ready) = sync_channel(1);
        let thread = host.namespace.inside(move || {
            let socket = packet_socket().context("could not watch packets")?;
            let _not_waited_for = sender.send(());
            watch(socket, address, &theirs)
        });
        if ready.recv().is_err() {
            join(thread)?;
            bail!("a watch ended by itself")
        }
        Ok(Self { stop, thread })
    }

    /// The payloads of UDP and TCP that came, empty ones left out, after a moment for the last answer.
    pub(super) fn finish(self) -> Result<Vec<Vec<u8>>> {
        thread::sleep(ANSWER);
        self.stop.store(true, Ordering::Relaxed);
        join(self.thread)
    }
}

/// A socket that gets a copy of every packet, from its IP header on.
fn packet_socket() -> Result<File> {
    let socket = socket(AddressFamily::PACKET, SocketType::DGRAM, Some(eth::ALL))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(TICK))?;
    set_socket_recv_buffer_size(&socket, BUFFER)?;
    Ok(File::from(socket))
}

fn watch(mut socket: File, address: Ipv4Addr, stop: &AtomicBool) -> Result<Vec<Vec<u8>>> {
    let mut heard = Vec::new();
    let mut packet = vec![0; 1 << 16];
    while !stop.load(Ordering::Relaxed) {
        // Nothing came within the time.
        let Ok(count) = socket.read(&mut packet) else {
            continue;
        };
        match payload(&packet[..count], address) {
            Some([]) | None => {}
            Some(payload) => heard.push(payload.to_vec()),
        }
    }
    Ok(heard)
}

/// What UDP or TCP bring in a packet of IPv4 from `address`.
fn payload(packet: &[u8], address: Ipv4Addr) -> Option<&[u8]> {
    let first = *packet.first()?;
    let total = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
    if first >> 4 != 4 || packet.get(12..16)? != address.octets() {
        return None;
    }
    let body = packet.get(words(first)..usize::from(total))?;
    match *packet.get(9)? {
        UDP => body.get(8..),
        TCP => body.get(words(*body.get(12)? >> 4)..),
        _ => None,
    }
}

/// Bytes of a header whose length in words of 4 bytes is in these 4 bits.
fn words(nibble: u8) -> usize {
    usize::from(nibble & 0xf) * 4
}
