//! Channel packets, honest and otherwise.

use super::*;
use crate::cs2a::iv::MAX_IVS;
use crate::{OpenError, Overhead, ReplayWindow, SealError, Token};

#[test]
fn a_packet_of_any_length_comes_out_as_it_went_in() {
    let (mut a, mut b) = World::new(1).sessions();
    for len in (0..=130).chain([1_400, 65_000]) {
        let text: Vec<_> = (0..len).map(|i| i as u8).collect();
        let packet = sealed(&mut a, &text);
        assert_eq!(packet.len(), len + a.overhead().total());
        assert_eq!(open(&mut b, &packet), text);
        let packet = sealed(&mut b, &text);
        assert_eq!(open(&mut a, &packet), text);
    }
}

#[test]
fn ivs_have_four_random_bytes_and_count_from_zero() {
    let (mut a, mut b) = World::new(1).sessions();
    let iv = |packet: Vec<u8>| (packet[18..22].to_vec(), packet[22..30].to_vec());
    let (prefix, first) = iv(sealed(&mut a, b"x"));
    let (again, second) = iv(sealed(&mut a, b"x"));
    let (other, _) = iv(sealed(&mut b, b"x"));
    assert_eq!(prefix, again);
    assert_ne!(prefix, other);
    assert_eq!(first, 0_u64.to_be_bytes());
    assert_eq!(second, 1_u64.to_be_bytes());
}

#[test]
fn a_flipped_bit_anywhere_is_noticed_and_changes_nothing() {
    let (mut a, mut b) = World::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    let before = std::format!("{b:?}");
    for bit in 0..packet.len() * 8 {
        let mut forged = packet.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let sent = forged.clone();
        let expected = if bit < 16 {
            OpenError::Malformed
        } else {
            OpenError::Forged
        };
        assert_eq!(b.open(NOW, &mut forged), Err(expected), "bit {bit}");
        assert_eq!(forged, sent, "bit {bit}");
    }
    assert_eq!(std::format!("{b:?}"), before);
    assert_eq!(open(&mut b, &packet), b"hello");
}

#[test]
fn a_packet_cut_off_or_extended_anywhere_is_refused() {
    let (mut a, mut b) = World::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    for len in 0..packet.len() {
        let expected = if len < OVERHEAD {
            OpenError::Malformed
        } else {
            OpenError::Forged
        };
        assert_eq!(
            b.open(NOW, &mut packet[..len].to_vec()),
            Err(expected),
            "{len} bytes"
        );
    }
    let mut extended = [&packet[..], &[0]].concat();
    assert_eq!(b.open(NOW, &mut extended), Err(OpenError::Forged));
    assert_eq!(open(&mut b, &packet), b"hello");
}

#[test]
fn a_packet_counts_once() {
    let (mut a, mut b) = World::new(1).sessions();
    let packets: Vec<_> = (0..10).map(|_| sealed(&mut a, b"hello")).collect();
    for packet in packets.iter().rev() {
        open(&mut b, packet);
    }
    for packet in &packets {
        assert_eq!(b.open(NOW, &mut packet.clone()), Err(OpenError::Replayed));
    }
}

#[test]
fn a_packet_2048_behind_is_too_late() {
    let (mut a, mut b) = World::new(1).sessions();
    let late = sealed(&mut a, b"late");
    let just_in_time = sealed(&mut a, b"just in time");
    let between = ReplayWindow::SIZE - 2;
    let newest = (0..=between)
        .map(|_| sealed(&mut a, b"newest"))
        .last()
        .expect("some packets");
    open(&mut b, &newest);
    assert_eq!(b.open(NOW, &mut late.clone()), Err(OpenError::Replayed));
    assert_eq!(open(&mut b, &just_in_time), b"just in time");
}

#[test]
fn a_forged_counter_does_not_move_the_window() {
    let (mut a, mut b) = World::new(1).sessions();
    let first = sealed(&mut a, b"first");
    let second = sealed(&mut a, b"second");
    open(&mut b, &first);
    let mut forged = second.clone();
    forged[22..30].copy_from_slice(&u64::MAX.to_be_bytes());
    assert_eq!(b.open(NOW, &mut forged), Err(OpenError::Forged));
    assert_eq!(open(&mut b, &second), b"second");
}

#[test]
fn random_ivs_are_remembered_too() {
    let (a, mut b) = World::new(1).sessions();
    let packets: Vec<_> = (1..100)
        .map(|i| sealed_with(&a, [i; 12], b"hello"))
        .collect();
    for packet in &packets {
        open(&mut b, packet);
    }
    for packet in &packets {
        assert_eq!(b.open(NOW, &mut packet.clone()), Err(OpenError::Replayed));
    }
}

#[test]
fn a_peer_that_repeats_ivs_is_heard_and_its_replays_are_not() {
    let (a, mut b) = World::new(1).sessions();
    // As JavaScript counts: little-endian, at the front.
    let iv = [
        0x9b, 0x52, 6, 0x7c, 0xcb, 0xac, 0x21, 0x53, 0x24, 0xf5, 0x75, 0x97,
    ];
    let first = sealed_with(&a, iv, b"first");
    let second = sealed_with(&a, iv, b"second");
    assert_eq!(open(&mut b, &first), b"first");
    assert_eq!(open(&mut b, &second), b"second");
    for packet in [first, second] {
        let mut replayed = packet.clone();
        assert_eq!(b.open(NOW, &mut replayed), Err(OpenError::Replayed));
        assert_eq!(replayed, packet);
    }
}

#[test]
fn a_packet_of_our_own_is_refused_whatever_its_token() {
    let (mut a, _) = World::new(1).sessions();
    let mut reflected = sealed(&mut a, b"hello");
    assert_eq!(a.open(NOW, &mut reflected), Err(OpenError::Forged));
    a.set_remote_token(a.local_token());
    let mut reflected = sealed(&mut a, b"hello");
    assert_eq!(a.open(NOW, &mut reflected), Err(OpenError::Forged));
}

#[test]
fn a_packet_of_another_session_is_refused() {
    let (mut a, _) = World::new(1).sessions();
    let (_, mut b) = World::new(2).sessions();
    a.set_remote_token(b.local_token());
    assert_eq!(
        b.open(NOW, &mut sealed(&mut a, b"hello")),
        Err(OpenError::Forged)
    );
}

#[test]
fn packets_with_the_head_only_token_are_ours_and_with_others_not() {
    let mut world = World::new(1);
    let (mut a, mut b) = world.sessions();
    let head_only = world.b.head_only_token();
    a.set_remote_token(head_only);
    let packet = sealed(&mut a, b"hello");
    assert_eq!(&packet[2..18], head_only.as_bytes());
    assert_eq!(open(&mut b, &packet), b"hello");
    a.set_remote_token(Token::from_bytes([5; 16]));
    assert_eq!(
        b.open(NOW, &mut sealed(&mut a, b"hello")),
        Err(OpenError::Forged)
    );
}

#[test]
fn sealing_needs_room() {
    let (mut a, _) = World::new(1).sessions();
    let mut packet = [0xee; OVERHEAD - 1];
    let no_room = SealError::NoRoom {
        needed: OVERHEAD,
        actual: OVERHEAD - 1,
    };
    assert_eq!(a.seal(NOW, &mut packet), Err(no_room));
    assert_eq!(packet, [0xee; OVERHEAD - 1]);
}

#[test]
fn a_session_without_ivs_seals_no_more() {
    let mut world = World::new(1);
    let remote = world.opened().remote;
    let ivs = IvSource::starting([7; 4], MAX_IVS - 1);
    let mut session = world.b.session_with(&remote, ivs).expect("a session");
    assert!(!session.exhausted());
    sealed(&mut session, b"the last");
    assert!(session.exhausted());
    let mut packet = unsealed(b"one more");
    assert_eq!(session.seal(NOW, &mut packet), Err(SealError::Exhausted));
    assert_eq!(packet, unsealed(b"one more"));
}

/// Bytes of the nonce of a cloak, which goes before each packet.
const GAP: usize = 8;

#[test]
fn a_batch_is_the_packets_one_by_one() {
    let (mut a, mut b) = World::new(1).sessions();
    let segment = GAP + OVERHEAD + 10;
    let mut batch = std::vec![0xee; 3 * segment + GAP + OVERHEAD + 4];
    a.seal_batch(NOW, &mut batch, segment, GAP).expect("room");
    let datagrams: Vec<_> = batch.chunks(segment).collect();
    assert_eq!(datagrams.len(), 4);
    for (i, datagram) in datagrams.into_iter().enumerate() {
        assert_eq!(datagram[..GAP], [0xee; GAP]);
        let len = if i == 3 { 4 } else { 10 };
        assert_eq!(open(&mut b, &datagram[GAP..]), std::vec![0xee; len]);
    }
}

#[test]
fn a_batch_needs_room_in_every_segment() {
    let (mut a, _) = World::new(1).sessions();
    let Overhead { head, tail } = a.overhead();
    let needed = GAP + head + tail;
    for segment in [0, GAP, needed - 1] {
        let error = a.seal_batch(NOW, &mut [0xee; 500], segment, GAP);
        assert_eq!(
            error,
            Err(SealError::NoRoom {
                needed,
                actual: segment
            })
        );
    }
    let too_short_at_the_end = needed + GAP - 1;
    let error = a.seal_batch(NOW, &mut std::vec![0xee; too_short_at_the_end], needed, GAP);
    assert_eq!(
        error,
        Err(SealError::NoRoom {
            needed,
            actual: GAP - 1
        })
    );
    assert!(
        a.seal_batch(NOW, &mut std::vec![0xee; 2 * needed], needed, GAP)
            .is_ok()
    );
    assert!(a.seal_batch(NOW, &mut [], needed, GAP).is_ok());
    assert!(
        a.seal_batch(NOW, &mut [0xee; 500], 500, usize::MAX)
            .is_err()
    );
}
