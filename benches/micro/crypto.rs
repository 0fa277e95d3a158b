//! Channel packets of a session.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use telehash_benches::{Pair, SIZES};

fn cs3a(c: &mut Criterion) {
    let mut group = c.benchmark_group("cs3a");
    for size in SIZES {
        let mut pair = Pair::new();
        let mut packet = pair.room(size);
        group.bench_function(BenchmarkId::new("seal", size), |b| {
            b.iter(|| pair.seal(black_box(&mut packet)));
        });
        // A packet opens once, so each has to be sealed first, outside the measurement.
        let pair = RefCell::new(Pair::new());
        group.bench_function(BenchmarkId::new("open", size), |b| {
            b.iter_batched_ref(
                || pair.borrow_mut().packet(size),
                |packet| pair.borrow_mut().open(black_box(packet)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Short: dozens of them are run, and their medians settle in a second.
fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = crypto;
    config = short();
    targets = cs3a
}
criterion_main!(crypto);
