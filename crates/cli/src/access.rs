//! Where a command works: on the endpoint that runs already, or on one of its own.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

use crate::args::Global;
#[cfg(unix)]
use crate::control::Client;
use crate::endpoint::{BringUpError, Endpoint, Listening, Place};
use crate::failure::{Failure, Outcome};
use crate::operation::{self, Request};
use crate::report::Report;
#[cfg(unix)]
use crate::signal::interruptible;

/// An endpoint to work on.
pub(crate) enum Access {
    /// `mesh up` runs with the same state directory.
    #[cfg(unix)]
    Running(Client),
    /// This process has its own, as long as it works.
    Own(Box<Endpoint>),
}

impl Access {
    /// Brings an endpoint up, or attaches to the one that uses the same state directory.
    pub(crate) async fn open(global: &Global, listening: &Listening) -> Outcome<Self> {
        let place = place(global)?;
        let up = Endpoint::up(&place, listening, global).await;
        match (up, &place) {
            (Ok(endpoint), _) => Ok(Self::Own(Box::new(endpoint))),
            #[cfg(unix)]
            (Err(BringUpError::InUse(failure)), Place::State(state)) => {
                match Client::connect(state).await {
                    Some(_) if !global.name_server.is_empty() => Err(Failure::usage(
                        "an endpoint runs already, and --name-server cannot change whom it asks",
                    )
                    .hint("leave it out, or give it to `mesh up`")),
                    Some(_) if global.congestion.is_some() => Err(Failure::usage(
                        "an endpoint runs already, and --congestion cannot change how it sends",
                    )
                    .hint("leave it out, or give it to `mesh up`")),
                    Some(client) => Ok(Self::Running(client)),
                    None => Err(failure),
                }
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Has something done, and closes an endpoint of our own afterwards.
    pub(crate) async fn perform(self, request: Request, report: &mut Report) -> Outcome {
        match self {
            #[cfg(unix)]
            Self::Running(client) => interruptible(client.perform(&request, report)).await,
            Self::Own(endpoint) => {
                let work = operation::perform(&endpoint, request, report);
                endpoint.while_up(work).await
            }
        }
    }
}

/// The identity file or state directory that the command line names.
pub(crate) fn place(global: &Global) -> Outcome<Place> {
    match &global.id {
        Some(file) => Ok(Place::File {
            path: file.clone(),
            announce: !global.json,
        }),
        None => state_dir(global).map(Place::State),
    }
}

/// The state directory: what the command line names, or the platform's own place for it.
pub(crate) fn state_dir(global: &Global) -> Outcome<PathBuf> {
    if let Some(directory) = &global.state {
        return Ok(directory.clone());
    }
    match etcetera::choose_base_strategy() {
        Ok(strategy) => Ok(strategy.config_dir().join("mesh")),
        Err(_) => Err(Failure::usage("this user has no home directory")
            .hint("name a state directory with --state")),
    }
}
