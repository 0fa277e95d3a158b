//! What is counted, and what is not.

use std::hint::black_box;

/// Takes work and has it counted.
pub(crate) struct Counter(());

impl Counter {
    /// Says which instructions there are for programs to choose from, for the counts depend on them.
    pub(crate) fn new() -> Self {
        println!("processor {}", processor());
        Self(())
    }

    /// Counts `work`, which is done once for each of so many packets. What is counted under the same name adds up.
    pub(crate) fn count(&mut self, name: &str, packets: usize, mut work: impl FnMut()) {
        measured(black_box(&mut work));
        println!("{packets} {name}");
    }

    /// Counts `work` for each of these, which it may change.
    pub(crate) fn each<T>(&mut self, name: &str, things: &mut [T], mut work: impl FnMut(&mut T)) {
        self.count(name, things.len(), || things.iter_mut().for_each(&mut work));
    }

    /// Counts `work`, done so many times.
    pub(crate) fn repeat(&mut self, name: &str, times: usize, mut work: impl FnMut()) {
        // Tables are filled and memory is there, as it is in the middle of a stream.
        work();
        self.count(name, times, || (0..times).for_each(|_| work()));
    }
}

/// Found by its name by valgrind, so it must stay a function of its own.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    // Or there would be nothing to return from: a jump would do.
    black_box(());
}

#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    let known = [
        ("aes", is_x86_feature_detected!("aes")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("sha", is_x86_feature_detected!("sha")),
        ("vaes", is_x86_feature_detected!("vaes")),
    ];
    let present = known.iter().filter(|(_, present)| *present);
    let names: Vec<_> = present.map(|(name, _)| *name).collect();
    names.join(" ")
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    std::env::consts::ARCH.to_owned()
}
