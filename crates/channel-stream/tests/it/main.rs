//! Streams between two endpoints in one process.

mod bytes;
mod common;
mod messages;
