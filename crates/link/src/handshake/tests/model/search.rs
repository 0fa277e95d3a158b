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
use crate::handshake::tests::world::{DIRECT, World};

/// Two ends, and a network that does what it is told: what a search explores.
pub(in crate::handshake) trait Model: Clone + core::fmt::Debug + Hash {
    type Packet: Copy + core::fmt::Debug + Eq + Hash + Ord;

    /// Clocks of an end that starts without its state: right, behind, far behind. The first is also
    /// that of one that kept it.
    const CLOCKS: [u64; 3];

    /// The ends as they start. `kin`: they met before, whatever that means to a model.
    fn begin(kin: bool) -> Self;
    /// The application of one side wants the link.
    fn dial(&mut self, side: usize);
    /// Packets on the way.
    fn flights(&mut self) -> &mut Vec<Self::Packet>;
    /// What an attacker can replay to some effect.
    fn recorded(&mut self) -> &mut Vec<Self::Packet>;
    /// Handshakes sent since this was last reset.
    fn sent(&mut self) -> &mut u32;
    fn now(&self) -> telehash_e3x::Instant;
    /// Delivers the packet at this place among those on the way.
    fn deliver(&mut self, place: usize);
    /// Delivers everything, and what it causes.
    fn deliver_all(&mut self) -> usize;
    /// Hands a packet to its recipient as if it came by `pipe`.
    fn inject(&mut self, packet: Self::Packet, pipe: PipeSlot);
    fn restart(&mut self, side: usize, keeps_state: bool, clock: u64, dials: bool);
    /// Sends a channel packet, if there is a session.
    fn talk(&mut self, side: usize);
    /// Time passes until something is due; false if nothing ever is.
    fn pass(&mut self) -> bool;
    /// What each end sends the other takes.
    fn agrees(&self) -> bool;
    /// A round of either waits for its answer.
    fn is_waiting(&self) -> bool;
    /// Moves all times so that states which differ only in them are equal.
    fn rebase(&mut self);
    /// A rule of its own that a step broke.
    fn broken(&self, after: &Self, restarted: bool) -> Option<&'static str> {
        let _ = (after, restarted);
        None
    }
}

/// Longest simulated time from the attacker's last step to agreement.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long nothing arrives in an outage: longer than a session waits for its confirmation and
/// old keys receive, shorter than it takes silence to end a link that was idle when it began.
const OUTAGE: Duration = Duration::from_secs(35);

/// Most moments at which something is due from the attacker's last step until all is quiet.
const MAX_SETTLING: usize = 100;

/// Most packets that one step may make one end send: a round that is repeated and one that waited,
/// each on two validated pipes and to one source.
const MAX_BURST: u32 = 6;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::handshake) enum Step<P> {
    Start,
    Deliver(P),
    Lose(P),
    Duplicate(P),
    Pass,
    Restart {
        side: usize,
        keeps_state: bool,
        clock: u64,
    },
    Replay(P, PipeSlot),
    Talk(usize),
    /// Nothing arrives for [`OUTAGE`], what is on the way included.
    Outage,
}

/// How often each kind of step may still be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::handshake) struct Budget {
    pub(in crate::handshake) restarts: u8,
    pub(in crate::handshake) replays: u8,
    pub(in crate::handshake) losses: u8,
    pub(in crate::handshake) duplicates: u8,
    pub(in crate::handshake) timeouts: u8,
    pub(in crate::handshake) talks: u8,
    pub(in crate::handshake) outages: u8,
}

impl Budget {
    /// What is left after a step, or `None` if it may not be taken.
    pub(in crate::handshake) fn after<P: Copy>(mut self, step: Step<P>) -> Option<Self> {
        let budget = match step {
            Step::Start | Step::Deliver(_) => return Some(self),
            Step::Lose(_) => &mut self.losses,
            Step::Duplicate(_) => &mut self.duplicates,
            Step::Pass => &mut self.timeouts,
            Step::Restart { .. } => &mut self.restarts,
            Step::Replay(..) => &mut self.replays,
            Step::Talk(_) => &mut self.talks,
            Step::Outage => &mut self.outages,
        };
        *budget = budget.checked_sub(1)?;
        Some(self)
    }
}

/// Who the two ends are, and where the attacker is.
#[derive(Clone, Copy, Debug)]
pub(in crate::handshake) struct Setup {
    /// Which ends want the link, and dial again after a restart: the odd one, the even one.
    pub(in crate::handshake) wanted: [bool; 2],
    /// They met before. Ends that keep ephemerals know of each other that they are of one kind, and
    /// repeat the same bytes, more often; ends with fresh ones are linked, and dialing is a network
    /// change.
    pub(in crate::handshake) kin: bool,
    /// Where replays come from.
    pub(in crate::handshake) replays_from: PipeSlot,
    /// No time passes with packets on the way. Then nothing but a restart may part the two: whatever
    /// an attacker replays, and whatever time does.
    pub(in crate::handshake) fair: bool,
}

/// One exploration.
pub(in crate::handshake) struct Search<W: Model = World> {
    setup: Setup,
    /// The states found, each with the one before and the step between.
    pub(in crate::handshake) found: HashMap<u64, (u64, Step<W::Packet>)>,
    /// States from which the two are known to settle.
    pub(in crate::handshake) settled: HashSet<u64>,
    pub(in crate::handshake) steps: u64,
}

impl Setup {
    pub(in crate::handshake) fn start<W: Model>(self) -> W {
        let mut world = W::begin(self.kin);
        (0..2)
            .filter(|side| self.wanted[*side])
            .for_each(|side| world.dial(side));
        world
    }
}

impl<W: Model> Search<W> {
    pub(in crate::handshake) fn new(setup: Setup) -> Self {
        Self {
            setup,
            found: HashMap::new(),
            settled: HashSet::new(),
            steps: 0,
        }
    }

    pub(in crate::handshake) fn run(setup: Setup, budget: Budget) -> Self {
        let mut search = Self::new(setup);
        let world: W = setup.start();
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
    pub(in crate::handshake) fn steps_from(&self, world: &W) -> Vec<Step<W::Packet>> {
        let mut world = world.clone();
        let mut steps = Vec::from([Step::Talk(0), Step::Talk(1), Step::Outage]);
        if world.flights().is_empty() || !self.setup.fair {
            steps.push(Step::Pass);
        }
        for &mut packet in world.flights() {
            steps.extend([
                Step::Deliver(packet),
                Step::Lose(packet),
                Step::Duplicate(packet),
            ]);
        }
        for &mut packet in world.recorded() {
            steps.push(Step::Replay(packet, self.setup.replays_from));
        }
        for side in 0..2 {
            let restart = |(keeps_state, clock)| Step::Restart {
                side,
                keeps_state,
                clock,
            };
            let [right, behind, far_behind] = W::CLOCKS;
            let lives = [
                (true, right),
                (false, right),
                (false, behind),
                (false, far_behind),
            ];
            steps.extend(lives.map(restart));
        }
        steps
    }

    fn take(
        &mut self,
        state: u64,
        world: &W,
        step: Step<W::Packet>,
        budget: Budget,
        open: &mut Vec<(u64, W, Budget)>,
    ) {
        let next = self.after(world, step);
        self.steps += 1;
        self.check(state, world, step, &next);
        self.arrive(state, step, next, budget, open);
    }

    pub(in crate::handshake) fn after(&self, world: &W, step: Step<W::Packet>) -> W {
        let mut next = world.clone();
        match step {
            Step::Start => {}
            Step::Deliver(packet) => {
                let place = place(&mut next, packet);
                next.deliver(place);
            }
            Step::Lose(packet) => {
                let place = place(&mut next, packet);
                next.flights().remove(place);
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
            Step::Outage => {
                let end = next.now() + OUTAGE;
                next.flights().clear();
                while next.pass() && next.now() < end {
                    next.flights().clear();
                }
            }
        }
        next
    }

    /// What must hold of every single step.
    pub(in crate::handshake) fn check(
        &self,
        state: u64,
        before: &W,
        step: Step<W::Packet>,
        after: &W,
    ) {
        let most = match step {
            Step::Outage => u32::MAX,
            Step::Pass => 2 * MAX_BURST,
            _ => MAX_BURST,
        };
        let sent = |world: &W| *world.clone().sent();
        if sent(after) - sent(before) > most {
            self.fail(state, step, after, "one step makes them send too much");
        }
        let restarted = matches!(step, Step::Restart { .. });
        if let Some(rule) = before.broken(after, restarted) {
            self.fail(state, step, after, rule);
        }
        let may_part = match step {
            Step::Restart { .. } | Step::Outage => true,
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
        step: Step<W::Packet>,
        mut world: W,
        budget: Budget,
        open: &mut Vec<(u64, W, Budget)>,
    ) {
        world.rebase();
        *world.sent() = 0;
        world.flights().sort_unstable();
        if budget.replays == 0 {
            world.recorded().clear();
        } else {
            world.recorded().sort_unstable();
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
    pub(in crate::handshake) fn settle(&mut self, from: u64, world: &W) {
        let mut world = world.clone();
        world.recorded().clear();
        let start = world.now();
        let mut states = Vec::new();
        let mut agreed = world.agrees();
        let mut quiet = 0;
        // A round that the attacker kept from being answered may still part them, but neither a
        // keepalive nor what else follows.
        while quiet < 3 {
            let mut present = world.clone();
            present.rebase();
            *present.sent() = 0;
            present.recorded().clear();
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
            let waited = world.now().saturating_duration_since(start);
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
    fn fail(&self, state: u64, last: Step<W::Packet>, world: &W, what: &str) -> ! {
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

fn place<W: Model>(world: &mut W, packet: W::Packet) -> usize {
    world
        .flights()
        .iter()
        .position(|other| *other == packet)
        .expect("it is on the way")
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
