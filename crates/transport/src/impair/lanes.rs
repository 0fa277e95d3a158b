//! All directions of a network.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{Conditions, Counters, Lane};

/// Every direction between two addresses of a network, made when first used.
#[derive(Clone, Debug)]
pub struct Lanes {
    seed: u64,
    conditions: Conditions,
    lanes: BTreeMap<(SocketAddr, SocketAddr), Lane>,
}

impl Lanes {
    /// Directions with perfect conditions, whose chances follow from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            conditions: Conditions::perfect(),
            lanes: BTreeMap::new(),
        }
    }

    /// The direction from one address to another.
    pub fn lane(&mut self, from: SocketAddr, to: SocketAddr) -> &mut Lane {
        self.lanes
            .entry((from, to))
            .or_insert_with(|| Lane::between(self.seed, from, to, self.conditions.clone()))
    }

    /// Changes the conditions of every direction, those included that are not in use yet and those
    /// that had conditions of their own.
    pub fn set_conditions(&mut self, conditions: &Conditions) {
        self.conditions = conditions.clone();
        for lane in self.lanes.values_mut() {
            lane.set_conditions(conditions.clone());
        }
    }

    /// What happened in one direction so far.
    #[must_use]
    pub fn counters(&self, from: SocketAddr, to: SocketAddr) -> Counters {
        self.lanes
            .get(&(from, to))
            .map(Lane::counters)
            .unwrap_or_default()
    }

    /// What happened in all directions so far.
    #[must_use]
    pub fn total(&self) -> Counters {
        self.lanes
            .values()
            .map(Lane::counters)
            .fold(Counters::default(), |sum, part| sum + part)
    }
}
