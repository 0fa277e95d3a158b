//! Rooms without a network.

mod behind;
mod common;
mod crowd;
#[cfg(feature = "disk")]
mod disk;
mod hangups;
mod hostile;
mod javascript;
mod links;
mod many;
mod people;
mod resume;
mod strangers;
