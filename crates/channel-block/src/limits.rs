//! Every bound of this crate, and what happens at it.

/// Bytes of one block. A larger one is not sent, and one that comes is dropped. Its packets fill half
/// of what a link queues for a channel at most, so that the next block does not push it out.
pub const MAX_BLOCK: usize = 64 * 1024;

/// Runs of bytes, with holes between them, that are kept of a block that is not complete. With more
/// it is dropped: its packets come in no order that a network makes.
pub const MAX_RUNS: usize = 64;

/// Block channels that one peer may have open here at once; one more is refused with `busy`. Each may
/// hold a block that is not complete.
pub const MAX_CHANNELS_PER_PEER: usize = 64;
