//! The hot functions, to be counted by valgrind: `cargo xtask bench --check` runs this program.
//!
//! callgrind collects what [`counter::measured`] executes, and nothing else, and writes a file each time that it ends.
//! This program prints a line for each of them: how many packets it was for, and what was done to them. So what is
//! prepared in between is not counted.

mod codec;
mod congestion;
mod counter;
mod crypto;
mod link;

use counter::Counter;

fn main() {
    let counter = &mut Counter::new();
    codec::count(counter);
    crypto::count(counter);
    link::count(counter);
    congestion::count(counter);
}
