//! HTTP over links: one suite, over every transport.

mod common;
mod suite;
mod wire;
