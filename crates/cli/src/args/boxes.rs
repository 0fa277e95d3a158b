//! `mesh box`, and what a cache keeps.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use mesh::boxes::Quota;
use serde::{Deserialize, Serialize};

use super::{Listen, parse_lifetime, parse_seconds, parse_size};

#[derive(Debug, Subcommand)]
pub(crate) enum BoxCommand {
    /// Leave a letter, read from standard input, for TARGET: there if it takes letters, else at caches
    #[command(after_help = "Examples:\n  \
        mesh box put bob < letter.txt\n  \
        echo 'see you at noon' | mesh box put bob --via @home.json --via @work.json\n  \
        mesh box put @bob.json --via home --keep-for 2d < photo.jpg\n\n\
        Exit codes: 0 TARGET has it or a cache took it, 3 nobody was reached, 4 whoever was refused it.\n\
        A cache does not tell whether it had room, nor whether it knows TARGET.")]
    Put(BoxPut),
    /// Get our letters from caches, each once; a letter leaves its cache once it is written out
    #[command(after_help = "Examples:\n  \
        mesh box get\n  \
        mesh box get --via @home.json --via @work.json\n  \
        mesh box get --dir letters  # each into a file of its own\n  \
        mesh box get --follow --json  # those that come later, too\n  \
        mesh box get --json > letter; mesh box put @letter --via home < answer")]
    Get(BoxGet),
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct BoxPut {
    /// URI, link JSON, @file with either, hashname, alias, or unique prefix of a known hashname; its
    /// keys have to be known
    pub(crate) target: String,
    /// A cache that keeps the letter if TARGET is not there (a target itself; may be repeated); the
    /// routers in use if none is named
    #[arg(long, value_name = "CACHE")]
    pub(crate) via: Vec<String>,
    /// How long caches are to keep it at most: 90s, 15m, 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = parse_lifetime)]
    pub(crate) keep_for: Option<Duration>,
    /// Seconds to wait for TARGET, and for each cache
    #[arg(long, value_name = "S", default_value = "5", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
    /// What standard input held, in base64.
    #[arg(skip)]
    pub(crate) letter: String,
}

#[derive(Debug, Args)]
pub(crate) struct BoxGet {
    #[command(flatten)]
    pub(crate) from: Letters,
    #[command(flatten)]
    pub(crate) at: Listen,
}

/// Where letters come from, and where they go.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Letters {
    /// A cache to ask (a target itself; may be repeated); whoever is linked, and the routers in use, if
    /// none is named
    #[arg(long, value_name = "CACHE")]
    pub(crate) via: Vec<String>,
    /// Write each letter, byte by byte, into a file of its own in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Go on until interrupted, with what comes later, directly or through a cache
    #[arg(long)]
    pub(crate) follow: bool,
    /// Draw the invite that --follow prints as a QR code
    #[arg(long, requires = "follow")]
    pub(crate) qr: bool,
    /// Seconds to wait for each cache
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}

/// What a cache keeps.
#[derive(Clone, Debug, Args)]
pub(crate) struct Caching {
    /// Keep letters of whoever may link to us, for whoever may, in memory and sealed
    #[arg(long = "box")]
    pub(crate) on: bool,
    /// Bytes of all letters, as 64M, which is the default; each counts 1280 bytes more than it has
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "on")]
    box_quota: Option<u64>,
    /// Bytes of the letters of one sender; 1M by default
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "on")]
    box_per_sender: Option<u64>,
    /// Bytes of the letters for one recipient; 4M by default
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "on")]
    box_per_recipient: Option<u64>,
    /// How long a letter is kept: 90s, 15m, 1h or 7d; 14d by default
    #[arg(long, value_name = "TIME", value_parser = parse_lifetime, requires = "on")]
    box_expires: Option<Duration>,
}

impl Caching {
    pub(crate) fn quota(&self) -> Quota {
        let bytes =
            |size: Option<u64>| size.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let mut quota = Quota::new();
        quota.total = bytes(self.box_quota).unwrap_or(quota.total);
        quota.per_sender = bytes(self.box_per_sender).unwrap_or(quota.per_sender);
        quota.per_recipient = bytes(self.box_per_recipient).unwrap_or(quota.per_recipient);
        quota.max_age = self.box_expires.unwrap_or(quota.max_age);
        quota
    }
}
