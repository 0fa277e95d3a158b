//! Logs, to stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;

/// The terminal shows something else.
static HELD: AtomicBool = AtomicBool::new(false);

/// Starts logging: what `RUST_LOG` says, or more with every `-v`.
pub(crate) fn init(verbose: u8) {
    let default = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // A second subscriber would be a mistake of ours; logging is not worth failing for.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
}

/// While logs are held, those that would go to a terminal are left out.
pub(crate) fn hold(on: bool) {
    HELD.store(on && io::stderr().is_terminal(), Ordering::Relaxed);
}

fn writer() -> Box<dyn Write> {
    match HELD.load(Ordering::Relaxed) {
        true => Box::new(io::sink()),
        false => Box::new(io::stderr()),
    }
}
