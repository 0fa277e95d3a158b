//! Rooms without a network.

mod common;
mod hostile;
mod javascript;
mod links;
mod many;
mod resume;
