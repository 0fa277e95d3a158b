//! Thousands of small files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::room::{LIMIT, Room};
use crate::endtoend::mesh::pattern;
use crate::process;
use crate::proxy::Random;

/// Files of one folder.
const IN_FOLDER: usize = 100;

/// The longest of them, in bytes.
const LONGEST: u64 = 8000;

pub(super) fn run(program: &Path, files: usize) -> Result<String> {
    let room = Room::new(program, &[])?;
    let mut random = Random(files as u64);
    for number in 0..files {
        let folder = room.path(&format!("tree/{}", number / IN_FOLDER));
        fs::create_dir_all(&folder)?;
        let bytes = random.next() % (LONGEST + 1);
        fs::write(
            folder.join(number.to_string()),
            pattern(bytes as usize, random.next()),
        )?;
    }
    fs::create_dir(room.path("in"))?;
    let recv = room.recv("in", &[])?;
    let sent = process::finish(&mut room.send(&["tree"]), LIMIT)?;
    ensure!(sent.code == Some(0), "{}", sent.last_error_line());
    recv.expect("the files", LIMIT, |line| line["event"] == "files-received")?;
    let lines = sent.json_lines();
    let done = lines.iter().find(|line| line["event"] == "files-sent");
    let seconds = done
        .and_then(|line| line["seconds"].as_f64())
        .context("no seconds")?;
    ensure!(
        tree(&room.path("tree"))? == tree(&room.path("in/tree"))?,
        "the trees differ"
    );
    Ok(format!(
        "{files} files in {seconds:.1} s, {:.0} files/s",
        files as f64 / seconds
    ))
}

/// Everything below a folder.
fn tree(root: &Path) -> Result<BTreeMap<PathBuf, Option<Vec<u8>>>> {
    let (mut all, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.strip_prefix(root)?.to_owned();
            let contents = match path.is_dir() {
                true => None,
                false => Some(fs::read(&path)?),
            };
            if contents.is_none() {
                folders.push(path);
            }
            all.insert(name, contents);
        }
    }
    Ok(all)
}
