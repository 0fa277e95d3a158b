//! Channel packets, honest and otherwise.

use super::*;
use crate::cs1::session::MAX_FORGERIES;
use crate::{OpenError, Overhead, ReplayWindow, SealError, Token};

on_every_curve! {
    a_packet_of_any_length_comes_out_as_it_went_in,
    ivs_count_from_a_random_start,
    a_flipped_bit_anywhere_is_noticed_and_changes_nothing,
    a_packet_cut_off_or_extended_anywhere_is_refused,
    a_packet_counts_once,
    a_packet_2048_behind_is_too_late,
    a_forged_counter_does_not_move_the_window,
    ivs_without_order_are_remembered_too,
    a_packet_of_our_own_is_refused_whatever_its_token,
    a_packet_of_another_session_is_refused,
    packets_with_the_head_only_token_are_ours_and_with_others_not,
    sealing_needs_room,
    a_session_without_ivs_seals_no_more,
    a_batch_is_the_packets_one_by_one,
    a_batch_needs_room_in_every_segment,
}

fn a_packet_of_any_length_comes_out_as_it_went_in<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
    for len in (0..=130).chain([1_400, 65_000]) {
        let text: Vec<_> = (0..len).map(|i| i as u8).collect();
        let packet = sealed(&mut a, &text);
        assert_eq!(packet.len(), len + a.overhead().total());
        assert_eq!(open(&mut b, &packet), text);
        let packet = sealed(&mut b, &text);
        assert_eq!(open(&mut a, &packet), text);
    }
}

fn ivs_count_from_a_random_start<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
    let iv = |packet: Vec<u8>| u32::from_le_bytes(*packet[18..].first_chunk().expect("an IV"));
    let (first, second) = (iv(sealed(&mut a, b"x")), iv(sealed(&mut a, b"x")));
    assert_eq!(second, first.wrapping_add(1));
    assert_ne!(first, iv(sealed(&mut b, b"x")));
}

fn a_flipped_bit_anywhere_is_noticed_and_changes_nothing<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
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
    assert_eq!(open(&mut b, &packet), b"hello");
}

fn a_packet_cut_off_or_extended_anywhere_is_refused<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    for len in 0..packet.len() {
        let expected = if len < HEAD_LEN + MAC_LEN {
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

fn a_packet_counts_once<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
    let packets: Vec<_> = (0..10).map(|_| sealed(&mut a, b"hello")).collect();
    for packet in packets.iter().rev() {
        open(&mut b, packet);
    }
    for packet in &packets {
        assert_eq!(b.open(NOW, &mut packet.clone()), Err(OpenError::Replayed));
    }
}

fn a_packet_2048_behind_is_too_late<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
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

fn a_forged_counter_does_not_move_the_window<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
    let first = sealed(&mut a, b"first");
    let second = sealed(&mut a, b"second");
    open(&mut b, &first);
    let mut forged = second.clone();
    forged[20] ^= 0x70;
    assert_eq!(b.open(NOW, &mut forged), Err(OpenError::Forged));
    assert_eq!(open(&mut b, &second), b"second");
}

fn ivs_without_order_are_remembered_too<C: Curve>() {
    let (a, mut b) = World::<C>::new(1).sessions();
    let packets: Vec<_> = (0..100)
        .map(|i| sealed_with(&a, [i; 4], b"hello"))
        .collect();
    for packet in &packets {
        open(&mut b, packet);
    }
    for packet in &packets {
        let mut replayed = packet.clone();
        assert_eq!(b.open(NOW, &mut replayed), Err(OpenError::Replayed));
        assert_eq!(replayed, *packet);
    }
}

fn a_packet_of_our_own_is_refused_whatever_its_token<C: Curve>() {
    let (mut a, _) = World::<C>::new(1).sessions();
    let mut reflected = sealed(&mut a, b"hello");
    assert_eq!(a.open(NOW, &mut reflected), Err(OpenError::Forged));
    a.set_remote_token(a.local_token());
    let mut reflected = sealed(&mut a, b"hello");
    assert_eq!(a.open(NOW, &mut reflected), Err(OpenError::Forged));
}

fn a_packet_of_another_session_is_refused<C: Curve>() {
    let (mut a, _) = World::<C>::new(1).sessions();
    let (_, mut b) = World::<C>::new(2).sessions();
    a.set_remote_token(b.local_token());
    assert_eq!(
        b.open(NOW, &mut sealed(&mut a, b"hello")),
        Err(OpenError::Forged)
    );
}

fn packets_with_the_head_only_token_are_ours_and_with_others_not<C: Curve>() {
    let mut world = World::<C>::new(1);
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

fn sealing_needs_room<C: Curve>() {
    let (mut a, _) = World::<C>::new(1).sessions();
    let mut packet = [0xee; OVERHEAD - 1];
    let no_room = SealError::NoRoom {
        needed: OVERHEAD,
        actual: OVERHEAD - 1,
    };
    assert_eq!(a.seal(NOW, &mut packet), Err(no_room));
    assert_eq!(packet, [0xee; OVERHEAD - 1]);
}

fn a_session_without_ivs_seals_no_more<C: Curve>() {
    let mut world = World::<C>::new(1);
    let remote = world.opened().remote;
    let ivs = IvSource::starting(7, 1);
    let mut session = world.b.session_with(&remote, ivs).expect("a session");
    assert!(!session.exhausted());
    sealed(&mut session, b"the last");
    assert!(session.exhausted());
    let mut packet = unsealed(b"one more");
    assert_eq!(session.seal(NOW, &mut packet), Err(SealError::Exhausted));
    assert_eq!(packet, unsealed(b"one more"));
}

/// Bytes of a packet beside the text.
const OVERHEAD: usize = HEAD_LEN + MAC_LEN;

/// Bytes of the nonce of a cloak, which goes before each packet.
const GAP: usize = 8;

fn a_batch_is_the_packets_one_by_one<C: Curve>() {
    let (mut a, mut b) = World::<C>::new(1).sessions();
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

fn a_batch_needs_room_in_every_segment<C: Curve>() {
    let (mut a, _) = World::<C>::new(1).sessions();
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

#[test]
fn a_session_asks_to_be_replaced_after_65536_forgeries_and_goes_on() {
    let (mut a, mut b) = World::<SomeCurve>::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    let mut forged = packet.clone();
    *forged.last_mut().expect("a MAC") ^= 1;
    let mut misdirected = packet.clone();
    misdirected[2] ^= 1;
    for _ in 1..MAX_FORGERIES {
        assert_eq!(b.open(NOW, &mut forged), Err(OpenError::Forged));
    }
    // Guesses nothing, so it does not count.
    assert_eq!(b.open(NOW, &mut misdirected), Err(OpenError::Forged));
    assert!(!b.exhausted());
    assert_eq!(b.open(NOW, &mut forged), Err(OpenError::Forged));
    assert!(b.exhausted());

    assert_eq!(open(&mut b, &packet), b"hello");
    let answer = sealed(&mut b, b"goodbye");
    assert_eq!(open(&mut a, &answer), b"goodbye");
}

#[test]
fn a_session_whose_peer_has_used_up_its_ivs_asks_to_be_replaced() {
    let (a, mut b) = World::<SomeCurve>::new(1).sessions();
    for iv in [0_u32, 1, (1 << 31) - 1] {
        assert!(!b.exhausted());
        open(&mut b, &sealed_with(&a, iv.to_le_bytes(), b"hello"));
    }
    assert!(b.exhausted());
}
