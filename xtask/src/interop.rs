//! Live interoperability with other implementations: every pair of (who dials, transport, cipher set, what), each
//! tried or skipped with its reason. A required row that is skipped or fails is an error.

mod channels;
mod chat;
mod lan;
mod ours;
mod routed;
mod table;
mod theirs;

use anyhow::{Context, Result, ensure};

use crate::endtoend::mesh;
use crate::shell::{self, root};
use channels::{SOCK, THTP};
use table::{Dialer, Outcome, Row, Table};

/// Bytes that are echoed over a stream.
const ECHOED: usize = 40_000;

/// All that there is to try.
const ALL: &[&str] = &["link", "path", "stream", "unknown"];

/// The same, but for our program of unknown channels, which has the default sets only; and whether the other side takes
/// an identity file that our program made.
const OLDER: &[&str] = &["link", "path", "stream", "identity"];

/// Whether the two agree on the right set.
const MIXED: &[&str] = &["link", "stream"];

/// What shows that another transport carries everything.
const STREAMED: &[&str] = &["link", "path", "stream"];

/// Cipher sets that the two have: each set alone, then more than one.
const CASES: [Case; 10] = [
    Case::new("3a", "3a", "3a", OLDER),
    Case::new("1a", "1a", "1a", OLDER),
    Case::new("2a", "2a", "2a", OLDER),
    Case::new("3a,42", "3a", "3a", ALL),
    Case::new("3a,42", "1a,2a,3a", "3a", MIXED),
    Case::new("1a,2a", "1a,3a", "1a", MIXED),
    Case::new("1a,2a,3a", "1a,2a", "2a", MIXED),
    Case::new("3a", "3a", "3a", STREAMED).over_tcp(),
    Case::new("1a", "1a", "1a", STREAMED).over_tcp(),
    Case::new("2a", "2a", "2a", STREAMED).over_tcp(),
];

/// The cipher sets of the two endpoints, and what is tried with them.
struct Case {
    transport: &'static str,
    ours: &'static str,
    theirs: &'static str,
    /// The one they have to agree on.
    agreed: &'static str,
    tests: &'static [&'static str],
}

impl Case {
    const fn new(
        ours: &'static str,
        theirs: &'static str,
        agreed: &'static str,
        tests: &'static [&'static str],
    ) -> Self {
        Self {
            transport: "udp4",
            ours,
            theirs,
            agreed,
            tests,
        }
    }

    const fn over_tcp(self) -> Self {
        Self {
            transport: "tcp4",
            ..self
        }
    }

    /// How our program is told to use this transport, and nothing else, on the loopback interface.
    fn listening(&self) -> [&'static str; 2] {
        let flag = match self.transport {
            "tcp4" => "--tcp",
            _ => "--udp",
        };
        [flag, "127.0.0.1:0"]
    }

    /// The name of the other side's files.
    fn name(&self, prefix: &str) -> String {
        format!("{prefix}-{}-{}-{}", self.transport, self.ours, self.theirs)
    }

    fn label(&self) -> String {
        match self.ours == self.theirs {
            true => self.ours.to_owned(),
            false => format!("{} - {}", self.ours, self.theirs),
        }
    }

    /// What the JavaScript peer's own tests are to try.
    fn asked_of_js(&self) -> String {
        let asked = self.tests.iter().filter(|what| **what != "identity");
        asked.copied().collect::<Vec<_>>().join(",")
    }

    /// An identity of ours with the sets of this case.
    fn identity(&self, programs: &Programs, name: &str) -> Result<std::path::PathBuf> {
        let name = self.name(name);
        let folder = programs.folder.path();
        mesh::identity_with(&programs.mesh, folder, &name, &["--cs", self.ours])
    }
}

/// A part of the matrix: its name, its rows, and how they are filled.
type Part = (&'static str, fn() -> Vec<Row>, fn(&Programs, &mut Table));

const PARTS: [Part; 6] = [
    ("links", link_rows, links),
    ("lan", || lan::rows().into(), lan::discover),
    ("routed", routed::rows, routed::route),
    (
        "sock",
        || SOCK.rows().collect(),
        |programs, table| SOCK.run(programs, table),
    ),
    (
        "thtp",
        || THTP.rows().collect(),
        |programs, table| THTP.run(programs, table),
    ),
    ("chat", || chat::rows().collect(), chat::run),
];

/// Runs the matrix, or the parts of it that are named, and prints it.
pub(crate) fn run(named: &[String]) -> Result<()> {
    let is_named = |name: &str| named.is_empty() || named.iter().any(|part| part == name);
    let parts = PARTS
        .iter()
        .filter(|(name, ..)| is_named(name))
        .collect::<Vec<_>>();
    ensure!(
        !parts.is_empty(),
        "the parts are {}",
        PARTS.map(|(name, ..)| name).join(", ")
    );
    let mut table = Table::new(parts.iter().flat_map(|(_, rows, _)| rows()).collect());
    match prepare() {
        Ok(programs) => parts
            .iter()
            .for_each(|(.., fill)| fill(&programs, &mut table)),
        Err(error) => table.skip_untried(&format!("{error:#}")),
    }
    table.finish()
}

fn links(programs: &Programs, table: &mut Table) {
    for case in &CASES {
        theirs::dial_us(programs, case, table);
        ours::dial_them(programs, case, table);
    }
}

/// What both directions need.
pub(crate) struct Programs {
    /// Our `mesh`.
    mesh: std::path::PathBuf,
    /// Our program that opens a channel of a type that nobody knows.
    open_unknown: std::path::PathBuf,
    /// Our program that makes tunnels.
    tunnels: std::path::PathBuf,
    /// Our program that makes and answers HTTP requests.
    requests: std::path::PathBuf,
    /// Our program that talks in chats.
    chats: std::path::PathBuf,
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
        tunnels: shell::build_program("telehash-examples", "tunnels")?,
        requests: shell::build_program("telehash-examples", "requests")?,
        chats: shell::build_program("telehash-examples", "chats")?,
        folder: tempfile::tempdir()?,
    })
}

/// Every row of links between two.
fn link_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for dialer in [Dialer::Theirs, Dialer::Ours] {
        for case in &CASES {
            let sets = case.label();
            // Identity files go one way here: theirs are captured, and plain tests load them.
            let tried = |what: &&&'static str| dialer == Dialer::Theirs || **what != "identity";
            let row = |what| Row::required("telehash-js", dialer, case.transport, &sets, what);
            rows.extend(case.tests.iter().filter(tried).copied().map(row));
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
