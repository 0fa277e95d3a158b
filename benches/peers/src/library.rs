//! What a measured library must do.

use std::time::Duration;

use anyhow::{Result, bail};
use async_trait::async_trait;

use crate::{
    libp2p_peer::Libp2p,
    ours::{Carrier, Ours},
    quinn_peer::Quinn,
};

/// A library under measurement.
#[async_trait]
pub trait Library: Send + Sync {
    /// Its name in the table.
    fn name(&self) -> &'static str;
    /// A far end that discards what streams bring, acknowledges each stream's end with one byte,
    /// and echoes 64-byte pings.
    async fn serve(&self) -> Result<Box<dyn Server>>;
    /// A connection to a far end at this address, of this or another process.
    async fn dial(&self, address: &str) -> Result<Box<dyn Connection>>;
}

/// A running far end.
pub trait Server: Send + Sync {
    /// What [`Library::dial`] needs.
    fn address(&self) -> String;
}

/// One connection.
#[async_trait]
pub trait Connection: Send + Sync {
    /// Sends this many bytes on one stream, and waits until the far end has them all.
    async fn upload(&self, bytes: u64) -> Result<()>;
    /// 64-byte round trips on one open stream, one after the other.
    async fn pings(&self, count: usize) -> Result<Vec<Duration>>;
    /// Closes it.
    async fn close(self: Box<Self>);
}

/// The library of this name; a transport's name is ours over it.
pub fn named(name: &str) -> Result<Box<dyn Library>> {
    match name {
        "quinn" => Ok(Box::new(Quinn)),
        "libp2p" => Ok(Box::new(Libp2p)),
        _ => match Carrier::named(name) {
            Some(carrier) => Ok(Box::new(Ours(carrier))),
            None => bail!("`{name}` is none of quinn and libp2p, nor of udp, tcp and quic, ours"),
        },
    }
}
