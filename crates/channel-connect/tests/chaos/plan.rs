//! What happens in a run: everything follows from a seed, so that it happens again.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Names a node.
pub(crate) type Id = usize;

/// A world and what is done to it. `Debug` prints what a test may be made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Of all chances within the world.
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) operations: Vec<Operation>,
}

/// What the world is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Endpoints, the stranger not counted.
    pub(crate) nodes: usize,
    /// The first endpoint routes for everybody.
    pub(crate) router: bool,
    pub(crate) sets: Sets,
    /// Buffers and tables of channels are so small that they fill up.
    pub(crate) small: bool,
    pub(crate) cloak: bool,
    pub(crate) head_only: bool,
    /// Endpoints tell their peers where they are.
    pub(crate) tells: bool,
}

/// The cipher sets of all identities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sets {
    Cs3a,
    Cs42,
    Both,
}

/// What a network is like between two nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    Fine,
    Far,
    Lossy,
    Wild,
    Dead,
}

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operation {
    Pass {
        millis: u32,
    },
    Link {
        from: Id,
        to: Id,
        routed: bool,
    },
    /// The link is closed, as applications do it.
    Close {
        from: Id,
        to: Id,
    },
    /// The link is dropped as a whole, as its endpoint drops one that it has no room for.
    Remove {
        from: Id,
        to: Id,
    },
    Open {
        from: Id,
        to: Id,
        reliable: bool,
    },
    Write {
        node: Id,
        nth: usize,
        bytes: usize,
    },
    Send {
        node: Id,
        nth: usize,
        bytes: usize,
    },
    Read {
        node: Id,
        nth: usize,
    },
    End {
        node: Id,
        nth: usize,
    },
    Fail {
        node: Id,
        nth: usize,
    },
    /// The channel is dropped without a word, if it is an unreliable one.
    Forget {
        node: Id,
        nth: usize,
    },
    Restart {
        node: Id,
        keeps: bool,
    },
    Move {
        node: Id,
        told: bool,
    },
    Mtu {
        one: Id,
        other: Id,
        mtu: usize,
    },
    Weather {
        one: Id,
        other: Id,
        weather: Weather,
    },
    Pause {
        node: Id,
        seconds: u32,
    },
    /// The clock on the wall is set.
    Jump {
        node: Id,
        seconds: i64,
    },
    Knock {
        to: Id,
    },
    Garbage {
        to: Id,
        bytes: usize,
    },
    /// Somebody sends a datagram again that he saw: from where it came, or from elsewhere.
    Replay {
        nth: usize,
        moved: bool,
    },
}

const OPERATIONS: usize = 70;

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = Chance(ChaCha20Rng::seed_from_u64(seed));
        let shape = chance.shape();
        // Most begin with links, or little would happen.
        let first = (1..shape.nodes).map(|from| Operation::Link {
            from,
            to: 0,
            routed: false,
        });
        let pass = Operation::Pass { millis: 2_000 };
        let mut operations: Vec<_> = first.chain([pass]).collect();
        while operations.len() < OPERATIONS {
            operations.push(chance.operation(&shape));
        }
        Self {
            seed,
            shape,
            operations,
        }
    }

    /// The same with only these of its operations.
    pub(crate) fn keeping(&self, kept: &[usize]) -> Self {
        Self {
            operations: kept.iter().map(|at| self.operations[*at]).collect(),
            ..self.clone()
        }
    }
}

struct Chance(ChaCha20Rng);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn shape(&mut self) -> Shape {
        Shape {
            nodes: 2 + self.below(4),
            router: self.one_in(2),
            sets: self.of(&[Sets::Cs3a, Sets::Cs42, Sets::Both]),
            small: self.one_in(2),
            cloak: self.one_in(2),
            head_only: self.one_in(2),
            tells: self.one_in(2),
        }
    }

    /// Two nodes that are not the same.
    fn pair(&mut self, shape: &Shape) -> (Id, Id) {
        let one = self.below(shape.nodes);
        let other = (one + 1 + self.below(shape.nodes - 1)) % shape.nodes;
        (one, other)
    }

    fn operation(&mut self, shape: &Shape) -> Operation {
        let (from, to) = self.pair(shape);
        let (node, nth) = (from, self.below(16));
        match self.below(100) {
            0..=19 => self.pass(),
            20..=27 => Operation::Link {
                from,
                to,
                routed: shape.router && from != 0 && to != 0 && self.one_in(2),
            },
            28..=38 => Operation::Open {
                from,
                to,
                reliable: !self.one_in(4),
            },
            39..=55 => Operation::Write {
                node,
                nth,
                bytes: 1 + self.below(20_000),
            },
            56..=61 => Operation::Send {
                node,
                nth,
                bytes: 1 + self.below(1_000),
            },
            62..=66 => Operation::Read { node, nth },
            67..=70 => Operation::End { node, nth },
            71 => Operation::Fail { node, nth },
            72 => Operation::Forget { node, nth },
            73..=75 => Operation::Restart {
                node,
                keeps: self.one_in(2),
            },
            76..=78 => Operation::Move {
                node,
                told: self.one_in(2),
            },
            79..=80 => Operation::Mtu {
                one: from,
                other: to,
                mtu: self.of(&[1_200, 1_300, 1_500, 9_000]),
            },
            81..=85 => Operation::Weather {
                one: from,
                other: to,
                weather: self.of(&[
                    Weather::Fine,
                    Weather::Far,
                    Weather::Lossy,
                    Weather::Wild,
                    Weather::Dead,
                ]),
            },
            86..=87 => Operation::Pause {
                node,
                seconds: self.of(&[3, 20, 60]),
            },
            88..=89 => Operation::Jump {
                node,
                seconds: self.of(&[-100_000, -3_600, -60, 60, 3_600, 100_000]),
            },
            90 => Operation::Close { from, to },
            91 => Operation::Remove { from, to },
            92..=93 => Operation::Knock { to },
            94..=95 => Operation::Garbage {
                to,
                bytes: self.below(1_400),
            },
            _ => Operation::Replay {
                nth: self.below(256),
                moved: self.one_in(2),
            },
        }
    }

    fn pass(&mut self) -> Operation {
        let most = self.of(&[20, 500, 500, 5_000, 5_000, 40_000]);
        Operation::Pass {
            millis: u32::try_from(self.below(most)).unwrap_or_default(),
        }
    }
}
