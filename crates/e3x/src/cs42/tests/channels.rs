//! Channel packets, honest and otherwise.

use super::*;
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
fn counters_go_from_zero_up_by_one_on_each_side() {
    let (mut a, mut b) = World::new(1).sessions();
    for expected in 0..5 {
        assert_eq!(counter_of(&sealed(&mut a, b"x")), expected);
        assert_eq!(counter_of(&sealed(&mut b, b"x")), expected);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed_and_changes_nothing() {
    let (mut a, mut b) = World::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    for bit in 0..packet.len() * 8 {
        let mut forged = packet.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 16 {
            OpenError::Malformed
        } else {
            OpenError::Forged
        };
        assert_eq!(b.open(NOW, &mut forged), Err(expected), "bit {bit}");
    }
    assert_eq!(b.poll_timeout(), None);
    assert_eq!(open(&mut b, &packet), b"hello");
}

#[test]
fn a_packet_cut_off_or_extended_anywhere_is_refused() {
    let (mut a, mut b) = World::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    for len in 0..packet.len() {
        let expected = if len < HEAD_LEN + TAG_LEN {
            OpenError::Malformed
        } else {
            OpenError::Forged
        };
        let found = b.open(NOW, &mut packet[..len].to_vec());
        assert_eq!(found, Err(expected), "{len} bytes");
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
        let found = b.open(NOW, &mut packet.clone());
        assert_eq!(found, Err(OpenError::Replayed));
    }
}

#[test]
fn a_packet_2048_behind_is_too_late() {
    let (mut a, mut b) = World::new(1).sessions();
    let late = sealed(&mut a, b"late");
    let just_in_time = sealed(&mut a, b"just in time");
    let newest = sealed_at(&mut a, ReplayWindow::SIZE, b"newest");
    open(&mut b, &newest);
    let found = b.open(NOW, &mut late.clone());
    assert_eq!(found, Err(OpenError::Replayed));
    assert_eq!(open(&mut b, &just_in_time), b"just in time");
}

#[test]
fn a_forged_counter_does_not_move_the_window() {
    let (mut a, mut b) = World::new(1).sessions();
    let first = sealed(&mut a, b"first");
    let second = sealed(&mut a, b"second");
    open(&mut b, &first);
    for counter in [2, ReplayWindow::SIZE + 1, EPOCH_LEN - 1] {
        let mut forged = second.clone();
        forged[18..26].copy_from_slice(&counter.to_be_bytes());
        assert_eq!(b.open(NOW, &mut forged), Err(OpenError::Forged));
    }
    assert_eq!(open(&mut b, &second), b"second");
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
    let found = b.open(NOW, &mut sealed(&mut a, b"hello"));
    assert_eq!(found, Err(OpenError::Forged));
}

#[test]
fn packets_with_the_head_only_token_are_ours_and_with_others_not() {
    let mut world = World::new(1);
    let head_only = world.b.head_only_token();
    let (mut a, mut b) = world.sessions();
    a.set_remote_token(head_only);
    let packet = sealed(&mut a, b"hello");
    assert_eq!(&packet[2..18], head_only.as_bytes());
    assert_eq!(open(&mut b, &packet), b"hello");
    a.set_remote_token(Token::from_bytes([5; 16]));
    let found = b.open(NOW, &mut sealed(&mut a, b"hello"));
    assert_eq!(found, Err(OpenError::Forged));
}

#[test]
fn the_tag_covers_the_token() {
    let mut world = World::new(1);
    let head_only = world.b.head_only_token();
    let (mut a, mut b) = world.sessions();
    let mut packet = sealed(&mut a, b"hello");
    packet[2..18].copy_from_slice(head_only.as_bytes());
    assert_eq!(b.open(NOW, &mut packet), Err(OpenError::Forged));
}

#[test]
fn sealing_needs_room() {
    let (mut a, _) = World::new(1).sessions();
    let needed = HEAD_LEN + TAG_LEN;
    for actual in [0, HEAD_LEN - 1, HEAD_LEN, needed - 1] {
        let mut packet = std::vec![0xee; actual];
        let no_room = SealError::NoRoom { needed, actual };
        assert_eq!(a.seal(NOW, &mut packet), Err(no_room));
        assert_eq!(packet, std::vec![0xee; actual]);
    }
    // No counter was spent.
    assert_eq!(counter_of(&sealed(&mut a, b"")), 0);
}

/// Bytes of the nonce of a cloak, which goes before each packet.
const GAP: usize = 8;

#[test]
fn a_batch_is_the_packets_one_by_one() {
    let (mut a, mut b) = World::new(1).sessions();
    let Overhead { head, tail } = a.overhead();
    let segment = GAP + head + 10 + tail;
    let mut batch = std::vec![0xee; 3 * segment + GAP + head + 4 + tail];
    a.seal_batch(NOW, &mut batch, segment, GAP).expect("room");
    let datagrams: Vec<_> = batch.chunks(segment).collect();
    assert_eq!(datagrams.len(), 4);
    for (i, datagram) in datagrams.into_iter().enumerate() {
        assert_eq!(datagram[..GAP], [0xee; GAP]);
        let len = if i == 3 { 4 } else { 10 };
        assert_eq!(open(&mut b, &datagram[GAP..]), std::vec![0xee; len]);
    }
}
