//! The first slice: two endpoints link over UDP, move a real file, and a foreign peer agrees.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::tests::{all, passed};
use crate::report::Report;
use crate::shell::{self, cargo, output, run as sh};
use crate::{arrows, bench, endtoend, fuzz, interop, limits, outside, peers, portable};

/// Bytes of the real file that is piped.
const FILE: u64 = 300_000_000;

/// Seconds for each fuzz target.
const FUZZ_SECONDS: u64 = 20;

/// What one packet may cost, in nanoseconds: (benchmark, bound).
const PER_PACKET: [(&str, f64); 4] = [
    ("header/parse-json/1400", 100.0),
    ("header/encode-json/1400", 100.0),
    ("cs3a/seal/1200", 1000.0),
    ("cs3a/seal/1400", 1000.0),
];

/// What a cloak may cost beside the keystream alone in the same run: (benchmark, keystream, times). On the reference class
/// the keystream takes 800 ns, and a cloak may take a microsecond.
const CLOAK: (&str, &str, f64) = ("cloak/full/1400", "cloak/bare-chacha20/1400", 1.25);

/// What UDP is measured beside, and the share of its MB/s that we reach at least.
const UDP: &str = "udp:quinn=0.5";

/// Whatever decodes what other implementations made, and makes it again.
const VECTORS: [(&str, &str); 5] = [
    ("telehash-hashname", ""),
    ("telehash-lob", ""),
    ("telehash-e3x", "vector"),
    ("telehash-uri", ""),
    ("telehash-link", "js"),
];

/// Adds every proof.
pub(super) fn steps(report: &mut Report) -> Result<()> {
    let program = shell::mesh_program()?;
    let folder = tempfile::tempdir()?;
    report.step("README: the tests", || {
        sh(cargo().args(["test", "--workspace"]))
    });
    report.step("README: mesh demo", || endtoend::demo(&program));
    let (file, what) = real_file(folder.path())?;
    report.step(format!("two processes, {what}"), || {
        endtoend::clean(&program, &file)
    });
    report.step(format!("loss and reordering, {what}"), || {
        endtoend::lossy(&program, &file)
    });
    report.step("interop", || interop::run(&[]));
    report.step("vectors", || all(&VECTORS));
    report.step("handshake model", || {
        passed("telehash-link", "handshake::tests::model")
    });
    report.step("handshake rules", || {
        passed("telehash-link", "handshake::tests::rules")
    });
    report.step("simulation: handshakes", || {
        passed("telehash-link", "at_20_percent_loss")
    });
    report.step("simulation: reliable channels", || {
        passed("telehash-link", "every_byte")
    });
    report.step("simulation: a reader that stops", || {
        passed("telehash-link", "a_reader_that_stops")
    });
    report.step("silence in simulation", || {
        passed("telehash-link", "no_answer")
    });
    report.step("silence over a socket", || {
        passed("telehash-mesh", "get_no_answer")
    });
    report.step("limits", limits::run);
    report.step("memory", || passed("telehash-link", "a_thousand_channels"));
    report.step("memory: a reader that never reads", || {
        passed("telehash-link", "never_reads")
    });
    report.step("benchmarks", per_packet);
    report.step("beside other libraries", || peers::beside(&[UDP]));
    report.step("fuzz", || fuzz::run(&[], FUZZ_SECONDS));
    report.step("arrows", arrows::run);
    report.step("outside", outside::run);
    portable::steps(report);
    endtoend::bad_input(report, &program);
    Ok(())
}

/// A tar of the toolchain's documentation and libraries or, where that is smaller, bytes that do not repeat.
fn real_file(folder: &Path) -> Result<(PathBuf, &'static str)> {
    let file = folder.join("file");
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let tar = Command::new("tar")
        .arg("-cf")
        .arg(&file)
        .arg("-C")
        .arg(sysroot.trim())
        .args(["share", "lib"])
        .status()
        .context("could not run tar")?;
    if tar.success() && std::fs::metadata(&file)?.len() >= FILE {
        std::fs::File::options()
            .write(true)
            .open(&file)?
            .set_len(FILE)?;
        return Ok((file, "300 MB of a tar of the toolchain"));
    }
    endtoend::mesh::write_pattern(&file, FILE)?;
    Ok((file, "300 MB of noise"))
}

fn per_packet() -> Result<String> {
    let figures = bench::measure()?;
    let median = |name: &str| {
        let figure = figures.iter().find(|figure| figure.name == name);
        let figure = figure.with_context(|| format!("there is no benchmark {name}"))?;
        anyhow::Ok(figure.median)
    };
    let (cloak, keystream, times) = CLOAK;
    let bounds = [(cloak, median(keystream)? * times)];
    let mut lines = vec![format!("{keystream} {:.0} ns", median(keystream)?)];
    let mut slow = false;
    for (name, bound) in PER_PACKET.into_iter().chain(bounds) {
        let median = median(name)?;
        slow |= median >= bound;
        lines.push(format!("{name} {median:.0} ns (under {bound:.0})"));
    }
    let line = lines.join(", ");
    ensure!(!slow, "too slow: {line}");
    Ok(line)
}
