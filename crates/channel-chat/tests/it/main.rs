//! Rooms without a network.

mod common;
#[cfg(feature = "disk")]
mod disk;
mod hostile;
mod javascript;
mod links;
mod many;
mod resume;
