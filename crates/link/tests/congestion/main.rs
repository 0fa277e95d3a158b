//! Congestion controllers on simulated paths, in virtual time: the same run on every machine, so that
//! figures can be compared exactly.

mod sim;

mod rungs;
