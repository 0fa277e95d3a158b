//! What transports over IP have in common: where to listen, and which addresses mean the same.

mod address;
mod interfaces;
mod listen;

pub use address::{Family, answerable, canonical};
pub use interfaces::reachable_at;
pub use listen::Listen;
