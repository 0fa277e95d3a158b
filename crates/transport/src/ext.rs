//! The polls of a transport as futures.

use std::{
    future::{Future, poll_fn},
    io,
};

use crate::{RecvBatch, Transmit, Transport, TransportEvent, Writable};

/// The `poll_*` functions of [`Transport`] as futures, for programs and tests that use a transport
/// without a runtime of links. Every future is cancel-safe.
pub trait TransportExt: Transport {
    /// Receives into `batch`; see [`Transport::poll_recv`].
    ///
    /// # Errors
    /// As there.
    fn recv(&self, batch: &mut RecvBatch) -> impl Future<Output = io::Result<usize>> + Send {
        poll_fn(|cx| self.poll_recv(cx, batch))
    }

    /// Sends the whole run, waiting where there is no room. Given up halfway, packets at the end
    /// of the run were not sent.
    ///
    /// For one task of a transport: when two wait for room, only the later one is woken.
    ///
    /// # Errors
    /// As [`Transport::try_send`], except that it never would block.
    fn send(&self, transmit: &Transmit<'_>) -> impl Future<Output = io::Result<()>> + Send {
        async {
            let mut rest = *transmit;
            rest.segment_size = Some(transmit.stride());
            while !rest.contents.is_empty() {
                match self.try_send(&rest) {
                    Ok(sent) => rest.contents = rest.contents.get(sent..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.writable().await?;
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }

    /// Waits for room; see [`Transport::poll_writable`].
    ///
    /// # Errors
    /// As there.
    fn writable(&self) -> impl Future<Output = io::Result<Writable>> + Send {
        poll_fn(|cx| self.poll_writable(cx))
    }

    /// Waits for news; see [`Transport::poll_event`].
    fn event(&self) -> impl Future<Output = TransportEvent> + Send {
        poll_fn(|cx| self.poll_event(cx))
    }
}

impl<T: Transport + ?Sized> TransportExt for T {}
