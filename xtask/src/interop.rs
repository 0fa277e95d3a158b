//! Live interoperability with other implementations: every pair of (who dials, transport, cipher set, what), each
//! tried or skipped with its reason. A required row that is skipped or fails is an error.

mod ours;
mod table;
mod theirs;

use anyhow::{Context, Result};

use crate::shell::{self, root};
use table::{Dialer, Outcome, Row, Table};

/// Bytes that are echoed over a stream.
const ECHOED: usize = 40_000;

/// Runs the matrix and prints it.
pub(crate) fn run() -> Result<()> {
    let mut table = Table::new(planned());
    match prepare() {
        Ok(programs) => {
            theirs::dial_us(&programs, &mut table);
            ours::dial_them(&programs, &mut table);
        }
        Err(error) => table.skip_untried(&format!("{error:#}")),
    }
    table.finish()
}

/// What both directions need.
pub(crate) struct Programs {
    /// Our `mesh`.
    mesh: std::path::PathBuf,
    /// Our program that opens a channel of a type that nobody knows.
    open_unknown: std::path::PathBuf,
    /// Identities and link files.
    folder: tempfile::TempDir,
}

fn prepare() -> Result<Programs> {
    anyhow::ensure!(
        shell::exists("node") && shell::exists("npm"),
        "node and npm are not installed"
    );
    theirs::install().context("the JavaScript peer could not be installed")?;
    Ok(Programs {
        mesh: shell::mesh_program()?,
        open_unknown: shell::build_program("telehash-examples", "open_unknown")?,
        folder: tempfile::tempdir()?,
    })
}

/// Every row that there is to fill.
fn planned() -> Vec<Row> {
    let mut rows = Vec::new();
    for dialer in [Dialer::Theirs, Dialer::Ours] {
        for what in ["link", "path", "stream", "unknown"] {
            rows.push(Row::required("telehash-js", dialer, "udp4", "3a", what));
        }
        for (transport, set, reason) in [
            ("udp4", "1a", "cipher set 1a is not built yet"),
            ("udp4", "2a", "cipher set 2a is not built yet"),
            ("tcp4", "3a", "the tcp transport is not built yet"),
        ] {
            rows.push(Row::skipped(
                "telehash-js",
                dialer,
                transport,
                set,
                "link",
                reason,
            ));
        }
        let reason = "no live peer is published for it; its captured vectors (interop/vectors/c) are plain tests";
        rows.push(Row::skipped(
            "telehash-c",
            dialer,
            "udp4",
            "3a",
            "link",
            reason,
        ));
    }
    rows
}

/// The folder of the JavaScript peer.
fn js() -> std::path::PathBuf {
    root().join("interop/js")
}

/// Turns what a test gave into a row's outcome.
fn outcome(result: Result<String>) -> Outcome {
    match result {
        Ok(figure) => Outcome::Passed(figure),
        Err(error) => Outcome::Failed(format!("{error:#}")),
    }
}
