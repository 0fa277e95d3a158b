//! What congestion control costs for each packet: sent, acknowledged, and the window and rate asked for.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use telehash_benches::Flows;
use telehash_link::ControllerKind;

fn packets(c: &mut Criterion) {
    let mut group = c.benchmark_group("congestion");
    for controller in [ControllerKind::Cubic, ControllerKind::Bbr] {
        let mut flows = Flows::new(controller);
        let id = BenchmarkId::new("packet", controller);
        group.bench_function(id, |b| {
            // Whole rounds, as many as so many packets take.
            b.iter_custom(|packets| {
                let (mut sent, start) = (0, std::time::Instant::now());
                while sent < packets {
                    sent += flows.round().max(1) as u64;
                }
                start.elapsed().mul_f64(packets as f64 / sent as f64)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, packets);
criterion_main!(benches);
