//! Receives many datagrams in one system call.

use std::{
    array,
    io::{self, IoSliceMut},
    task::{Context, Poll, ready},
};

use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, UdpSocketState};
use telehash_transport::{Ecn, Filled, RecvBatch, Remote, ip};
use tokio::net::UdpSocket;

use crate::{
    send::is_about_another,
    stats::{Counters, count},
};

/// Bytes of a receive buffer: the largest datagram, and all that the system ever joins.
const BUFFER_SIZE: usize = 64 * 1024;

/// Buffers for as many datagrams, or joined runs of them, as one system call takes.
pub(crate) fn new_batch() -> RecvBatch {
    RecvBatch::growing(BATCH_SIZE, BUFFER_SIZE)
}

/// System calls without a packet, because of empty datagrams or of errors that concern earlier ones,
/// that one poll makes. Then it lets other tasks run first.
const MAX_FRUITLESS_CALLS: usize = 32;

/// Receives until there is a packet. Errors about single datagrams are counted and passed over.
pub(crate) fn poll_patiently(
    cx: &mut Context<'_>,
    counters: &Counters,
    mut receive: impl FnMut(&mut Context<'_>) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    for _ in 0..MAX_FRUITLESS_CALLS {
        match ready!(receive(cx)) {
            Ok(0) => {}
            // Taken for ready too early; asking again waits.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if is_about_another(&error) => {
                count(&counters.receive_errors, 1);
                tracing::trace!(%error, "a datagram was not wanted where it went");
            }
            result => return Poll::Ready(result),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Fills `batch` with one system call and returns the number of packets.
pub(crate) fn receive(
    socket: &UdpSocket,
    state: &UdpSocketState,
    batch: &mut RecvBatch,
    counters: &Counters,
) -> io::Result<usize> {
    let mut meta = [RecvMeta::default(); BATCH_SIZE];
    let usable = batch.capacity().min(BATCH_SIZE);
    let mut free = batch.free_buffers();
    let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
        array::from_fn(|_| IoSliceMut::new(free.next().unwrap_or_default()));
    let buffers = buffers.get_mut(..usable).unwrap_or_default();
    count(&counters.receive_calls, 1);
    let filled = state.recv(socket.into(), buffers, &mut meta)?;
    drop(free);
    for meta in meta.iter().take(filled) {
        batch.commit(describe(meta));
        count(&counters.received_bytes, meta.len);
    }
    let packets = batch.len();
    count(&counters.received_datagrams, packets);
    Ok(packets)
}

fn describe(meta: &RecvMeta) -> Filled {
    let mut filled = Filled::packet(Remote::Socket(ip::canonical(meta.addr)), meta.len);
    filled.stride = meta.stride;
    filled.local = meta.dst_ip.and_then(ip::answerable);
    filled.ecn = meta.ecn.map(|ecn| match ecn {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    });
    filled
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
    };

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Polls a system that answers the n-th call with `answer(n)`: the result, the number of calls,
    /// of wake-ups, and of errors counted.
    fn poll(
        mut answer: impl FnMut(usize) -> Poll<io::Result<usize>>,
    ) -> (Poll<Result<usize, io::ErrorKind>>, [usize; 3]) {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let (counters, mut calls) = (Counters::default(), 0);
        let polled = poll_patiently(&mut Context::from_waker(&waker), &counters, |_| {
            calls += 1;
            answer(calls)
        });
        let errors = counters.snapshot().receive_errors as usize;
        let kind = polled.map_err(|error| error.kind());
        (kind, [calls, wakes.0.load(Ordering::Relaxed), errors])
    }

    fn error(kind: io::ErrorKind) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(kind.into()))
    }

    #[test]
    fn errors_about_earlier_datagrams_and_empty_ones_are_passed_over() {
        use io::ErrorKind::{ConnectionRefused, ConnectionReset, WouldBlock};
        let polled = poll(|n| match n {
            1 => error(ConnectionRefused),
            2 => Poll::Ready(Ok(0)),
            3 => error(WouldBlock),
            4 => error(ConnectionReset),
            _ => Poll::Ready(Ok(7)),
        });
        assert_eq!(polled, (Poll::Ready(Ok(7)), [5, 0, 2]));
    }

    #[test]
    fn a_flood_of_errors_lets_other_tasks_run() {
        let polled = poll(|_| error(io::ErrorKind::ConnectionReset));
        let (calls, errors) = (MAX_FRUITLESS_CALLS, MAX_FRUITLESS_CALLS);
        assert_eq!(polled, (Poll::Pending, [calls, 1, errors]));
    }

    #[test]
    fn an_error_of_the_socket_itself_surfaces() {
        let polled = poll(|_| error(io::ErrorKind::PermissionDenied));
        assert_eq!(
            polled,
            (Poll::Ready(Err(io::ErrorKind::PermissionDenied)), [1, 0, 0])
        );
    }

    #[test]
    fn an_idle_socket_waits() {
        assert_eq!(poll(|_| Poll::Pending), (Poll::Pending, [1, 0, 0]));
    }
}
