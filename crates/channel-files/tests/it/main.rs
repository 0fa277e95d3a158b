//! Files between endpoints: over every road, broken off everywhere, and from peers that mean harm.

mod breaks;
mod common;
mod disk;
mod hostile;
mod limits;
mod places;
mod roads;
