//! Moving to a direct way, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use telehash_hashname::Csid;
use telehash_link::Open;
use telehash_netsim::{Conditions, Packet, Verdict};

use crate::reach::{around_a_router, talk};
use crate::world::{Id, World};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn traffic_moves_to_a_direct_way_once_there_is_one() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(1, sets);
        world.tells_address(a);
        world.tells_address(b);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        assert!(world.drive(SOON, |world| world.is_direct(a, b)), "{sets:?}");
        let before = world.nodes[r].endpoint.stats().forwarded;
        talk(&mut world, a, b, 100_000);
        talk(&mut world, b, a, 100_000);
        let after = world.nodes[r].endpoint.stats().forwarded;
        assert!(after - before < 10, "{before} {after}");
    }
}

#[test]
fn a_direct_way_that_dies_under_load_gives_way_to_the_router_and_nothing_is_lost_or_doubled() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(2, sets);
        world.tells_address(a);
        world.tells_address(b);
        world
            .network
            .set_conditions(&Conditions::perfect().with_delay(Duration::from_millis(20)));
        world.dial_through(a, b, r);
        let data: Vec<u8> = (0..1_000_000_usize).map(|n| (n % 241) as u8).collect();
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        // The move to the direct way, its death and its return all come while these are under way.
        let id = world.with_link(a, b, |now, link| {
            link.open(now, Open::reliable("bulk")).unwrap()
        });
        let (mut written, mut moves) = (0, Vec::new());
        for step in 0..600 {
            written += world.with_link(a, b, |now, link| {
                let next = &data[written..(written + 4000).min(data.len())];
                link.write(now, id, next).unwrap()
            });
            let (from, to) = (world.nodes[a].address, world.nodes[b].address);
            match step {
                60 => {
                    world.network.block(from, to);
                    world.network.block(to, from);
                }
                150 => {
                    world.network.unblock(from, to);
                    world.network.unblock(to, from);
                }
                _ => {}
            }
            world.run(Duration::from_millis(100));
            let direct = world
                .way(a, b)
                .is_some_and(|(pipe, _)| pipe.through().is_none());
            if moves.last() != Some(&direct) {
                moves.push(direct);
            }
        }
        assert_eq!(written, data.len());
        assert!(
            world.nodes[b].received == data,
            "{} came",
            world.nodes[b].received.len()
        );
        let expected = [true, false, true];
        assert!(moves.ends_with(&expected), "{sets:?}: direct {moves:?}");
    }
}

#[test]
fn behind_a_wall_that_nothing_passes_the_router_carries_on_and_the_wall_is_left_alone() {
    let (mut world, [a, b, r]) = around_a_router(3, &[Csid::CS3A]);
    world.tells_address(a);
    world.tells_address(b);
    let (from, to) = (world.nodes[a].address, world.nodes[b].address);
    world.network.block(from, to);
    world.network.block(to, from);
    world.recorded = Some(Vec::new());
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    world.run(Duration::from_secs(300));
    talk(&mut world, a, b, 10_000);
    let recorded = world.recorded.take().unwrap();
    let against = recorded.iter().filter(|(id, at, _)| *id == a && *at == to);
    assert!(against.count() < 40, "attempts end");
}

/// What a stream may stand still, in a network without delay to speak of.
const STALL: Duration = Duration::from_secs(1);

/// A router carries 4 MiB a second. What it dropped of a faster stream is under way still when the
/// traffic moves, and gets there by the direct way.
#[test]
fn a_stream_that_was_too_fast_for_the_router_goes_on_by_the_direct_way() {
    const STEP: Duration = Duration::from_millis(20);
    // The direct way is tried when the link comes up and a second later.
    for unblocked_at in (8..48).step_by(4) {
        let (mut world, [a, b, r]) = around_a_router(4, &[Csid::CS42, Csid::CS3A]);
        world.tells_address(a);
        world.tells_address(b);
        let conditions = Conditions::perfect().with_delay(Duration::from_micros(200));
        world.network.set_conditions(&conditions);
        let (from, to) = (world.nodes[a].address, world.nodes[b].address);
        world.network.block(from, to);
        world.network.block(to, from);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        let id = world.with_link(a, b, |now, link| {
            link.open(now, Open::reliable("bulk")).unwrap()
        });
        let data: Vec<u8> = (0..20_000_000_usize).map(|n| (n % 241) as u8).collect();
        let (mut written, mut stall) = (0, Duration::ZERO);
        for step in 0.. {
            if step == unblocked_at {
                world.network.unblock(from, to);
                world.network.unblock(to, from);
            }
            written += world.with_link(a, b, |now, link| {
                let next = &data[written..(written + 200_000).min(data.len())];
                link.write(now, id, next).unwrap()
            });
            let before = world.nodes[b].received.len();
            world.run(STEP);
            let received = world.nodes[b].received.len();
            stall = if received > before {
                Duration::ZERO
            } else {
                stall + STEP
            };
            assert!(stall < STALL, "at step {step}, after {received} bytes");
            if received == data.len() {
                break;
            }
        }
        assert!(world.nodes[b].received == data);
        assert!(world.is_direct(a, b));
    }
}

/// A NAT lets nobody in but whom it was sent to: the first check of whoever is earlier is lost there.
#[test]
fn an_end_whose_first_check_was_lost_in_a_nat_is_direct_as_soon_as_the_other_was_heard() {
    const DELAY: Duration = Duration::from_millis(20);
    let lost = Arc::new(AtomicUsize::new(0));
    let sets = [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]];
    for (sets, dialing) in sets.into_iter().flat_map(|sets| [(sets, 0), (sets, 1)]) {
        let (mut world, ends, r) = behind_a_nat(sets, &lost, DELAY);
        world.dial_through(ends[dialing], ends[1 - dialing], r);
        let direct = |world: &World, from, to| {
            let way = world.way(from, to);
            way.is_some_and(|(pipe, proven)| proven && pipe.through().is_none())
        };
        let [inside, outside] = ends;
        assert!(world.drive(SOON, |world| direct(world, outside, inside)));
        let start = world.now;
        assert!(world.drive(SOON, |world| direct(world, inside, outside)));
        let after = world.now.saturating_duration_since(start);
        assert!(after <= 3 * DELAY, "{sets:?}: {after:?}");
    }
    assert!(lost.load(Ordering::Relaxed) > 0, "that was the case");
}

/// One whose packets a NAT at the other drops, and counts, until that one sent some; and the other,
/// which is slower.
fn behind_a_nat(sets: &[Csid], lost: &Arc<AtomicUsize>, delay: Duration) -> (World, [Id; 2], Id) {
    let (mut world, [a, b, r]) = around_a_router(5, sets);
    world.tells_address(a);
    world.tells_address(b);
    let conditions = Conditions::perfect().with_delay(delay);
    world.network.set_conditions(&conditions);
    let [from, to] = [a, b].map(|id| world.nodes[id].address);
    let (mut is_open, lost) = (false, lost.clone());
    world.network.add_filter(move |packet: &mut Packet| {
        if (packet.from, packet.to) == (to, from) {
            is_open = true;
            return Verdict::Delay(delay);
        }
        if is_open || (packet.from, packet.to) != (from, to) {
            return Verdict::Pass;
        }
        lost.fetch_add(1, Ordering::Relaxed);
        Verdict::Lose
    });
    (world, [a, b], r)
}
