//! Goodput where packets get lost: eight paths, from a good line to a bad one.
//!
//! The figures are frozen in `rungs.md`. After a change that is meant to change them,
//! `FREEZE=1 cargo test -p telehash-link --test congestion` writes them anew, to be looked at and to be
//! copied to `docs/performance.md`.

use std::{env, fmt::Write as _, fs, path::Path as FilePath};

use telehash_link::ControllerKind;

use crate::sim::{Path, Sim, secs};

/// Thousands of bits a second, round trip in milliseconds, loss in thousandths.
const RUNGS: [(u64, u64, u64); 8] = [
    (100_000, 16, 1),
    (25_000, 40, 10),
    (8_000, 90, 20),
    (3_000, 200, 30),
    (1_500, 300, 50),
    (800, 450, 80),
    (25_000, 600, 15),
    (500, 450, 120),
];

/// So much of the rate BBR has to carry on the first four, in thousandths.
const LEAST: u64 = 800;

/// Chance differs from run to run: the mean of these is taken.
const SEEDS: [u64; 3] = [1, 2, 3];

/// The share of the rate that arrives, in thousandths; and all of it does, as it was sent.
fn goodput(controller: ControllerKind, (kbit, rtt, loss): (u64, u64, u64)) -> u64 {
    let runs = SEEDS.map(|seed| {
        let mut sim = Sim::bulk(Path::new(kbit, rtt, loss), controller, seed);
        sim.run(secs(5));
        let goodput = sim.goodput(secs(20));
        sim.finish();
        goodput
    });
    runs.iter().sum::<u64>() / SEEDS.len() as u64
}

#[test]
fn goodput_under_loss_is_as_frozen() {
    let mut table = String::from("| Mbit/s | round trip, ms | loss | CUBIC | BBR |\n");
    table.push_str("| --- | --- | --- | --- | --- |\n");
    for (n, rung) in RUNGS.into_iter().enumerate() {
        let [cubic, bbr] =
            [ControllerKind::Cubic, ControllerKind::Bbr].map(|kind| goodput(kind, rung));
        let (kbit, rtt, loss) = rung;
        let thousandths = |share: u64| share as f64 / 1000.0;
        let (mbit, percent) = (thousandths(kbit), loss as f64 / 10.0);
        let (cubic_share, bbr_share) = (thousandths(cubic), thousandths(bbr));
        writeln!(
            table,
            "| {mbit} | {rtt} | {percent} % | {cubic_share:.3} | {bbr_share:.3} |"
        )
        .expect("a string takes all");
        assert!(n >= 4 || bbr >= LEAST, "{bbr} of {LEAST} on {rung:?}");
    }
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR"));
    let frozen = root.join("tests/congestion/rungs.md");
    if env::var_os("FREEZE").is_some() {
        fs::write(&frozen, &table).expect("written");
    }
    let before = fs::read_to_string(&frozen).expect("the frozen table");
    assert_eq!(table, before, "meant? FREEZE=1 writes the table anew");
    let page = fs::read_to_string(root.join("../../docs/performance.md")).expect("the page");
    assert!(
        page.contains(&table),
        "copy rungs.md to docs/performance.md"
    );
}
