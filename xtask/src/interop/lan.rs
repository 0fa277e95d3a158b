//! Two implementations on one local network find each other, in a network namespace made for that.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::table::{Dialer, Group, Row, Table};
use super::{Programs, js, outcome};
use crate::endtoend::mesh;
use crate::namespace::Namespace;
use crate::process::{self, JsonChild};

/// What one thing may take.
const LIMIT: Duration = Duration::from_secs(40);

/// The cipher sets of the two, and the one that they agree on.
const SETS: (&str, &str) = ("2a,3a", "1a,3a");

/// What the rows are called.
const WHAT: &str = "discover";
const LABEL: &str = "2a,3a - 1a,3a";

/// Both directions.
pub(super) fn rows() -> [Row; 2] {
    [Dialer::Theirs, Dialer::Ours]
        .map(|dialer| Row::required("telehash-js", dialer, "lan", LABEL, WHAT))
}

/// Each finds the other by its announcements, and links to it.
pub(super) fn discover(programs: &Programs, table: &mut Table) {
    let group = |dialer| Group {
        dialer,
        transport: "lan",
        sets: LABEL,
    };
    let found = outcome(they_find_us(programs));
    table.set(&group(Dialer::Theirs), WHAT, &found);
    let found = outcome(we_find_them(programs));
    table.set(&group(Dialer::Ours), WHAT, &found);
}

/// Our endpoint announces itself; theirs hears that and links.
fn they_find_us(programs: &Programs) -> Result<String> {
    let network = Namespace::new()?;
    let peer = start_peer(&network)?;
    let mut up = network.command(&programs.mesh);
    up.args([
        "up",
        "--udp",
        "[::]:0",
        "--accept",
        "all",
        "--discover",
        "--json",
        "--id",
    ])
    .arg(identity(programs, "found-by-js")?);
    let up = JsonChild::start("mesh up --discover", &mut up)?;
    let ready = up.expect("that it is ready", LIMIT, |line| line["event"] == "ready")?;
    let ours = &ready["hashname"];
    peer.expect("our announcement", LIMIT, |line| {
        line["event"] == "discover" && line["hashname"] == *ours
    })?;
    peer.expect("the link", LIMIT, |line| {
        line["event"] == "link" && line["hashname"] == *ours && line["up"] == true
    })?;
    let link = up.expect("the link", LIMIT, |line| {
        line["event"] == "link" && line["state"] == "up"
    })?;
    Ok(format!(
        "heard and linked, cs{}",
        link["csid"].as_str().unwrap_or_default()
    ))
}

/// Theirs announces itself; `mesh discover` hears that, without announcing anything, and what it prints can be linked.
fn we_find_them(programs: &Programs) -> Result<String> {
    let network = Namespace::new()?;
    let peer = start_peer(&network)?;
    let id = identity(programs, "finds-js")?;
    let mut command = network.command(&programs.mesh);
    command
        .args(["discover", "--seconds", "3", "--json", "--id"])
        .arg(&id);
    let done = process::finish(&mut command, LIMIT)?;
    ensure!(done.code == Some(0), "{}", done.last_error_line());
    let lines = done.json_lines();
    let is_it = |line: &&Value| line["event"] == "discover";
    let found = lines.iter().find(is_it).context("nobody was found")?;
    let file = programs.folder.path().join("found-js.json");
    std::fs::write(&file, found["link"].to_string())?;

    let mut command = network.command(&programs.mesh);
    command
        .args(["link", "--json", "--id"])
        .arg(&id)
        .arg(mesh::at_file(&file));
    let done = process::finish(&mut command, LIMIT)?;
    ensure!(done.code == Some(0), "{}", done.last_error_line());
    let ours = peer.expect("the link", LIMIT, |line| {
        line["event"] == "link" && line["up"] == true
    })?;
    ensure!(ours["hashname"].is_string(), "it linked to nobody");
    Ok(format!(
        "found {} with {} paths, and linked",
        lines.len() - 1,
        paths(found)
    ))
}

fn paths(found: &Value) -> usize {
    found["link"]["paths"].as_array().map_or(0, Vec::len)
}

fn start_peer(network: &Namespace) -> Result<JsonChild> {
    let mut node = network.command("node");
    node.arg(js().join("peer.js"))
        .args(["discover", "--cs", SETS.1]);
    let peer = JsonChild::start("telehash-js", &mut node)?;
    peer.expect("that it listens", LIMIT, |line| line["event"] == "ready")?;
    Ok(peer)
}

fn identity(programs: &Programs, name: &str) -> Result<std::path::PathBuf> {
    mesh::identity_with(
        &programs.mesh,
        programs.folder.path(),
        name,
        &["--cs", SETS.0],
    )
}
