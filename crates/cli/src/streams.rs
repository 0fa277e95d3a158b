//! The streams that peers open: echoed, or handed to whoever waits for one.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh::prelude::*;
use tokio::sync::oneshot;

use crate::command::pipe::NOBODY_WAITS;
use crate::failure::{Failure, Outcome};
use crate::pump::{Outlet, Plain, PumpError, pump};

/// Commands that may wait for a stream; one more fails.
const MAX_WAITING: usize = 16;

/// What becomes of the streams that peers open.
#[derive(Debug)]
pub(crate) struct Streams {
    echo: bool,
    waiting: Mutex<VecDeque<oneshot::Sender<ByteStream>>>,
}

impl Streams {
    /// With `echo`, a stream that nobody waits for gets its own bytes back.
    pub(crate) fn new(echo: bool) -> Self {
        Self {
            echo,
            waiting: Mutex::default(),
        }
    }

    /// The next stream that a peer opens.
    pub(crate) async fn next(&self) -> Outcome<ByteStream> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            waiting.retain(|waiting| !waiting.is_closed());
            if waiting.len() >= MAX_WAITING {
                let failure = Failure::failed(format_args!(
                    "{MAX_WAITING} commands wait for a stream already"
                ));
                return Err(failure.hint("end one of them"));
            }
            waiting.push_back(sender);
        }
        receiver
            .await
            .map_err(|_| Failure::failed("the endpoint was closed while waiting for a stream"))
    }

    /// Takes care of one.
    pub(crate) async fn take(self: Arc<Self>, incoming: IncomingStream) -> io::Result<()> {
        match self.first_waiting() {
            Some(waiting) => {
                // If it left at this moment, the stream is dropped and the peer sees that.
                let _ = waiting.send(incoming.accept()?);
                Ok(())
            }
            None if self.echo => echo(incoming.accept()?).await,
            None => {
                incoming.refuse(NOBODY_WAITS);
                Ok(())
            }
        }
    }

    fn first_waiting(&self) -> Option<oneshot::Sender<ByteStream>> {
        let mut waiting = self.waiting();
        std::iter::from_fn(|| waiting.pop_front()).find(|waiting| !waiting.is_closed())
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<ByteStream>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends back what comes, and the end.
pub(crate) async fn echo(stream: ByteStream) -> io::Result<()> {
    let (reader, writer) = stream.into_split();
    match pump(Plain(reader), Outlet::Closed(writer), |_| {}).await {
        Ok(_) => Ok(()),
        Err(PumpError::Source(error) | PumpError::Sink(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn only_so_many_commands_wait_for_a_stream_and_those_that_left_make_room() {
        let streams = Streams::new(false);
        let cx = &mut Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(streams.next())).collect();
        assert!(
            waiting
                .iter_mut()
                .all(|next| next.as_mut().poll(cx).is_pending())
        );
        assert!(
            pin!(streams.next()).poll(cx).is_ready(),
            "one too many fails"
        );
        waiting.pop();
        assert!(pin!(streams.next()).poll(cx).is_pending());
    }
}
