//! Links through a router: ours between theirs, theirs between ours, and one of each.
//!
//! Every endpoint has an identity of its own, for the reason that `ours` gives.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::table::{Dialer, Group, Row, Table};
use super::{ECHOED, Programs, js, outcome};
use crate::endtoend::mesh::{self, Up};
use crate::process::{self, JsonChild};

/// What one thing may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The cipher set of everybody.
const SET: &str = "3a";

/// Who it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    Theirs,
}

/// Who dials whom through whose router, and what the rows are called.
struct Case {
    dialer: Side,
    target: Side,
    router: Side,
    label: &'static str,
}

const fn case(dialer: Side, target: Side, router: Side, label: &'static str) -> Case {
    Case {
        dialer,
        target,
        router,
        label,
    }
}

/// Each router between two of the other kind, and between one of each, both ways.
const CASES: [Case; 6] = [
    case(Side::Theirs, Side::Theirs, Side::Ours, "3a to it via us"),
    case(Side::Theirs, Side::Ours, Side::Ours, "3a to us via us"),
    case(Side::Ours, Side::Theirs, Side::Ours, "3a to it via us"),
    case(Side::Ours, Side::Ours, Side::Theirs, "3a to us via it"),
    case(Side::Ours, Side::Theirs, Side::Theirs, "3a to it via it"),
    case(Side::Theirs, Side::Ours, Side::Theirs, "3a to us via it"),
];

/// Their dialer streams; ours shows that a path through the router answers.
const fn tests(dialer: Side) -> &'static [&'static str] {
    match dialer {
        Side::Ours => &["routed"],
        Side::Theirs => &["link", "path", "stream"],
    }
}

impl Case {
    fn group(&self) -> Group<'static> {
        let dialer = match self.dialer {
            Side::Ours => Dialer::Ours,
            Side::Theirs => Dialer::Theirs,
        };
        Group {
            dialer,
            transport: "udp4",
            sets: self.label,
        }
    }

    /// The file of one who takes part.
    fn name(&self, part: &str) -> String {
        let at = CASES.iter().position(|case| std::ptr::eq(case, self));
        format!("routed-{part}-{}", at.unwrap_or_default())
    }
}

/// Every row that there is to fill.
pub(super) fn rows() -> Vec<Row> {
    let row = |case: &Case, what| {
        let group = case.group();
        Row::required("telehash-js", group.dialer, "udp4", case.label, what)
    };
    let of_case = |case: &'static Case| tests(case.dialer).iter().map(move |what| row(case, *what));
    CASES.iter().flat_map(of_case).collect()
}

/// Fills them.
pub(super) fn route(programs: &Programs, table: &mut Table) {
    for case in &CASES {
        if let Err(error) = try_case(programs, case, table) {
            table.fail_untried(&case.group(), &format!("{error:#}"));
        }
        table.fail_untried(&case.group(), "it said nothing about this");
    }
}

fn try_case(programs: &Programs, case: &Case, table: &mut Table) -> Result<()> {
    let router = Member::start(programs, case.router, &case.name("router"), None)?;
    let via = Some(router.link.as_path());
    let target = Member::start(programs, case.target, &case.name("target"), via)?;
    match case.dialer {
        Side::Ours => {
            let done = we_dial(programs, case, &router.link, &target.link);
            table.set(&case.group(), "routed", &outcome(done));
        }
        Side::Theirs => {
            for line in they_dial(&router.link, &target.link)? {
                let test = line["test"].as_str().unwrap_or_default();
                let done = match line["ok"] == true {
                    true => Ok(line["info"].to_string()),
                    false => Err(anyhow::anyhow!("{}", line["error"])),
                };
                table.set(&case.group(), test, &outcome(done));
            }
        }
    }
    Ok(())
}

/// A router, or an endpoint that uses one and echoes streams.
struct Member {
    link: PathBuf,
    _running: Running,
}

#[expect(dead_code, reason = "held as long as it runs")]
enum Running {
    Ours(Up),
    Theirs(JsonChild),
}

impl Member {
    fn start(programs: &Programs, side: Side, name: &str, via: Option<&Path>) -> Result<Self> {
        match side {
            Side::Ours => Self::ours(programs, name, via),
            Side::Theirs => Self::theirs(programs, name, via),
        }
    }

    fn ours(programs: &Programs, name: &str, via: Option<&Path>) -> Result<Self> {
        let identity = identity(programs, name)?;
        let mut arguments = vec!["--udp".to_owned(), "127.0.0.1:0".to_owned()];
        match via {
            None => arguments.push("--router".to_owned()),
            Some(router) => arguments.extend(["--via".to_owned(), at(router)]),
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let folder = programs.folder.path();
        let up = Up::start_on(&programs.mesh, folder, name, &identity, &arguments)?;
        if let Some(router) = via {
            up.expect_link(&hashname(router)?)?;
        }
        Ok(Self {
            link: up.link_file().to_owned(),
            _running: Running::Ours(up),
        })
    }

    fn theirs(programs: &Programs, name: &str, via: Option<&Path>) -> Result<Self> {
        let link = programs.folder.path().join(format!("{name}.json"));
        let mut node = Command::new("node");
        node.arg(js().join("peer.js"))
            .args(["listen", "--cs", SET, "--link-out"])
            .arg(&link);
        match via {
            None => node.arg("--route"),
            Some(router) => node.arg("--via").arg(router),
        };
        let peer = JsonChild::start("telehash-js", &mut node)?;
        peer.expect("that it is ready", LIMIT, |line| line["event"] == "ready")?;
        Ok(Self {
            link,
            _running: Running::Theirs(peer),
        })
    }
}

/// We reach the target by its hashname, and the path through the router answers.
fn we_dial(programs: &Programs, case: &Case, router: &Path, target: &Path) -> Result<String> {
    let identity = identity(programs, &case.name("dialer"))?;
    let (name, by) = (hashname(target)?, hashname(router)?);
    let mut command = Command::new(&programs.mesh);
    command
        .args(["link", &name, "--json", "--via", &at(router), "--id"])
        .arg(identity);
    let done = process::finish(&mut command, LIMIT)?;
    ensure!(done.code == Some(0), "{}", done.last_error_line());
    let lines = done.json_lines();
    let paths = lines.first().and_then(|line| line["paths"].as_array());
    let by = format!("router {by}");
    let routed = paths.into_iter().flatten().find(|path| path["path"] == by);
    let routed = routed.context("no path leads through the router")?;
    ensure!(routed["validated"] == true, "it does not answer: {routed}");
    Ok(format!("rtt {} ms through it", routed["rtt_ms"]))
}

/// They reach the target by its hashname; the results of their tests.
fn they_dial(router: &Path, target: &Path) -> Result<Vec<Value>> {
    let mut node = Command::new("node");
    node.arg(js().join("peer.js"))
        .args(["dial", "--cs", SET, "--tests", "link,path,stream"])
        .args(["--bytes", &ECHOED.to_string(), "--via"])
        .arg(router)
        .arg("--link")
        .arg(target);
    let done = process::finish(&mut node, LIMIT)?;
    let mut lines = done.json_lines();
    if let Some(fatal) = lines.iter().find(|line| line["event"] == "fatal") {
        anyhow::bail!("{}", fatal["error"]);
    }
    lines.retain(|line| line["event"] == "result");
    Ok(lines)
}

fn identity(programs: &Programs, name: &str) -> Result<PathBuf> {
    let name = format!("{name}-id");
    mesh::identity_with(
        &programs.mesh,
        programs.folder.path(),
        &name,
        &["--cs", SET],
    )
}

fn at(file: &Path) -> String {
    mesh::at_file(file).to_string_lossy().into_owned()
}

/// Who a link JSON is about.
fn hashname(file: &Path) -> Result<String> {
    let link: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let name = link["hashname"].as_str().context("no hashname")?;
    Ok(name.to_owned())
}
