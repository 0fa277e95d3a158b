//! Files and folders that programs without root's rights may not use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Result, ensure};

use super::room::{LIMIT, Room};
use crate::process;

/// Neither the folder itself, nor one in it, can be written to.
pub(super) fn folder(program: &Path) -> Result<String> {
    let room = Room::new(program, &[])?.without_rights()?;
    fs::create_dir(room.path("closed"))?;
    let said = room.recv_fails("closed")?;
    ensure!(
        said.code == Some(1),
        "mesh recv exited with {:?}",
        said.code
    );
    for words in ["closed", "Permission denied"] {
        ensure!(
            said.stderr.contains(words),
            "no word of `{words}`: {}",
            said.stderr
        );
    }
    fs::create_dir_all(room.path("in/tree/closed"))?;
    room.give("in")?;
    room.give("in/tree")?;
    for name in ["a", "closed/b", "d"] {
        write(&room, &format!("tree/{name}"), 0o644)?;
    }
    let recv = room.recv("in", &["--keep"])?;
    let left_out = sent(&room)?;
    ensure!(
        left_out == [("tree/closed/b".into(), "no permission".into())],
        "{left_out:?}"
    );
    recv.expect("the rest", LIMIT, |line| line["event"] == "files-received")?;
    for name in ["a", "d"] {
        ensure!(
            room.path("in/tree").join(name).exists(),
            "{name} did not arrive"
        );
    }
    let line = said
        .last_error_line()
        .replace(&room.path("").display().to_string(), "");
    Ok(line)
}

/// Of what is to be sent, something cannot be read.
pub(super) fn files(program: &Path) -> Result<String> {
    let room = Room::new(program, &[])?.without_rights()?;
    fs::create_dir(room.path("in"))?;
    room.give("in")?;
    write(&room, "tree/a", 0o644)?;
    write(&room, "tree/closed", 0o000)?;
    write(&room, "tree/d", 0o644)?;
    write(&room, "tree/locked/e", 0o644)?;
    fs::set_permissions(room.path("tree/locked"), Permissions::from_mode(0o000))?;
    let recv = room.recv("in", &[])?;
    let left_out = sent(&room)?;
    let names: Vec<_> = left_out.iter().map(|(name, _)| name.as_str()).collect();
    ensure!(names == ["tree/locked/*", "tree/closed"], "{left_out:?}");
    for (name, reason) in &left_out {
        ensure!(reason.contains("Permission denied"), "{name}: {reason}");
    }
    recv.expect("the rest", LIMIT, |line| line["event"] == "files-received")?;
    for name in ["a", "d"] {
        ensure!(
            room.path("in/tree").join(name).exists(),
            "{name} did not arrive"
        );
    }
    Ok(left_out
        .last()
        .map(|(_, reason)| reason.clone())
        .unwrap_or_default())
}

/// What was left out, and why.
fn sent(room: &Room) -> Result<Vec<(String, String)>> {
    let done = process::finish(&mut room.send(&["tree"]), LIMIT)?;
    ensure!(
        done.code == Some(1),
        "mesh send exited with {:?}",
        done.code
    );
    ensure!(
        done.last_error_line().contains("left out"),
        "{}",
        done.stderr
    );
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let lines = done.json_lines().into_iter();
    let left_out = lines.filter(|line| line["event"] == "left-out");
    Ok(left_out
        .map(|line| (text(&line["name"]), text(&line["reason"])))
        .collect())
}

fn write(room: &Room, name: &str, mode: u32) -> Result<()> {
    let path = room.path(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, name)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}
