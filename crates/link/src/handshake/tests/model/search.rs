//! The exploration itself: steps, budgets, and what is checked after each.

use alloc::vec::Vec;
use core::{
    hash::{Hash, Hasher},
    time::Duration,
};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::DefaultHasher,
};

use crate::PipeSlot;
use crate::handshake::tests::world::{CLOCK, DIRECT, Packet, World};

/// Longest simulated time from the attacker's last step to agreement.
const PATIENCE: Duration = Duration::from_secs(120);

/// Most moments at which something is due from the attacker's last step until all is quiet.
const MAX_SETTLING: usize = 100;

/// Most packets that one step may make one end send: a round that is repeated and one that waited,
/// each on two validated pipes and to one source.
const MAX_BURST: u32 = 6;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
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
pub(super) struct Budget {
    pub(super) restarts: u8,
    pub(super) replays: u8,
    pub(super) losses: u8,
    pub(super) duplicates: u8,
    pub(super) timeouts: u8,
    pub(super) talks: u8,
}

impl Budget {
    /// What is left after a step, or `None` if it may not be taken.
    pub(super) fn after(mut self, step: Step) -> Option<Self> {
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
pub(super) struct Setup {
    /// Which ends want the link, and dial again after a restart: the odd one, the even one.
    pub(super) wanted: [bool; 2],
    /// They know of each other that they are of one kind, and repeat the same bytes, more often.
    pub(super) kin: bool,
    /// Where replays come from.
    pub(super) replays_from: PipeSlot,
    /// No time passes with packets on the way. Then nothing but a restart may part the two: whatever
    /// an attacker replays, and whatever time does.
    pub(super) fair: bool,
}

/// One exploration.
pub(super) struct Search {
    setup: Setup,
    /// The states found, each with the one before and the step between.
    pub(super) found: HashMap<u64, (u64, Step)>,
    /// States from which the two are known to settle.
    pub(super) settled: HashSet<u64>,
    pub(super) steps: u64,
}

impl Setup {
    pub(super) fn start(self) -> World {
        let mut world = World::new().of_one_kind(self.kin);
        (0..2)
            .filter(|side| self.wanted[*side])
            .for_each(|side| world.dial(side));
        world
    }
}

impl Search {
    pub(super) fn new(setup: Setup) -> Self {
        Self {
            setup,
            found: HashMap::new(),
            settled: HashSet::new(),
            steps: 0,
        }
    }

    pub(super) fn run(setup: Setup, budget: Budget) -> Self {
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
    pub(super) fn steps_from(&self, world: &World) -> Vec<Step> {
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

    pub(super) fn after(&self, world: &World, step: Step) -> World {
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
    pub(super) fn check(&self, state: u64, before: &World, step: Step, after: &World) {
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
    pub(super) fn settle(&mut self, from: u64, world: &World) {
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
