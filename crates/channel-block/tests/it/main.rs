//! Blocks between two endpoints.

mod common;
mod hostile;
mod loss;
mod roads;
