//! Does what a cipher set computes take a time that depends on a secret? The method of dudect: two
//! classes of input in random order, Welch's t-test on the times, anew on the fastest of them so
//! that interruptions do not drown a small difference.
//!
//! It fails when a check shows a difference twice, and when the control, which leaks on purpose,
//! shows none. An argument selects the checks that have it in their name. It can only ever find leaks, never prove that there are none.

mod checks;
mod welch;

use std::process::ExitCode;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use checks::{Check, Expected};

/// |t| beyond which two classes differ (dudect).
const THRESHOLD: f64 = 4.5;

fn main() -> ExitCode {
    println!("| | classes | samples | largest |t| |");
    println!("| --- | --- | --- | --- |");
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let failed: Vec<_> = checks::all()
        .into_iter()
        .filter(|check| check.name.contains(&wanted))
        .filter_map(|check| judge(check).err())
        .collect();
    for complaint in &failed {
        eprintln!("{complaint}");
    }
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// A difference counts when it is there a second time: of that many tests one exceeds the threshold
/// by chance now and then, and a leak's t grows with the samples.
fn judge(mut check: Check) -> Result<(), String> {
    let mut rng = ChaCha20Rng::seed_from_u64(0);
    let first = measure(&mut check, &mut rng, 1);
    let differs = first > THRESHOLD && measure(&mut check, &mut rng, 2) > THRESHOLD;
    match (differs, check.expected) {
        (true, Expected::Constant) => Err(format!("{}: the classes differ", check.name)),
        (false, Expected::Leak) => Err(format!("{}: the check is blind", check.name)),
        _ => Ok(()),
    }
}

fn measure(check: &mut Check, rng: &mut ChaCha20Rng, times: usize) -> f64 {
    let samples = check.samples * times;
    let t = welch::largest_t(&welch::sample(samples, rng, &mut check.run));
    let Check { name, classes, .. } = check;
    println!("| {name} | {classes} | {samples} | {t:.1} |");
    t
}
