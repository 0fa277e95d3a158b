//! Being told to end: SIGINT (Ctrl-C) and SIGTERM.

use std::io;

use crate::failure::{Failure, Outcome};

/// Works until it is done, or until the program is told to end: then the work is dropped where it is.
pub(crate) async fn interruptible<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    // Before the work begins: whoever sees a first sign of it may send a signal.
    let mut signals = Signals::listen()
        .map_err(|error| Failure::failed(format_args!("cannot listen to signals: {error}")))?;
    tokio::select! {
        // Where a whole pipeline is interrupted, an end of input is no end of the data.
        biased;
        () = signals.next() => Err(Failure::interrupted()),
        outcome = work => outcome,
    }
}

/// The signals that tell the program to end. Once somebody listens they do not kill it any more.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt())?;
            Ok(Self {
                interrupt,
                terminate: signal(SignalKind::terminate())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Completes with the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
