//! How long packets wait in the queue that a sender makes.

use std::time::Duration;

use telehash_link::ControllerKind;

use crate::sim::{Path, Sim, ms, secs};

/// 20 Mbit/s and 40 ms, before a queue that drops what does not fit: four round trips' worth.
fn bloated() -> Path {
    Path {
        queue: 400_000,
        ..Path::new(20_000, 40, 0)
    }
}

/// The goodput in thousandths, and how long half and 95 of a hundred packets waited at most.
fn load(controller: ControllerKind) -> (u64, Duration, Duration) {
    let mut sim = Sim::bulk(bloated(), controller, 1);
    sim.run(secs(5));
    sim.waits.clear();
    let goodput = sim.goodput(secs(20));
    sim.waits.sort();
    let at = |hundredths: usize| sim.waits[sim.waits.len() * hundredths / 100];
    (goodput, at(50), at(95))
}

#[test]
fn bbr_fills_the_path_and_not_the_queue() {
    let (goodput, half, most) = load(ControllerKind::Bbr);
    println!("bbr {goodput} {half:?} {most:?}");
    assert!(goodput >= 850, "{goodput}");
    assert!(half <= ms(5), "{half:?}");
    assert!(most <= ms(35), "{most:?}");
}

#[test]
fn cubic_fills_both() {
    let (goodput, half, most) = load(ControllerKind::Cubic);
    println!("cubic {goodput} {half:?} {most:?}");
    assert!(goodput >= 850, "{goodput}");
    assert!(
        most <= ms(165),
        "the queue is no longer than that: {most:?}"
    );
    assert!(half >= ms(20), "{half:?}");
}
