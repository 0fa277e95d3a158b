//! URIs that lead through a router: requests by session, what is presented, and who answers.

use std::time::Duration;

use telehash_hashname::Csid;
use telehash_link::{Config, SessionId};
use telehash_netsim::{Conditions, Loss};
use telehash_uri::Fragment;

use crate::reach::{around_a_router, talk};
use crate::world::{Id, World};

const SOON: Duration = Duration::from_secs(5);

/// Long enough for everything to be given up.
const LATE: Duration = Duration::from_secs(60);

/// `b` shares a URI of the router `r`, once, and lets nobody else in; `a` is linked to the router.
fn sharing(seed: u64, sets: &[Csid]) -> (World, [Id; 3], SessionId, Fragment) {
    let (mut world, [a, b, r]) = around_a_router(seed, sets);
    for leaf in [a, b] {
        world.nodes[leaf].accepts = Some([world.name(r)].into());
    }
    let fragment = Fragment::new(&world.name(b), &[7; 16]).unwrap();
    world.nodes[b].shares = Some(fragment.clone());
    let session = world.session(r, b);
    (world, [a, b, r], session, fragment)
}

/// Whether a node knows nobody but the router.
fn is_alone(world: &World, id: Id) -> bool {
    world.nodes[id].links.len() == 1
}

fn bad_network(world: &mut World) {
    let conditions = Conditions::perfect()
        .with_loss(Loss::Random(0.1))
        .with_duplication(0.1)
        .with_reordering(0.2, Duration::from_millis(50))
        .with_delay(Duration::from_millis(20));
    world.network.set_conditions(&conditions);
}

#[test]
fn whoever_presents_the_uri_is_answered_by_whoever_shared_it() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        for digest_only in [false, true] {
            let (mut world, [a, b, r], session, mut fragment) = sharing(1, sets);
            if digest_only {
                fragment = fragment.digest_only();
            }
            world.follow(a, r, &session, &fragment);
            assert!(world.drive(SOON, |world| world.is_up(a, b)), "{sets:?}");
            assert!(world.nodes[b].pairing.len() <= 2);
            talk(&mut world, a, b, 10_000);
        }
    }
}

#[test]
fn loss_delay_and_another_order_only_take_longer() {
    for seed in 1..20 {
        let (mut world, [a, b, r], session, fragment) = sharing(seed, &[Csid::CS3A]);
        bad_network(&mut world);
        let up = (0..8).any(|_| {
            world.follow(a, r, &session, &fragment);
            world.drive(SOON, |world| world.is_up(a, b))
        });
        assert!(up, "seed {seed}");
        assert!(world.nodes[b].pairing.len() <= 8 * 2);
    }
}

#[test]
fn a_session_that_is_none_is_silence_and_so_is_a_revoked_one() {
    let (mut world, [a, b, r], session, fragment) = sharing(2, &[Csid::CS3A]);
    world.follow(a, r, &[9; 16], &fragment);
    world.run(LATE);
    let name = world.name(b);
    assert!(world.nodes[r].endpoint.revoke_session(&name));
    world.follow(a, r, &session, &fragment);
    world.run(LATE);
    assert!(world.nodes[b].connects.is_empty() && is_alone(&world, a));
    assert_eq!(world.nodes[r].endpoint.stats().relayed, 0);
    assert_eq!(world.nodes[r].endpoint.stats().not_relayed, 4);
    let another = world.session(r, b);
    world.follow(a, r, &another, &fragment);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
}

#[test]
fn a_session_of_somebody_who_is_served_no_longer_is_none() {
    let (mut world, [a, b, r], session, fragment) = sharing(3, &[Csid::CS3A]);
    let name = world.name(b);
    let now = world.now;
    let endpoint = &mut world.nodes[r].endpoint;
    endpoint.router_policy().serve(name, false);
    assert_eq!(endpoint.session_for(now, &name), None);
    assert_eq!(endpoint.session_peer(now, &session), None);
    world.follow(a, r, &session, &fragment);
    world.run(LATE);
    assert!(world.nodes[b].connects.is_empty() && is_alone(&world, a));
}

#[test]
fn a_wrong_fragment_gets_no_answer_and_leaves_nothing() {
    let (mut world, [a, b, r], session, whole) = sharing(4, &[Csid::CS3A]);
    let wrong = [
        Fragment::new(&world.name(b), &[8; 16]).unwrap(),
        Fragment::new(&world.name(a), &[7; 16]).unwrap(),
        Fragment::new(&world.name(r), &[7; 16])
            .unwrap()
            .digest_only(),
    ];
    for fragment in wrong {
        world.follow(a, r, &session, &fragment);
        world.run(LATE);
    }
    assert!(is_alone(&world, a) && is_alone(&world, b));
    assert_eq!(world.nodes[b].shares, Some(whole), "not spent");
    assert!(world.nodes[b].pairing.len() <= 3, "introductions that wait");
}

#[test]
fn a_uri_that_is_used_and_one_that_is_replayed_get_no_answer() {
    let (mut world, [a, b, r], session, fragment) = sharing(5, &[Csid::CS3A]);
    world.follow(a, r, &session, &fragment);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    let c = world.add_with(&[Csid::CS3A], Config::default());
    world.nodes[c].accepts = Some([world.name(r)].into());
    world.dial(c, r);
    assert!(world.drive(SOON, |world| world.is_up(c, r)));
    let before = world.nodes[b].links.len();
    world.follow(c, r, &session, &fragment);
    world.follow(a, r, &session, &fragment);
    world.run(LATE);
    assert!(is_alone(&world, c));
    assert_eq!(world.nodes[b].links.len(), before);
    assert!(world.is_up(a, b), "the first is undisturbed");
}

#[test]
fn whoever_answers_for_another_is_not_linked() {
    let (mut world, [a, b, r], session, fragment) = sharing(6, &[Csid::CS3A]);
    // It was never its URI, but it says that it is.
    world.nodes[b].shares = Some(Fragment::new(&world.name(b), &[8; 16]).unwrap());
    let forged = world.nodes[b].shares.clone().unwrap();
    world.follow(a, r, &session, &forged);
    // What `a` waits for is the answer of somebody else.
    world.nodes[a].presents = Some(Fragment::new(&world.name(r), &[7; 16]).unwrap());
    world.run(LATE);
    assert!(is_alone(&world, a) && !world.is_up(a, b));
    assert_ne!(forged, fragment);
}

#[test]
fn a_flood_of_requests_by_session_is_throttled_and_grows_nothing() {
    let (mut world, [a, b, r], session, whole) = sharing(7, &[Csid::CS3A]);
    for n in 0..200_u8 {
        let fragment = Fragment::new(&world.name(b), &[n, 1]).unwrap();
        world.follow(a, r, &session, &fragment);
        world.run(Duration::from_millis(20));
    }
    world.run(LATE);
    assert!(is_alone(&world, a) && is_alone(&world, b));
    assert!(world.nodes[b].connects.len() < 100, "of 400");
    assert_eq!(world.nodes[b].shares, Some(whole));
}
