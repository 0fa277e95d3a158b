//! The `mesh` program: everything the library does, without writing code.

mod access;
mod args;
mod ask;
mod chat;
mod command;
#[cfg(unix)]
mod control;
mod endpoint;
mod failure;
mod files;
mod forward;
mod logging;
mod nat;
mod operation;
mod pump;
mod record;
mod report;
mod signal;
mod stdio;
mod streams;
mod target;
mod web;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::failure::{Failure, Outcome};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::init(cli.global.verbose);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If even stderr is gone, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "mesh: {failure}");
            ExitCode::from(failure.code as u8)
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    let outcome = runtime.block_on(command::run(cli));
    // A thread may wait for standard input for ever.
    runtime.shutdown_background();
    outcome
}
