//! What a measured library must do.

use std::{any::Any, time::Duration};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;

use crate::{iroh_peer::Iroh, libp2p_peer::Libp2p, ours::Ours, quinn_peer::Quinn};

/// A library under measurement.
#[async_trait]
pub trait Library: Send + Sync {
    /// A far end that discards what streams bring, acknowledges each stream's end with one byte,
    /// and echoes 64-byte pings.
    async fn serve(&self) -> Result<Box<dyn Server>>;
    /// A connection to a far end at this address, of this or another process.
    async fn dial(&self, address: &str) -> Result<Box<dyn Connection>>;
}

/// A running far end.
#[async_trait]
pub trait Server: Send + Sync {
    /// What [`Library::dial`] needs.
    fn address(&self) -> String;
    /// Links the far end itself to this address, and keeps it so.
    async fn reach(&self, address: &str) -> Result<()> {
        bail!("this far end links to nobody, nor to {address}")
    }
}

/// One connection.
#[async_trait]
pub trait Connection: Send + Sync {
    /// Sends this many bytes on one stream, and waits until the far end has them all. May be called
    /// many times at once.
    async fn upload(&self, bytes: u64) -> Result<()>;
    /// 64-byte round trips on one open stream, one after the other.
    async fn pings(&self, count: usize) -> Result<Vec<Duration>>;
    /// A stream on which nothing happens after the far end has it, until it is dropped.
    async fn idle_stream(&self) -> Result<Box<dyn Any + Send>> {
        bail!("not measured with this library")
    }
    /// Closes it.
    async fn close(self: Box<Self>);
}

/// The library of this name; a variant's name is ours.
pub fn named(name: &str) -> Result<Box<dyn Library>> {
    Ok(match name {
        "iroh" => Box::new(Iroh),
        "libp2p" => Box::new(Libp2p),
        "quinn" => Box::new(Quinn),
        _ => Box::new(Ours(name.parse().with_context(|| {
            format!("`{name}` is no variant, nor iroh, libp2p or quinn")
        })?)),
    })
}
