//! Sends runs of packets, as many in a system call as it takes.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use telehash_transport::Capabilities;

use crate::stats::{Counters, count};

/// Largest datagram, and most bytes that the system segments in one call.
const MAX_DATAGRAM: usize = Capabilities::MAX_DATAGRAM;

/// Sends runs and learns how many packets of one the system takes at once.
#[derive(Debug)]
pub(crate) struct Sender {
    /// Packets of a run in one system call. Falls to 1 once the system proves unable.
    max_segments: AtomicUsize,
}

impl Sender {
    pub(crate) fn new(max_segments: usize) -> Self {
        Self {
            max_segments: AtomicUsize::new(max_segments.max(1)),
        }
    }

    pub(crate) fn max_segments(&self) -> usize {
        self.max_segments.load(Ordering::Relaxed)
    }

    /// Sends packets of `stride` bytes each (the last may be shorter) and returns how many bytes of
    /// them are done with: sent, or dropped because they are larger than the interface carries.
    ///
    /// `call` sends a datagram, or several of the given size.
    pub(crate) fn send(
        &self,
        run: &[u8],
        stride: usize,
        counters: &Counters,
        mut call: impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut attempt = Attempt {
            at_once: self.max_segments(),
            refused: false,
            retried: false,
        };
        let mut rest = run;
        while !rest.is_empty() {
            let chunk = attempt.next_chunk(rest, stride);
            let packets = chunk.len().div_ceil(stride);
            if chunk.len() > MAX_DATAGRAM {
                count(&counters.oversized, packets);
            } else {
                count(&counters.send_calls, 1);
                match call(chunk, (packets > 1).then_some(stride)) {
                    Ok(()) => {
                        self.note_success(attempt.refused && chunk.len() == stride);
                        count(&counters.sent_datagrams, packets);
                        count(&counters.sent_bytes, chunk.len());
                        attempt.retried = false;
                    }
                    Err(error) => match attempt.after(&error, packets) {
                        Next::Again => continue,
                        Next::SplitUp => {
                            count(&counters.segmented_here, 1);
                            continue;
                        }
                        Next::Skip => count(&counters.oversized, packets),
                        Next::Stop if rest.len() < run.len() => break,
                        Next::Stop => return Err(note_failure(error, counters)),
                    },
                }
            }
            rest = rest.get(chunk.len()..).unwrap_or_default();
        }
        Ok(run.len() - rest.len())
    }

    /// A packet that goes alone after its run was refused proves that the system cannot segment: it
    /// is not too large.
    fn note_success(&self, was_refused_in_a_run: bool) {
        if was_refused_in_a_run && self.max_segments.swap(1, Ordering::Relaxed) > 1 {
            tracing::info!("the system does not segment UDP; sending packets one by one");
        }
    }
}

fn note_failure(error: io::Error, counters: &Counters) -> io::Error {
    if error.kind() != io::ErrorKind::WouldBlock {
        count(&counters.send_errors, 1);
    }
    error
}

/// How the sending of one run goes.
struct Attempt {
    /// Packets in one system call.
    at_once: usize,
    /// The system refused several at once.
    refused: bool,
    /// This packet failed on behalf of an earlier one and was tried again.
    retried: bool,
}

/// What to do after a system call failed.
enum Next {
    /// The same again.
    Again,
    /// The same, packet by packet.
    SplitUp,
    /// Go on behind these packets, which no interface carries.
    Skip,
    /// Tell the caller.
    Stop,
}

impl Attempt {
    fn next_chunk<'a>(&self, rest: &'a [u8], stride: usize) -> &'a [u8] {
        let packets = self.at_once.min(MAX_DATAGRAM / stride).max(1);
        rest.get(..stride.saturating_mul(packets)).unwrap_or(rest)
    }

    fn after(&mut self, error: &io::Error, packets: usize) -> Next {
        if packets > 1 && refuses_segmentation(error) {
            self.at_once = 1;
            self.refused = true;
            Next::SplitUp
        } else if is_too_large(error) {
            Next::Skip
        } else if is_about_another(error) && !self.retried {
            self.retried = true;
            Next::Again
        } else {
            Next::Stop
        }
    }
}

/// System, driver or interface cannot segment: EIO, EINVAL. Or the packets are too large for the
/// interface, EINVAL or EMSGSIZE; then they fail one by one as well.
fn refuses_segmentation(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    const EINVAL: i32 = 22;
    cfg!(unix) && matches!(error.raw_os_error(), Some(EIO | EINVAL)) || is_too_large(error)
}

/// EMSGSIZE, which has no [`io::ErrorKind`] on stable Rust.
fn is_too_large(error: &io::Error) -> bool {
    let code = if cfg!(windows) {
        10_040
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        90
    } else {
        40
    };
    error.raw_os_error() == Some(code)
}

/// Some systems report on the next call that an earlier datagram was not wanted where it went.
pub(crate) fn is_about_another(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | Interrupted
    )
}

#[cfg(test)]
mod tests;
