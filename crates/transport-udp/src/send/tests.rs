//! Sending against a system that refuses in every way.

use super::*;

const EMSGSIZE: i32 = if cfg!(target_os = "linux") { 90 } else { 40 };
const EINVAL: i32 = 22;
const EIO: i32 = 5;

/// Sends `run` to a system that answers each call with `answer(call number, bytes, segment size)`.
/// The result, the sizes of the calls that succeeded, and the counters.
struct Outcome {
    result: io::Result<usize>,
    sent: Vec<(usize, Option<usize>)>,
    stats: crate::UdpStats,
}

fn send(
    sender: &Sender,
    run: &[u8],
    stride: usize,
    mut answer: impl FnMut(usize, &[u8], Option<usize>) -> io::Result<()>,
) -> Outcome {
    let counters = Counters::default();
    let (mut sent, mut calls) = (Vec::new(), 0);
    let result = sender.send(run, stride, &counters, |chunk, segment| {
        calls += 1;
        answer(calls, chunk, segment)?;
        sent.push((chunk.len(), segment));
        Ok(())
    });
    Outcome {
        result,
        sent,
        stats: counters.snapshot(),
    }
}

fn os_error(code: i32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(code))
}

fn would_block() -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

#[test]
fn a_run_goes_in_as_few_calls_as_the_system_allows() {
    let sender = Sender::new(64);
    let run = send(&sender, &[0; 100 * 1_200 + 7], 1_200, |_, _, _| Ok(()));
    // 54 packets of 1200 bytes fit into the largest datagram that the system segments.
    let full = (54 * 1_200, Some(1_200));
    assert_eq!(run.sent, [full, (46 * 1_200 + 7, Some(1_200))]);
    assert_eq!(
        (run.result.unwrap(), run.stats.sent_datagrams),
        (120_007, 101)
    );
    assert_eq!((run.stats.send_calls, run.stats.sent_bytes), (2, 120_007));

    let small = send(&sender, &[0; 100 * 10], 10, |_, _, _| Ok(()));
    assert_eq!(small.sent, [(640, Some(10)), (360, Some(10))]);
}

#[test]
fn a_single_packet_is_never_called_a_run() {
    let run = send(&Sender::new(64), &[0; 1_200], 1_200, |_, _, _| Ok(()));
    assert_eq!(run.sent, [(1_200, None)]);
}

#[test]
fn a_system_without_segmentation_gets_packet_by_packet() {
    let run = send(&Sender::new(1), &[0; 25], 10, |_, _, _| Ok(()));
    assert_eq!(run.sent, [(10, None), (10, None), (5, None)]);
}

#[test]
fn a_system_that_refuses_to_segment_gets_packet_by_packet_from_then_on() {
    for code in [EIO, EINVAL] {
        let sender = Sender::new(64);
        let refuse = |_, _: &[u8], segment: Option<usize>| match segment {
            Some(_) => os_error(code),
            None => Ok(()),
        };
        let run = send(&sender, &[0; 25], 10, refuse);
        assert_eq!(run.result.unwrap(), 25);
        assert_eq!(run.sent, [(10, None), (10, None), (5, None)]);
        assert_eq!((run.stats.segmented_here, run.stats.send_errors), (1, 0));
        assert_eq!(sender.max_segments(), 1);
        assert_eq!(send(&sender, &[0; 20], 10, refuse).stats.send_calls, 2);
    }
}

#[test]
fn packets_too_large_for_the_interface_do_not_end_segmentation() {
    for code in [EINVAL, EMSGSIZE] {
        let sender = Sender::new(64);
        let run = send(&sender, &[0; 25], 10, |_, packet, segment| match segment {
            Some(_) => os_error(code),
            None if packet.len() == 10 => os_error(EMSGSIZE),
            None => Ok(()),
        });
        assert_eq!(run.sent, [(5, None)], "the last one is small enough");
        assert_eq!((run.result.unwrap(), run.stats.oversized), (25, 2));
        assert_eq!(sender.max_segments(), 64);
    }
}

#[test]
fn datagrams_that_no_interface_carries_are_dropped_without_a_call() {
    let (run, stride) = (vec![0; 2 * (MAX_DATAGRAM + 1) + 9], MAX_DATAGRAM + 1);
    let run = send(&Sender::new(64), &run, stride, |_, _, _| Ok(()));
    assert_eq!(run.sent, [(9, None)]);
    assert_eq!((run.stats.oversized, run.stats.send_calls), (2, 1));
    assert_eq!(run.result.unwrap(), 2 * (MAX_DATAGRAM + 1) + 9);

    let largest = send(
        &Sender::new(64),
        &[0; MAX_DATAGRAM],
        MAX_DATAGRAM,
        |_, _, _| Ok(()),
    );
    assert_eq!(largest.sent, [(MAX_DATAGRAM, None)]);
}

#[test]
fn a_full_socket_takes_part_of_a_run_or_nothing() {
    let sender = Sender::new(2);
    let third = |n, _: &[u8], _| if n == 3 { would_block() } else { Ok(()) };
    let run = send(&sender, &[0; 100], 10, third);
    assert_eq!(run.result.unwrap(), 40);
    assert_eq!((run.stats.sent_datagrams, run.stats.send_errors), (4, 0));

    let run = send(&sender, &[0; 100], 10, |_, _, _| would_block());
    assert_eq!(run.result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(run.stats.send_errors, 0);
}

#[test]
fn a_socket_that_fills_up_after_a_refusal_is_asked_to_segment_again() {
    let sender = Sender::new(64);
    let run = send(&sender, &[0; 20], 10, |_, _, segment| match segment {
        Some(_) => os_error(EIO),
        None => would_block(),
    });
    assert_eq!(run.result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(sender.max_segments(), 64, "nothing is proven yet");
}

#[test]
fn an_error_about_an_earlier_datagram_costs_nothing() {
    let refused = || Err(io::ErrorKind::ConnectionRefused.into());
    let first = |n, _: &[u8], _| if n == 1 { refused() } else { Ok(()) };
    let run = send(&Sender::new(1), &[0; 20], 10, first);
    assert_eq!((run.result.unwrap(), run.stats.send_calls), (20, 3));

    // Again and again, it is about this one.
    let run = send(&Sender::new(1), &[0; 20], 10, |_, _, _| refused());
    assert_eq!(
        run.result.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
    assert_eq!((run.stats.send_calls, run.stats.send_errors), (2, 1));
}

#[test]
fn other_errors_are_told_once_nothing_was_sent() {
    let denied = |n, _: &[u8], _| match n {
        1 => Ok(()),
        _ => Err(io::ErrorKind::PermissionDenied.into()),
    };
    let run = send(&Sender::new(1), &[0; 20], 10, denied);
    assert_eq!(run.result.unwrap(), 10);
    let run = send(&Sender::new(1), &[0; 10], 10, |n, packet, s| {
        denied(n + 1, packet, s)
    });
    assert_eq!(
        run.result.unwrap_err().kind(),
        io::ErrorKind::PermissionDenied
    );
    assert_eq!(run.stats.send_errors, 1);
}
