//! All automation of this repository, `cargo xtask <command>`.
//!
//! One module a command. Each returns an error, and so a non-zero exit, when what it checks does not hold; nothing is
//! skipped without a printed reason.

mod arrows;
mod bench;
mod browser;
mod ci;
mod counts;
mod deny;
mod endtoend;
mod files;
mod fuzz;
mod hops;
mod interop;
mod leakage;
mod libraries;
mod limits;
mod namespace;
mod outside;
mod peers;
mod portable;
mod process;
mod proxy;
mod report;
mod roads;
mod shell;
mod show;
mod suites;
mod tui;
mod vectors;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The automation of this repository")]
struct Arguments {
    /// With the programs that the plain tests build, as `ci` runs them: that costs nothing after the tests
    #[arg(long, global = true)]
    tested_build: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything a change has to pass besides `cargo test --workspace`
    Ci,
    /// The plain tests: `cargo test --workspace`
    Test,
    /// The plain tests and those that are ignored for their length, optimised; then `files` with a file of 1 GB, and
    /// its rate
    Long,
    /// Link with the JavaScript implementation, both ways, and print the matrix
    Interop {
        /// Parts of it: links, lan, routed, sock, thtp; all when none is named
        parts: Vec<String>,
    },
    /// The `mesh` program against itself: a demo, files, a lossy network, bad input
    EndToEnd {
        /// Bytes of the file that is piped through
        #[arg(long, default_value_t = endtoend::SHORT_FILE)]
        bytes: u64,
    },
    /// A real browser in front of the `mesh` program: sites, uploads, WebSockets, and pages of foreign origins
    Browser,
    /// `mesh chat` on two terminals of tmux: typed on, scrolled, resized, killed and restarted
    Tui,
    /// The `mesh` program between hosts whose roads break, change and get crowded; as root, two minutes
    Roads {
        /// Parts of scenarios' names; all scenarios when there is none
        scenarios: Vec<String>,
        #[command(flatten)]
        inside: roads::Inside,
    },
    /// The `mesh` program behind NATs, which a router introduces; as root, a minute
    Nat {
        /// Parts of scenarios' names; all scenarios when there is none
        scenarios: Vec<String>,
        #[command(flatten)]
        inside: roads::Inside,
    },
    /// Fuzz every target (or those named) for a while each
    Fuzz {
        /// Targets; all of them when none is named
        targets: Vec<String>,
        /// Seconds for each target
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// `mesh send` and `mesh recv`: twenty kills, 10,000 small files, full disks, closed folders; as root, a minute
    Files {
        #[command(flatten)]
        size: files::Size,
    },
    /// Micro-benchmarks of codec and crypto, as one table; or the instruction counts of the hot functions
    Bench {
        /// Count instructions, and fail if a count is over 2 % above that in benches/counts.json
        #[arg(long)]
        check: bool,
        /// Count instructions, and write them to benches/counts.json
        #[arg(long, conflicts_with = "check")]
        record: bool,
    },
    /// Requests/s through the mesh beside two nginx hops with TLS between them; a minute on a quiet machine
    Hops,
    /// Beside other libraries, and what many links cost: `benches/peers`; half an hour on a quiet machine
    Peers {
        /// Its arguments, after `--`: `--quick`, `--only SCENARIO`, `--check`, …
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Whether secrets show in the time that the cipher sets take (dudect), optimised; a minute
    Leakage,
    /// Licences, bans and sources of all dependencies
    Deny {
        /// Check the advisories as well, which needs the network
        #[arg(long)]
        advisories: bool,
    },
    /// Dependencies between the crates point down only
    Arrows,
    /// Crates build without their default features, and the core without `std` for other targets
    Portable,
    /// Programs outside the workspace that take one layer each build and run
    Outside,
    /// The constants that bound something, and what docs/limits.md says of them
    Limits,
    /// Write the test vectors of our cipher set and check them, and those of the page, with another program
    Vectors,
    /// Run every proof of one milestone and print its figures ("show 2": the first slice's proofs)
    Show {
        /// The milestone's number
        number: u32,
        /// Only the proofs with this in their name
        only: Option<String>,
    },
}

fn main() -> Result<()> {
    shell::this_program()?;
    let Arguments {
        tested_build,
        command,
    } = Arguments::parse();
    if tested_build {
        shell::use_tested_build();
    }
    match command {
        Command::Ci => ci::run(),
        Command::Test => suites::test(),
        Command::Long => suites::long(),
        Command::Interop { parts } => interop::run(&parts),
        Command::EndToEnd { bytes } => endtoend::run(bytes),
        Command::Browser => browser::run(),
        Command::Tui => tui::run(),
        Command::Roads { scenarios, inside } if inside.is_set() => {
            roads::ROADS.inside(&inside, &scenarios)
        }
        Command::Roads { scenarios, .. } => roads::ROADS.run(&scenarios),
        Command::Nat { scenarios, inside } if inside.is_set() => {
            roads::NAT.inside(&inside, &scenarios)
        }
        Command::Nat { scenarios, .. } => roads::NAT.run(&scenarios),
        Command::Fuzz { targets, seconds } => fuzz::run(&targets, seconds),
        Command::Files { size } => files::run(&size),
        Command::Bench { check: true, .. } => counts::check(),
        Command::Bench { record: true, .. } => counts::record(),
        Command::Bench { .. } => bench::run(),
        Command::Hops => {
            println!("{}", hops::run()?);
            Ok(())
        }
        Command::Peers { arguments } => peers::run(&arguments),
        Command::Leakage => leakage::run(),
        Command::Deny { advisories } => deny::run(advisories),
        Command::Arrows => arrows::run(),
        Command::Portable => portable::run(),
        Command::Outside => outside::run(),
        Command::Limits => limits::run(),
        Command::Vectors => vectors::publish(),
        Command::Show { number, only } => show::run(number, only),
    }
}
