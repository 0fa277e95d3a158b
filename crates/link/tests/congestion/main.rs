//! Congestion controllers on simulated paths, in virtual time: the same run on every machine, so that
//! figures can be compared exactly.

mod sim;

mod changes;
mod queue;
mod rungs;
mod sharing;

use telehash_link::ControllerKind;

const BOTH: [ControllerKind; 2] = [ControllerKind::Cubic, ControllerKind::Bbr];
