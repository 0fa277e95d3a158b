//! Letters between endpoints that are not there at the same time.

mod caches;
mod common;
mod direct;
mod hostile;
mod limits;
mod many;
mod memory;
mod roads;
