//! A thousand links for an hour: nothing grows.

use std::time::Duration;

use crate::{
    channels::End,
    ledger::Side,
    plan::{Id, Sets, Shape},
    world::World,
};

/// Endpoints, each of which is linked to each other one: 1,035 links.
const ENDPOINTS: usize = 46;

const MINUTES: usize = 60;

/// Links that carry something each minute.
const BUSY: usize = 35;

/// Channels of its own that a link may have open at any moment, to learn about its pipe.
const OWN_CHANNELS: usize = 4;

/// What there is of everything, in all endpoints together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    links: usize,
    half_open: usize,
    pipes: usize,
    bridges: usize,
    pairs: usize,
    sources: usize,
    channels: usize,
    timers: usize,
}

impl Sizes {
    fn of(world: &World) -> Self {
        let mut sizes = Self {
            links: 0,
            half_open: 0,
            pipes: 0,
            bridges: 0,
            pairs: 0,
            sources: 0,
            channels: 0,
            timers: world.timers(),
        };
        for node in &world.nodes {
            let stats = node.endpoint.stats();
            sizes.links += stats.links;
            sizes.half_open += stats.half_open;
            sizes.bridges += stats.bridges;
            sizes.pairs += stats.pairs;
            sizes.sources += stats.sources;
            for held in node.links.values() {
                sizes.pipes += held.link.pipes().count();
                sizes.channels += held.link.stats().channels;
            }
        }
        sizes
    }
}

#[test]
fn a_thousand_links_stay_as_they_are_for_an_hour() {
    let shape = Shape {
        nodes: ENDPOINTS,
        router: false,
        sets: Sets::Cs42,
        small: false,
        cloak: true,
        head_only: true,
        tells: false,
    };
    let mut world = World::new(1, &shape);
    world.nodes.iter_mut().for_each(|node| node.tidy = true);
    let pairs: Vec<(Id, Id)> = (0..ENDPOINTS)
        .flat_map(|a| (0..a).map(move |b| (a, b)))
        .collect();
    for &(a, b) in &pairs {
        world.link(a, b, false);
    }
    let mut sizes = Vec::new();
    for minute in 0..MINUTES {
        for nth in 0..BUSY {
            let (from, to) = pairs[(minute * BUSY + nth) % pairs.len()];
            say(&mut world, from, to);
        }
        world.pass(Duration::from_secs(60));
        // When everybody has learnt what its pipe carries, and everything that was said arrived.
        if minute % 10 == 9 {
            sizes.push(Sizes::of(&world));
        }
    }
    for &(a, b) in &pairs {
        assert!(world.is_up(a, b), "the link of {a} and {b}");
    }
    let first = sizes[0];
    assert_eq!((first.links, first.half_open), (2 * pairs.len(), 0));
    assert_eq!(first.pipes, 2 * pairs.len());
    for later in &sizes {
        assert!(
            later.channels <= OWN_CHANNELS * first.links && later.sources <= first.sources,
            "{first:?} became {later:?}"
        );
        let (timers, most) = (later.timers, first.links + world.nodes.len());
        assert!(timers <= most, "{timers} timers of {most}");
        let flat = Sizes {
            channels: first.channels,
            sources: first.sources,
            timers: first.timers,
            ..*later
        };
        assert_eq!(flat, first, "it grew");
    }
}

fn say(world: &mut World, from: Id, to: Id) {
    let number = world.ledger.open(from, to, true);
    let end = End::new(number, Side::Opener, true).saying(1_000);
    world.with_link(from, to, |now, held, ledger| {
        assert!(held.open(now, end), "there is room");
        held.work(now, true, ledger);
    });
}
