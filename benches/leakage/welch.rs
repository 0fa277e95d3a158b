//! Samples of two classes, and whether their means differ.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

/// Which of two inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// One.
    A,
    /// The other.
    B,
}

/// Parts of the samples, the fastest, that are tested beside all of them.
const CROPS: [f64; 7] = [0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25];

/// Of the samples one in this many comes before the caches are warm, and does not count.
const WARM_UP: usize = 10;

/// Nanoseconds that `run` takes, in an order of classes that is drawn anew for each sample.
pub(crate) fn sample(
    samples: usize,
    rng: &mut ChaCha20Rng,
    run: &mut dyn FnMut(Class) -> Duration,
) -> Vec<(Class, f64)> {
    let mut one = || {
        let class = match rng.next_u32() & 1 {
            0 => Class::A,
            _ => Class::B,
        };
        (class, run(class).as_nanos() as f64)
    };
    for _ in 0..samples / WARM_UP {
        one();
    }
    (0..samples).map(|_| one()).collect()
}

/// The largest |t| over all samples and over each crop of them.
pub(crate) fn largest_t(samples: &[(Class, f64)]) -> f64 {
    let mut sorted: Vec<_> = samples.iter().map(|(_, time)| *time).collect();
    sorted.sort_by(f64::total_cmp);
    let limit = |crop: f64| sorted[(crop * (sorted.len() - 1) as f64) as usize];
    let limits = CROPS.map(limit).into_iter().chain([f64::INFINITY]);
    limits
        .map(|limit| t(samples, limit).abs())
        .fold(0.0, f64::max)
}

/// Welch's t of the samples that took no longer than `limit`.
fn t(samples: &[(Class, f64)], limit: f64) -> f64 {
    let [a, b] = [Class::A, Class::B].map(|class| {
        let of_class = |sample: &&(Class, f64)| sample.0 == class && sample.1 <= limit;
        Moments::of(samples.iter().filter(of_class).map(|(_, time)| *time))
    });
    let error = (a.variance / a.count + b.variance / b.count).sqrt();
    // Without any spread there is nothing to say, nor with too few samples.
    if error.is_normal() {
        (a.mean - b.mean) / error
    } else {
        0.0
    }
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(times: impl Iterator<Item = f64>) -> Self {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for time in times {
            count += 1.0;
            let off = time - mean;
            mean += off / count;
            squares += off * (time - mean);
        }
        Self {
            count,
            mean,
            variance: squares / (count - 1.0),
        }
    }
}
