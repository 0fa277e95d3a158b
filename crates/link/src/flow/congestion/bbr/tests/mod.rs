//! The rules of the draft, one by one, on a path of one queue.

mod losses;
mod path;
mod properties;
mod states;
