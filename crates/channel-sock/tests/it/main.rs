//! Tunnels between two endpoints, and real sockets behind them.

mod common;
mod hostile;
mod policy;
mod roads;
mod tcp;
mod traces;
mod udp;
