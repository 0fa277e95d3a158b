//! Requests through the mesh beside two hops of nginx with TLS between them, on one machine, in turns.
//!
//! Both ways lead from the same client to the same nginx that answers: through `mesh proxy`, a link and `mesh serve`, or
//! through an nginx, TLS and another nginx, which keep their connections. Not part of CI: it wants a quiet machine.

mod client;
mod nginx;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::endtoend::mesh;
use crate::process::{self, JsonChild};
use crate::shell;
use client::Road;

/// Measurements of each way, of which the median counts; of ratios that of the rounds, whose measurements follow each
/// other.
const ROUNDS: usize = 9;

/// Clients at once, and the requests of each in a round.
const AT_ONCE: usize = 64;
const EACH: usize = 200;

/// Requests of a round one after another.
const ALONE: usize = 500;

/// The share of nginx's requests a second that the mesh reaches at least.
const SHARE: f64 = 0.5;

/// What an endpoint may take to be ready.
const LIMIT: Duration = Duration::from_secs(20);

/// Measures and prints; what the mesh reaches is an error if it is below its share.
pub(crate) fn run() -> Result<String> {
    ensure!(shell::starts("openssl"), "openssl is not installed");
    let program = shell::mesh_program()?;
    let folder = tempfile::tempdir()?;
    let backend = nginx::backend(folder.path())?;
    let hops = nginx::Hops::start(folder.path(), backend.address())?;
    let mesh = Mesh::start(&program, folder.path(), backend.address())?;
    let roads = [
        Road::new("directly", backend.address(), "localhost"),
        Road::new("two nginx hops", hops.address(), "localhost"),
        Road::new("the mesh", mesh.address, "site.localhost"),
    ];
    let mut measured = [const { Figures::new() }; 3];
    for _ in 0..ROUNDS {
        for (road, figures) in roads.iter().zip(&mut measured) {
            figures.rates.push(road.rate(AT_ONCE, EACH)?);
            figures.delays.push(road.delay(ALONE)?);
        }
    }
    for (road, figures) in roads.iter().zip(&measured) {
        println!("    {:15} {figures}", road.name());
    }
    let [direct, nginx, mesh] = measured;
    let rounds = mesh.rates.iter().zip(&nginx.rates);
    let shares: Vec<f64> = rounds.map(|(mesh, nginx)| mesh / nginx).collect();
    let share = median(&shares);
    let directly = median(&direct.delays);
    let line = format!(
        "{share:.2} of nginx's requests/s, in rounds {}; one takes {:.0} us more than directly, through nginx {:.0} us",
        range(&shares, 2),
        median(&mesh.delays) - directly,
        median(&nginx.delays) - directly,
    );
    ensure!(share >= SHARE, "below {SHARE}: {line}");
    Ok(line)
}

/// Requests a second, and microseconds of one, of every round.
struct Figures {
    rates: Vec<f64>,
    delays: Vec<f64>,
}

impl Figures {
    const fn new() -> Self {
        Self {
            rates: Vec::new(),
            delays: Vec::new(),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, delay) = (median(&self.rates), median(&self.delays));
        let rates = range(&self.rates, 0);
        write!(f, "{rate:6.0} requests/s ({rates}), {delay:4.0} us each")
    }
}

/// Two endpoints, of which one publishes a server and one leads to it.
struct Mesh {
    address: SocketAddr,
    _proxy: JsonChild,
    _serve: JsonChild,
}

impl Mesh {
    fn start(program: &Path, folder: &Path, backend: SocketAddr) -> Result<Self> {
        let mut serve = Command::new(program);
        serve
            .args(["serve", &format!("http://{backend}")])
            .args(["--udp", "127.0.0.1:0", "--accept", "all", "--json", "--id"])
            .arg(mesh::identity(program, folder, "site")?);
        let serve = JsonChild::start("mesh serve", &mut serve)?;
        let ready = serve.expect("that it serves", LIMIT, |line| line["event"] == "ready")?;
        let state = folder.join("state");
        let mut known = Command::new(program);
        known
            .args(["links", "add", &ready["link"].to_string()])
            .args(["--alias", "site", "--state"])
            .arg(&state);
        let known = process::finish(&mut known, LIMIT)?;
        ensure!(known.code == Some(0), "{}", known.last_error_line());
        let mut proxy = Command::new(program);
        proxy
            .args(["proxy", "--listen", "127.0.0.1:0", "--json", "--state"])
            .arg(&state);
        let proxy = JsonChild::start("mesh proxy", &mut proxy)?;
        let ready = proxy.expect("where it listens", LIMIT, |line| {
            line["address"].is_string()
        })?;
        let address = ready["address"].as_str().context("no address")?.parse()?;
        Ok(Self {
            address,
            _proxy: proxy,
            _serve: serve,
        })
    }
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    let sorted = sorted(figures);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The least and the most of them.
pub(crate) fn range(figures: &[f64], digits: usize) -> String {
    let sorted = sorted(figures);
    let [least, .., most] = sorted[..] else {
        return String::new();
    };
    format!("{least:.digits$} to {most:.digits$}")
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures
}
