//! What all who use a transport share; each part has a lock of its own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
};

use telehash_transport::{Readiness, TransportEvent, ip::Family};
use tokio::{net::TcpStream, time::Instant};

use crate::{
    connection::Connection,
    crowd::Crowd,
    half::Halves,
    layer::Layer,
    limits::{MAX_CONNECTIONS, MAX_EVENTS},
    mailbox::Mailbox,
    socket,
    stats::Counters,
    token::{self, Token},
};

/// What all who use a transport share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) layer: Layer,
    pub(crate) address: SocketAddr,
    pub(crate) family: Family,
    pub(crate) readiness: Readiness,
    pub(crate) listener_waker: Waker,
    /// Connections with room again after they had none, once each.
    pub(crate) writable: Mailbox<u64>,
    pub(crate) events: Mailbox<TransportEvent>,
    pub(crate) counters: Counters,
    connections: RwLock<HashMap<u64, Arc<Connection>>>,
    crowd: Mutex<Crowd>,
    serial: AtomicU64,
    closed: AtomicBool,
}

impl Inner {
    pub(crate) fn new(layer: Layer, address: SocketAddr, family: Family) -> Self {
        let readiness = Readiness::default();
        let listener_waker = readiness.waker(Token::Listener.encode());
        Self {
            layer,
            address,
            family,
            readiness,
            listener_waker,
            writable: Mailbox::new(MAX_CONNECTIONS),
            events: Mailbox::new(MAX_EVENTS),
            counters: Counters::default(),
            connections: RwLock::default(),
            crowd: Mutex::default(),
            serial: AtomicU64::new(1),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// From now on the transport is closed. False if it was so already.
    pub(crate) fn set_closed(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::AcqRel);
        if first {
            self.listener_waker.wake_by_ref();
            self.writable.wake();
        }
        first
    }

    pub(crate) fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new connection.
    pub(crate) fn number(&self, stream: &TcpStream, peer: SocketAddr) -> u64 {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        token::number(serial, socket::is_local(stream, peer))
    }

    pub(crate) fn connection(&self, number: u64) -> Option<Arc<Connection>> {
        let connections = self.connections.read();
        let connections = connections.unwrap_or_else(PoisonError::into_inner);
        connections.get(&number).cloned()
    }

    pub(crate) fn connections(&self) -> Vec<Arc<Connection>> {
        let connections = self.connections.read();
        let connections = connections.unwrap_or_else(PoisonError::into_inner);
        connections.values().cloned().collect()
    }

    /// Adds a connection that has its place in the crowd.
    pub(crate) fn add(
        &self,
        number: u64,
        peer: SocketAddr,
        dialled: bool,
        opened: Instant,
        halves: Halves,
        read_waker: Waker,
    ) {
        let wakers = [
            read_waker,
            self.readiness.waker(Token::Write(number).encode()),
        ];
        let connection = Connection::new(number, peer, dialled, opened, halves, wakers);
        let connection = Arc::new(connection);
        let mut connections = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        connections.insert(number, connection.clone());
        drop(connections);
        connection.wake();
    }

    /// Takes a connection out. False if it was gone.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let mut connections = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let removed = connections.remove(&number);
        drop(connections);
        self.crowd().leave(number);
        removed.is_some()
    }
}
