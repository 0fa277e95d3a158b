//! What a router sees, and what one link tells of another (links.md, "Private mesh").

use std::time::Duration;

use telehash_hashname::{Csid, Path};
use telehash_link::Config;
use telehash_lob::{
    Compression,
    cloak::{self, WorkBudget},
};
use telehash_netsim::{Packet, Verdict, filter};

use crate::reach::{around_a_router, talk};
use crate::wiretap::{Heard, Wiretap};
use crate::world::{Id, World};

const SOON: Duration = Duration::from_secs(5);

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[test]
fn a_router_can_neither_read_nor_alter_what_it_carries() {
    let (mut world, [a, b, r]) = around_a_router(1, &[Csid::CS42, Csid::CS3A]);
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    // What it is handed in requests is sealed for the target: no key of the sender, no word of JSON.
    let key = world.keys(a).key(Csid::CS42).unwrap().to_vec();
    for (_, _, body) in world.nodes[b].connects.clone() {
        assert!(body.starts_with(&[0, 1]));
        assert!(!contains(&body, &key) && !contains(&body, b"\"at\""));
    }
    world.recorded = Some(Vec::new());
    talk(&mut world, a, b, 5000);
    let recorded = world.recorded.take().unwrap();
    let of_router = recorded.iter().filter(|(id, ..)| *id == r);
    let needle: Vec<u8> = (100..140).collect();
    for (_, _, bytes) in of_router.clone() {
        assert!(!contains(bytes, &needle), "plaintext");
    }
    assert!(of_router.count() > 5, "it carried that");
    // A changed packet authenticates nowhere.
    let rejected = world.link(b, a).unwrap().stats().rejected;
    let carried = recorded
        .iter()
        .filter(|(id, to, _)| *id == r && *to == world.nodes[b].address);
    let changed: Vec<Vec<u8>> = carried
        .map(|(_, _, bytes)| {
            let mut bytes = bytes.clone();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            bytes
        })
        .collect();
    let router = world.nodes[r].address;
    world.nodes[b].received.clear();
    for bytes in changed {
        world.inject(router, b, bytes);
    }
    world.run(Duration::from_millis(500));
    assert!(world.link(b, a).unwrap().stats().rejected > rejected);
    assert!(world.nodes[b].received.is_empty());
}

#[test]
fn one_link_names_nobody_of_another_but_a_router_and_who_is_asked_for() {
    let (mut world, [a, b, r]) = around_a_router(2, &[Csid::CS3A]);
    let c = world.add();
    world.tells_address(a);
    world.tells_address(b);
    world.dial(a, c);
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b) && world.is_up(a, c)));
    world.run(Duration::from_secs(120));
    // All plaintext that ends of links saw: what the others learnt of paths and requests.
    let (of_b, of_r) = (world.heard(c, a), world.heard(r, a));
    let name = |id| world.name(id).to_string();
    let address = |id: usize| world.nodes[id].address.ip().to_string();
    for other in [b, r] {
        assert!(
            !contains(&of_b, name(other).as_bytes()),
            "C learns of {other}"
        );
        assert!(
            !contains(&of_b, address(other).as_bytes()),
            "C learns where {other} is"
        );
    }
    assert!(!of_b.is_empty() && contains(&of_b, address(a).as_bytes()));
    assert!(!contains(&of_r, name(c).as_bytes()) && !contains(&of_r, address(c).as_bytes()));
    assert!(contains(&of_r, name(b).as_bytes()), "A asked for B");
}

/// A node whose packets are in the form that [`Wiretap`] looks into.
fn add_readable(world: &mut World) -> Id {
    let mut config = Config::default();
    config.compression = Compression::None;
    world.add_with(&[Csid::CS3A], config)
}

/// What everybody heard on the link of these two.
fn said(heard: &[Heard], [one, other]: [Id; 2]) -> Vec<u8> {
    let of_link = heard.iter().filter(|heard| heard.is_between(one, other));
    of_link.flat_map(|heard| heard.text.clone()).collect()
}

#[test]
fn with_everything_that_a_router_holds_it_reads_nothing_of_what_it_carries() {
    let mut world = World::new(3);
    let [a, b, r] = [(); 3].map(|()| add_readable(&mut world));
    world.recorded = Some(Vec::new());
    for leaf in [a, b] {
        world.dial(leaf, r);
        assert!(world.drive(SOON, |world| world.is_up(leaf, r)));
    }
    world.nodes[r].endpoint.router_policy().everyone = true;
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    talk(&mut world, a, b, 5000);
    talk(&mut world, b, a, 5000);
    let capture = world.recorded.take().unwrap();
    let mut router = Wiretap::with(&world, &[(r, &[a, b])]);
    let all: [(Id, &[Id]); 3] = [(r, &[a, b]), (a, &[r, b]), (b, &[r, a])];
    let mut everybody = Wiretap::with(&world, &all);
    let (mut of_router, mut of_all, mut carried) = (Vec::new(), Vec::new(), 0);
    for (_, _, bytes) in &capture {
        let heard = everybody.read(bytes);
        assert!(
            !heard.is_empty(),
            "with all the keys everything can be read"
        );
        if heard[0].is_between(a, b) {
            assert!(!router.forces(bytes));
            carried += 1;
        }
        of_router.extend(router.read(bytes));
        of_all.extend(heard);
    }
    assert!(
        carried > 40,
        "each packet is seen on both halves of its way"
    );
    assert_eq!((router.sessions(), everybody.sessions()), (2, 6));
    let needle: Vec<u8> = (100..140).collect();
    assert!(contains(&said(&of_all, [a, b]), &needle));
    assert!(said(&of_router, [a, b]).is_empty());
    for heard in &of_router {
        assert!(!contains(&heard.text, &needle));
    }
    let requests = of_router.iter().filter(|heard| heard.owner == r);
    assert!(requests.count() > 4, "it reads what it is asked");
}

#[test]
fn a_newcomer_reaches_the_router_that_it_is_told_of_and_no_link_tells_of_others() {
    let mut world = World::new(4);
    let [a, b, r, c, d] = [(); 5].map(|()| add_readable(&mut world));
    world.nodes[c].follows = false;
    world.recorded = Some(Vec::new());
    for [from, to] in [[a, r], [a, c], [d, r]] {
        world.dial(from, to);
        assert!(world.drive(SOON, |world| world.is_up(from, to)));
    }
    // A offers its router to B, which knows nobody but A.
    let router = world.name(r);
    world.tells_address(a);
    world.nodes[a].places.told.push(Path::peer(router));
    world.nodes[a].endpoint.router_policy().serve(router, true);
    world.dial(b, a);
    assert!(world.drive(SOON, |world| world.is_up(b, r)));
    talk(&mut world, b, r, 5000);
    talk(&mut world, r, b, 5000);
    world.run(Duration::from_secs(90));
    assert!(world.is_up(b, r));

    let capture = world.recorded.take().unwrap();
    let address = |id: Id| world.nodes[id].address;
    for (from, to, _) in &capture {
        let direct = [(b, address(r)), (r, address(b))].contains(&(*from, *to));
        assert!(!direct, "B and R know of no way but the one through A");
    }
    let nodes: [(Id, &[Id]); 5] = [
        (a, &[r, c, b]),
        (b, &[a, r]),
        (r, &[a, d, b]),
        (c, &[a]),
        (d, &[r]),
    ];
    let mut everybody = Wiretap::with(&world, &nodes);
    let mut alone = Wiretap::with(&world, &nodes[..1]);
    let mut heard = Vec::new();
    for (_, _, bytes) in &capture {
        let all = everybody.read(bytes);
        assert!(!all.is_empty(), "nothing else is sent");
        let of_a = alone.read(bytes);
        assert!(!of_a.iter().any(|heard| heard.is_between(b, r)));
        assert!(!all[0].is_between(b, r) || !alone.forces(bytes));
        heard.extend(all);
    }
    let needle: Vec<u8> = (100..140).collect();
    assert!(contains(&said(&heard, [b, r]), &needle));
    let tells_of = |link: [Id; 2], id: Id| {
        contains(&said(&heard, link), world.name(id).to_string().as_bytes())
    };
    let tells_where = |link: [Id; 2], id: Id| {
        let address = address(id).ip().to_string();
        contains(&said(&heard, link), address.as_bytes())
    };
    // The offer and the request on the one side, who asks on the other.
    assert!(tells_of([a, b], r) && tells_of([a, r], b));
    for (link, others) in [
        ([a, b], &[c, d][..]),
        ([a, r], &[c, d]),
        ([b, r], &[c, d]),
        ([a, c], &[b, d]),
        ([d, r], &[a, b, c]),
    ] {
        for id in others {
            assert!(!tells_of(link, *id), "{link:?} names {id}");
        }
        for id in (0..5).filter(|id| !link.contains(id)) {
            let is_routers = link == [b, r] && id == a;
            assert!(
                is_routers || !tells_where(link, id),
                "{link:?} tells where {id} is"
            );
        }
    }
    assert!(tells_where([a, b], a));
}

/// A channel packet without its cloak.
fn uncloaked(datagram: &[u8]) -> Vec<u8> {
    let mut packet = datagram.to_vec();
    let start = cloak::decloak_in_place(&mut packet, &mut WorkBudget::new(10_000)).unwrap();
    packet.split_off(start)
}

#[test]
fn whatever_a_router_changes_cuts_off_or_repeats_is_dropped_in_silence() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(5, sets);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        world.run(Duration::from_secs(10));
        world.recorded = Some(Vec::new());
        talk(&mut world, a, b, 3000);
        world.run(Duration::from_secs(10));
        let capture = world.recorded.replace(Vec::new()).unwrap();
        let (router, target) = (world.nodes[r].address, world.nodes[b].address);
        let carried = capture
            .iter()
            .filter(|(id, to, _)| *id == r && *to == target);
        let carried: Vec<_> = carried.map(|(_, _, bytes)| uncloaked(bytes)).collect();
        assert!(carried.len() >= 3, "{}", carried.len());
        let dropped = |world: &World| {
            let node = &world.nodes[b];
            let links = [a, r].map(|peer| world.link(b, peer).unwrap().stats());
            let at_links = links.map(|stats| stats.rejected + stats.replayed);
            node.endpoint.stats().dropped + at_links.iter().sum::<u64>()
        };
        let before = dropped(&world);
        let sessions = world.link(b, a).unwrap().stats().sessions;
        world.nodes[b].received.clear();
        let mut injected = 0;
        let mut inject = |world: &mut World, packet: Vec<u8>| {
            world.inject(router, b, packet);
            injected += 1;
        };
        for packet in &carried {
            inject(&mut world, packet.clone());
            for at in 0..packet.len() {
                let mut changed = packet.clone();
                changed[at] ^= 1 << (at % 8);
                inject(&mut world, changed);
                inject(&mut world, packet[..at].to_vec());
            }
            world.run(Duration::from_millis(50));
        }
        world.run(Duration::from_millis(500));
        assert_eq!(dropped(&world) - before, injected, "{sets:?}");
        let recorded = world.recorded.take().unwrap();
        let answers = recorded.iter().filter(|(id, ..)| *id == b);
        assert_eq!(answers.count(), 0, "{sets:?}");
        assert!(world.nodes[b].received.is_empty());
        let link = world.link(b, a).unwrap();
        assert_eq!((link.stats().sessions, link.pipes().count()), (sessions, 1));
        talk(&mut world, a, b, 3000);
    }
}

#[test]
fn what_a_router_delays_and_repeats_arrives_once_and_in_order() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(6, sets);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        let (router, target) = (world.nodes[r].address, world.nodes[b].address);
        let mut count = 0_u64;
        let late = move |_: &mut Packet| {
            count += 1;
            Verdict::Delay(Duration::from_millis(count * 7 % 31))
        };
        world.network.add_filter(filter::on(router, target, late));
        world.recorded = Some(Vec::new());
        let replayed = |world: &World| world.link(b, a).unwrap().stats().replayed;
        for _ in 0..5 {
            talk(&mut world, a, b, 50_000);
            let before = replayed(&world);
            for (_, to, bytes) in world.recorded.replace(Vec::new()).unwrap() {
                if to == target {
                    world.inject(router, b, bytes);
                }
            }
            world.nodes[b].received.clear();
            world.run(Duration::from_millis(200));
            assert!(replayed(&world) > before + 40, "{sets:?}");
            assert!(world.nodes[b].received.is_empty(), "{sets:?}");
        }
    }
}
