//! Chats.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Listen, parse_seconds};

pub(super) const EXAMPLES: &str = "Examples:\n  \
    mesh chat --lead team  # prints an invite for somebody else\n  \
    mesh chat 'link://192.0.2.1:42424/?cs3a=…'  # takes it, and part in the chat; next time the alias will do\n  \
    mesh chat bob --name Ann\n  \
    mesh chat --lead team --ask  # whoever comes has to be let in: /admit bob\n  \
    mesh chat --join 5rfiuj7viqwdy bob  # that chat of his, and no other\n  \
    echo 'the backup is done' | mesh chat --lead team --json\n\n\
In the chat a line that begins with / is a command, and /help lists them. What was said is kept in the state\n\
directory, with --id in memory only. On a terminal it takes the whole screen, elsewhere it reads and prints lines.";

#[derive(Clone, Debug, Args)]
pub(crate) struct Chat {
    #[command(flatten)]
    pub(crate) talk: Talk,
    /// Read and print lines, also on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
    #[command(flatten)]
    pub(crate) at: Listen,
}

/// Which chat, and how.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Talk {
    /// Who leads the chat: URI, link JSON, @file with either, hashname, alias, or unique prefix of a known
    /// hashname
    #[arg(required_unless_present = "lead", conflicts_with = "lead")]
    pub(crate) target: Option<String>,
    /// Lead a chat of this name: begin it, or go on with it
    #[arg(long, value_name = "NAME")]
    pub(crate) lead: Option<String>,
    /// Take part in this chat of TARGET, by its id
    #[arg(long, value_name = "ID", requires = "target")]
    pub(crate) join: Option<String>,
    /// What we are called in the chat; the name of the user otherwise
    #[arg(long, value_name = "NICK")]
    pub(crate) name: Option<String>,
    /// Let in nobody but those whom /admit names; everybody who may link to us otherwise
    #[arg(long, requires = "lead")]
    pub(crate) ask: bool,
    /// Draw the invite as a QR code
    #[arg(long, requires = "lead")]
    pub(crate) qr: bool,
    /// Seconds to wait for the link, and to be let in
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
    /// Somebody looks on: to be let in may take as long as it takes
    #[arg(skip)]
    #[serde(default)]
    pub(crate) patient: bool,
}
