//! WebSockets between two endpoints.

mod common;
#[cfg(feature = "gateway")]
mod gateway;
mod hostile;
mod roads;
mod serving;
mod silence;
