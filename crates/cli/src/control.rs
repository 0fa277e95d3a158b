//! The control socket: how a command works on the endpoint that `mesh up` runs with the same state directory.
//!
//! `control.sock` in the state directory, which only its owner may open. The client sends one line, a [`Request`](crate::operation::Request), and
//! gets lines, each an [`Answer`]: records as they come, and at last `done` or `failed`. For a letter it sends one byte,
//! [`CONFIRMED`], once it has printed it, and the endpoint waits for that. A pipe goes on differently
//! after the line `stream`: both ways in frames (see [`frames`]), and when both directions have ended, or one failed,
//! the last lines. In a chat the client goes on sending lines, each an [`Input`](crate::chat::Input).

mod client;
mod frames;
mod lines;
mod server;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::client::Client;
pub(crate) use self::server::Server;
use crate::failure::Failure;
use crate::record::Record;

/// The client has printed the last record.
const CONFIRMED: u8 = b'\n';

/// What the endpoint says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// One record of the command.
    Record(Box<Record>),
    /// From here on, frames.
    Stream,
    /// The command is done.
    Done,
    /// It failed.
    Failed(Failure),
}

/// Where the socket of a state directory is.
fn socket(state: &Path) -> PathBuf {
    state.join("control.sock")
}
