//! Chats: what happens in one, between an endpoint and whoever types and reads.
//!
//! A [`Session`](session::Session) works on the endpoint: it takes [`Input`]s and reports records. Between it and
//! the one who types there may be the control socket. What they see is plain lines, or a whole screen.

mod host;
mod input;
mod message;
mod open;
mod people;
mod plain;
mod reported;
mod session;
mod shelf;
pub(crate) mod text;
mod tui;

use tokio::sync::mpsc;

use crate::args::Talk;
use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::report::Report;

pub(crate) use self::input::Input;
pub(crate) use self::shelf::Shelf;
pub(crate) use self::{plain::Lines, tui::Screen};

/// Inputs that wait to be done. At the limit whoever types waits.
pub(crate) const INPUT_CAPACITY: usize = 16;

/// Takes part in a chat until whoever types leaves.
pub(crate) async fn perform(
    endpoint: &Endpoint,
    talk: &Talk,
    inputs: &mut mpsc::Receiver<Input>,
    report: &mut Report,
) -> Outcome {
    let opened = open::open(endpoint, talk, report).await?;
    session::Session::new(endpoint, talk, &opened, report)
        .run(inputs)
        .await
}
