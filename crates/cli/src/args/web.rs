//! Publishing, browsing and fetching.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Listen, parse_seconds};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) site: Site,
    #[command(flatten)]
    pub(crate) at: Listen,
}

/// What is published.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Site {
    /// A folder, or the URL of a local web server, as http://127.0.0.1:3000
    #[arg(value_name = "DIR|URL")]
    pub(crate) what: String,
    /// Draw the invite as a QR code
    #[arg(long)]
    pub(crate) qr: bool,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Proxy {
    /// The address that browsers connect to
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8042")]
    pub(crate) listen: SocketAddr,
    /// Let it be an address that other hosts reach: they then speak for this endpoint
    #[arg(long)]
    pub(crate) expose: bool,
    /// Seconds to wait for a link
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Get {
    /// Whom to ask and for what: an alias, a hashname or a unique prefix, and a path
    #[arg(value_name = "NAME/PATH")]
    pub(crate) url: String,
    /// Write the response to this file, once it is complete
    #[arg(short, long, value_name = "FILE", conflicts_with = "remote_name")]
    pub(crate) output: Option<PathBuf>,
    /// Write it to a file named as the last part of the path
    #[arg(short = 'O', long)]
    pub(crate) remote_name: bool,
    /// Ask for the head alone, and print it
    #[arg(short = 'I', long, conflicts_with_all = ["output", "remote_name"])]
    pub(crate) head: bool,
    /// The method; GET, or POST with --data
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) request: Option<String>,
    /// Send this header, `Name: value` (may be repeated)
    #[arg(short = 'H', long, value_name = "HEADER")]
    pub(crate) header: Vec<String>,
    /// Send this, or with @ the contents of a file
    #[arg(short, long, value_name = "DATA|@FILE")]
    pub(crate) data: Option<String>,
    /// Fail, with exit code 1, if the response's status is 400 or more
    #[arg(short, long)]
    pub(crate) fail: bool,
    /// Seconds to wait for the link
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}
