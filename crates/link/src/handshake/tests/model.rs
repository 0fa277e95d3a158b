//! "Prove the machine" (links.md): everything that can happen between two endpoints, to a bound.
//!
//! # What is explored
//!
//! A state is both machines, their ephemerals and clocks, the packets on the way, and what an
//! attacker recorded. From each state every one of these steps is taken, as long as its [`Budget`]
//! lasts:
//!
//! - any packet on the way arrives, whatever was sent before it (reordering costs nothing);
//! - any packet on the way is lost, or arrives and stays on the way (duplication);
//! - time passes until the next thing is due, with packets still on the way;
//! - either end starts anew, with its state and clock or without its state and with a clock that is
//!   right, behind, or far behind;
//! - the attacker sends either end any handshake that was ever sent to it, or a channel packet that
//!   never arrived, from an address of its own or from the peer's;
//! - either end sends a channel packet.
//!
//! # Time
//!
//! All times in a machine are times *from which on* something is due or permitted, so a state is
//! what remains until then; what is past counts as now ([`World::rebase`]). Time passes from one
//! moment at which something is due to the next. In between the machines take packets in the same
//! way whenever these come, but for the throttles of 900 ms and 1 s, which permit nothing at their
//! end that is not also permitted later. The time of day stands still: values rise by nothing but
//! rounds, so that those of different lives lie as close together as they can.
//!
//! # What must hold
//!
//! - Once the attacker stops and packets arrive, both ends come to the same session within
//!   [`PATIENCE`], and stay there with every round answered ([`Search::settle`]).
//! - While both ends hold the same session, no packet takes it from either ([`Search::check`]).
//! - Nothing is sent without end: while no time passes the two fall silent
//!   ([`World::deliver_all`]), and no step makes them send more than [`MAX_BURST`] packets.
//! - No machine asks for more pairs of ephemerals than the link can keep, there is no candidate
//!   beside a session, and `at` never goes back (`End::follow`).

use alloc::vec::Vec;
use core::{
    hash::{Hash, Hasher},
    time::Duration,
};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::DefaultHasher,
};

use super::world::{ATTACKER, CLOCK, DIRECT, Packet, World};
use crate::{PipeSlot, handshake::jitter::draw};

/// Longest simulated time from the attacker's last step to agreement.
const PATIENCE: Duration = Duration::from_secs(120);

/// Most moments at which something is due from the attacker's last step until all is quiet.
const MAX_SETTLING: usize = 100;

/// Most packets that one step may make one end send: a round that is repeated and one that waited,
/// each on two validated pipes and to one source.
const MAX_BURST: u32 = 6;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Start,
    Deliver(Packet),
    Lose(Packet),
    Duplicate(Packet),
    Pass,
    Restart {
        side: usize,
        keeps_state: bool,
        clock: u64,
    },
    Replay(Packet, PipeSlot),
    Talk(usize),
}

/// How often each kind of step may still be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Budget {
    restarts: u8,
    replays: u8,
    losses: u8,
    duplicates: u8,
    timeouts: u8,
    talks: u8,
}

impl Budget {
    /// What is left after a step, or `None` if it may not be taken.
    fn after(mut self, step: Step) -> Option<Self> {
        let budget = match step {
            Step::Start | Step::Deliver(_) => return Some(self),
            Step::Lose(_) => &mut self.losses,
            Step::Duplicate(_) => &mut self.duplicates,
            Step::Pass => &mut self.timeouts,
            Step::Restart { .. } => &mut self.restarts,
            Step::Replay(..) => &mut self.replays,
            Step::Talk(_) => &mut self.talks,
        };
        *budget = budget.checked_sub(1)?;
        Some(self)
    }
}

/// Who the two ends are, and where the attacker is.
#[derive(Clone, Copy, Debug)]
struct Setup {
    /// Which ends want the link, and dial again after a restart: the odd one, the even one.
    wanted: [bool; 2],
    /// They know of each other that they are of one kind, and repeat the same bytes, more often.
    kin: bool,
    /// Where replays come from.
    replays_from: PipeSlot,
    /// No time passes with packets on the way. Then nothing but a restart may part the two: whatever
    /// an attacker replays, and whatever time does.
    fair: bool,
}

const ODD_DIALS: Setup = Setup {
    wanted: [true, false],
    kin: true,
    replays_from: ATTACKER,
    fair: false,
};
const EVEN_DIALS: Setup = Setup {
    wanted: [false, true],
    kin: false,
    ..ODD_DIALS
};
const BOTH_DIAL: Setup = Setup {
    wanted: [true, true],
    ..ODD_DIALS
};

/// One exploration.
struct Search {
    setup: Setup,
    /// The states found, each with the one before and the step between.
    found: HashMap<u64, (u64, Step)>,
    /// States from which the two are known to settle.
    settled: HashSet<u64>,
    steps: u64,
}

impl Setup {
    fn start(self) -> World {
        let mut world = World::new().of_one_kind(self.kin);
        (0..2)
            .filter(|side| self.wanted[*side])
            .for_each(|side| world.dial(side));
        world
    }
}

impl Search {
    fn new(setup: Setup) -> Self {
        Self {
            setup,
            found: HashMap::new(),
            settled: HashSet::new(),
            steps: 0,
        }
    }

    fn run(setup: Setup, budget: Budget) -> Self {
        let mut search = Self::new(setup);
        let world = setup.start();
        let mut open = Vec::new();
        search.arrive(0, Step::Start, world, budget, &mut open);
        while let Some((state, world, budget)) = open.pop() {
            for step in search.steps_from(&world) {
                if let Some(budget) = budget.after(step) {
                    search.take(state, &world, step, budget, &mut open);
                }
            }
        }
        search
    }

    /// Every step that can be taken.
    fn steps_from(&self, world: &World) -> Vec<Step> {
        let mut steps = Vec::from([Step::Talk(0), Step::Talk(1)]);
        if world.flights.is_empty() || !self.setup.fair {
            steps.push(Step::Pass);
        }
        for &packet in &world.flights {
            steps.extend([
                Step::Deliver(packet),
                Step::Lose(packet),
                Step::Duplicate(packet),
            ]);
        }
        for &packet in &world.recorded {
            steps.push(Step::Replay(packet, self.setup.replays_from));
        }
        for side in 0..2 {
            let restart = |(keeps_state, clock)| Step::Restart {
                side,
                keeps_state,
                clock,
            };
            let lives = [
                (true, CLOCK),
                (false, CLOCK),
                (false, CLOCK - 60),
                (false, CLOCK - 500),
            ];
            steps.extend(lives.map(restart));
        }
        steps
    }

    fn take(
        &mut self,
        state: u64,
        world: &World,
        step: Step,
        budget: Budget,
        open: &mut Vec<(u64, World, Budget)>,
    ) {
        let next = self.after(world, step);
        self.steps += 1;
        self.check(state, world, step, &next);
        self.arrive(state, step, next, budget, open);
    }

    fn after(&self, world: &World, step: Step) -> World {
        let mut next = world.clone();
        match step {
            Step::Start => {}
            Step::Deliver(packet) => next.deliver(place(world, packet)),
            Step::Lose(packet) => {
                next.flights.remove(place(world, packet));
            }
            Step::Duplicate(packet) => next.inject(packet, DIRECT),
            Step::Pass => {
                next.pass();
            }
            Step::Restart {
                side,
                keeps_state,
                clock,
            } => {
                next.restart(side, keeps_state, clock, self.setup.wanted[side]);
            }
            Step::Replay(packet, pipe) => next.inject(packet, pipe),
            Step::Talk(side) => next.talk(side),
        }
        next
    }

    /// What must hold of every single step.
    fn check(&self, state: u64, before: &World, step: Step, after: &World) {
        let ends = if step == Step::Pass { 2 } else { 1 };
        if after.sent - before.sent > ends * MAX_BURST {
            self.fail(state, step, after, "one step makes them send too much");
        }
        let may_part = match step {
            Step::Restart { .. } => true,
            Step::Pass => !self.setup.fair,
            _ => false,
        };
        if before.agrees() && !after.agrees() && !may_part {
            self.fail(
                state,
                step,
                after,
                "the session is taken from two ends that share it",
            );
        }
    }

    fn arrive(
        &mut self,
        from: u64,
        step: Step,
        mut world: World,
        budget: Budget,
        open: &mut Vec<(u64, World, Budget)>,
    ) {
        world.rebase();
        world.sent = 0;
        world.flights.sort_unstable();
        if budget.replays == 0 {
            world.recorded.clear();
        } else {
            world.recorded.sort_unstable();
        }
        let state = hash(&(&world, budget));
        if let Entry::Vacant(entry) = self.found.entry(state) {
            entry.insert((from, step));
            self.settle(state, &world);
            open.push((state, world, budget));
        }
    }

    /// The attacker stops, packets arrive in the order in which they were sent: the two come to the
    /// same session and stay there.
    fn settle(&mut self, from: u64, world: &World) {
        let mut world = world.clone();
        world.recorded.clear();
        let start = world.now;
        let mut states = Vec::new();
        let mut agreed = world.agrees();
        let mut quiet = 0;
        // A round that the attacker kept from being answered may still part them, but neither a
        // keepalive nor what else follows.
        while quiet < 3 {
            let mut present = world.clone();
            present.rebase();
            present.sent = 0;
            present.recorded.clear();
            let state = hash(&present);
            if self.settled.contains(&state) {
                break;
            }
            states.push(state);
            if states.len() > MAX_SETTLING {
                self.fail(from, Step::Pass, &world, "the two never rest");
            }
            world.deliver_all();
            let agrees = world.agrees();
            let waited = world.now.saturating_duration_since(start);
            if !agrees && (quiet > 0 || agreed && self.setup.fair) {
                self.fail(from, Step::Pass, &world, "the two part without a reason");
            }
            agreed |= agrees;
            quiet += u32::from(agrees && !world.is_waiting());
            if !agrees && waited > PATIENCE {
                self.fail(from, Step::Pass, &world, "the two stay apart");
            }
            if !world.pass() {
                self.fail(
                    from,
                    Step::Pass,
                    &world,
                    "nothing is going to happen any more",
                );
            }
        }
        self.settled.extend(states);
    }

    /// Says how it came to this.
    fn fail(&self, state: u64, last: Step, world: &World, what: &str) -> ! {
        let mut steps = Vec::from([last]);
        let mut at = state;
        while let Some((before, step)) = self.found.get(&at) {
            steps.push(*step);
            at = *before;
        }
        steps.reverse();
        panic!("{what}, after {steps:#?}: {world:#?}");
    }
}

fn place(world: &World, packet: Packet) -> usize {
    world
        .flights
        .iter()
        .position(|other| *other == packet)
        .expect("it is on the way")
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Explores and says how much that was. `floor` is the number of states below which the model has
/// shrunk by mistake.
fn explore(name: &str, setup: Setup, budget: Budget, floor: usize) {
    let search = Search::run(setup, budget);
    let states = search.found.len();
    std::eprintln!(
        "{name}: {states} states, {} steps, {} settled",
        search.steps,
        search.settled.len()
    );
    assert!(
        states >= floor,
        "the model shrank: {states} states, {floor} expected"
    );
}

const NOTHING: Budget = Budget {
    restarts: 0,
    replays: 0,
    losses: 0,
    duplicates: 0,
    timeouts: 0,
    talks: 0,
};

#[test]
fn two_restarts_and_two_replays() {
    let budget = Budget {
        restarts: 2,
        replays: 2,
        ..NOTHING
    };
    explore("two restarts, two replays", ODD_DIALS, budget, 300_000);
}

#[test]
fn two_restarts_and_channel_packets() {
    let budget = Budget {
        restarts: 2,
        replays: 1,
        talks: 1,
        ..NOTHING
    };
    explore("two restarts, channel packets", EVEN_DIALS, budget, 500_000);
}

#[test]
fn two_restarts_and_time() {
    let budget = Budget {
        restarts: 2,
        timeouts: 1,
        ..NOTHING
    };
    explore("two restarts, time", EVEN_DIALS, budget, 200_000);
}

#[test]
fn a_restart_and_a_little_of_everything_with_an_odd_dialer() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        losses: 1,
        duplicates: 1,
        timeouts: 1,
        talks: 0,
    };
    explore(
        "odd dialer, a little of everything",
        ODD_DIALS,
        budget,
        300_000,
    );
}

#[test]
fn a_restart_and_a_little_of_everything_with_an_even_dialer() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        losses: 1,
        duplicates: 0,
        timeouts: 1,
        talks: 1,
    };
    explore(
        "even dialer, a little of everything",
        EVEN_DIALS,
        budget,
        380_000,
    );
}

#[test]
fn a_restart_when_both_dial() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        timeouts: 1,
        ..NOTHING
    };
    explore("both dial", BOTH_DIAL, budget, 300_000);
}

#[test]
fn nothing_but_a_restart_parts_two_ends_whose_packets_arrive() {
    let odd = Setup {
        fair: true,
        ..ODD_DIALS
    };
    let even = Setup {
        fair: true,
        ..EVEN_DIALS
    };
    let quiet = Budget {
        restarts: 1,
        replays: 3,
        timeouts: 3,
        ..NOTHING
    };
    explore("fair, odd dialer", odd, quiet, 180_000);
    let busy = Budget {
        replays: 4,
        timeouts: 4,
        talks: 1,
        ..NOTHING
    };
    explore("fair, odd dialer, busy", odd, busy, 30_000);
    explore("fair, even dialer, busy", even, busy, 38_000);
}

#[test]
fn replays_from_the_address_of_the_peer() {
    let budget = Budget {
        restarts: 1,
        replays: 2,
        timeouts: 1,
        ..NOTHING
    };
    explore(
        "the peer's address",
        Setup {
            replays_from: DIRECT,
            ..ODD_DIALS
        },
        budget,
        80_000,
    );
}

#[test]
fn a_bad_network_without_restarts() {
    let budget = Budget {
        restarts: 0,
        replays: 3,
        losses: 1,
        duplicates: 1,
        timeouts: 2,
        talks: 1,
    };
    explore("bad network", ODD_DIALS, budget, 200_000);
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn larger_budgets() {
    let more = Budget {
        restarts: 2,
        replays: 2,
        talks: 1,
        ..NOTHING
    };
    explore(
        "two restarts, replays, channel packets",
        ODD_DIALS,
        more,
        2_500_000,
    );
    let more = Budget {
        restarts: 2,
        replays: 1,
        timeouts: 1,
        ..NOTHING
    };
    explore("two restarts, a replay, time", EVEN_DIALS, more, 1_800_000);
    let more = Budget {
        restarts: 2,
        timeouts: 2,
        ..NOTHING
    };
    explore("two restarts, more time", ODD_DIALS, more, 4_500_000);
    let more = Budget {
        restarts: 1,
        losses: 1,
        duplicates: 1,
        timeouts: 2,
        talks: 1,
        ..NOTHING
    };
    explore("a restart on a bad network", EVEN_DIALS, more, 7_000_000);
    let more = Budget {
        timeouts: 5,
        ..NOTHING
    };
    explore("time", BOTH_DIAL, more, 2_000_000);
    let fair = Setup {
        fair: true,
        ..EVEN_DIALS
    };
    let more = Budget {
        restarts: 1,
        replays: 2,
        timeouts: 4,
        talks: 1,
        ..NOTHING
    };
    explore("fair, with channel packets", fair, more, 1_400_000);
    let more = Budget {
        restarts: 2,
        replays: 2,
        timeouts: 2,
        ..NOTHING
    };
    explore("fair, two restarts", fair, more, 1_800_000);
}

/// Far beyond any bound, but not everything there: random steps, then the same checks.
///
/// Both keep their state when they restart, so that no value comes twice and nothing is left to
/// chance ([`CHALLENGE_SPREAD`](crate::handshake::limits::CHALLENGE_SPREAD)).
#[test]
fn random_conversations() {
    let budget = Budget {
        restarts: 6,
        replays: 30,
        losses: 15,
        duplicates: 10,
        timeouts: 30,
        talks: 10,
    };
    for seed in 0..2_000 {
        let setup = [ODD_DIALS, EVEN_DIALS, BOTH_DIAL][seed as usize % 3];
        let mut search = Search::new(setup);
        let (mut world, mut budget, mut state) = (setup.start(), budget, 0);
        for count in 0..120 {
            let mut steps = search.steps_from(&world);
            steps.retain(|step| {
                !matches!(
                    step,
                    Step::Restart {
                        keeps_state: false,
                        ..
                    }
                )
            });
            let choice =
                u32::from(draw(seed, 2 * count)) << 8 | u32::from(draw(seed, 2 * count + 1));
            let step = steps[choice as usize % steps.len()];
            let Some(left) = budget.after(step) else {
                continue;
            };
            let next = search.after(&world, step);
            search.check(state, &world, step, &next);
            let from = state;
            (world, budget, state) = (next, left, u64::from(count) + 1);
            search.found.insert(state, (from, step));
        }
        search.settle(state, &world);
    }
}
