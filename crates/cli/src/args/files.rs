//! Sending and receiving files.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Listen, parse_seconds, parse_size};

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct SendFiles {
    /// URI, link JSON, @file with either, hashname, alias, or unique prefix of a known hashname
    pub(crate) target: String,
    /// Files and folders to send
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Seconds to wait for the link
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
    /// Seconds to try to go on for, when the transfer breaks off
    #[arg(long, value_name = "S", default_value = "60", value_parser = parse_seconds)]
    pub(crate) patience: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Recv {
    #[command(flatten)]
    pub(crate) into: RecvInto,
    #[command(flatten)]
    pub(crate) at: Listen,
}

/// Where files go to.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct RecvInto {
    /// The folder to receive into
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Take no more bytes than this in all, such as 10G
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) quota: Option<u64>,
    /// Refuse files that are larger than this
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_file: Option<u64>,
    /// Go on after the first transfer
    #[arg(long)]
    pub(crate) keep: bool,
    /// Draw the invite as a QR code
    #[arg(long)]
    pub(crate) qr: bool,
}
