//! What every scenario starts with: its own network, and a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::net::Net;

/// Where scenarios keep their files: in memory, and gone with the enclosure.
pub(super) const FOLDER: &str = "/run/roads";

/// One scenario's surroundings.
pub(super) struct World {
    /// The `mesh` program.
    pub(super) program: PathBuf,
    /// Three hosts around a router.
    pub(super) net: Net,
    folder: PathBuf,
}

impl World {
    /// Makes them; no other scenario may have the same name.
    pub(super) fn new(program: &Path, name: &str) -> Result<Self> {
        let folder = Path::new(FOLDER).join(name);
        fs::create_dir(&folder)?;
        Ok(Self {
            program: program.to_owned(),
            net: Net::new(name)?,
            folder,
        })
    }

    /// A path in its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
