//! Rooms without a network.

mod common;
mod hostile;
mod javascript;
mod many;
mod resume;
