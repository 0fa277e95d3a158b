//! The machine for fresh ephemerals: its rules, and everything that can happen to a bound.

mod failures;
mod model;
mod replays;
mod rules;
mod world;
