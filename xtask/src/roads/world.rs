//! What every scenario starts with: a folder, and mostly a network of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::net::Net;

/// Where scenarios keep their files: in memory, and gone with the enclosure.
pub(super) const FOLDER: &str = "/run/roads";

/// What every scenario has: a name of its own, and a folder.
pub(super) struct Place {
    /// The `mesh` program.
    pub(super) program: PathBuf,
    /// No other scenario has it.
    pub(super) name: String,
    folder: PathBuf,
}

/// The surroundings of those with one network.
pub(super) struct World {
    pub(super) place: Place,
    /// Three hosts around a router.
    pub(super) net: Net,
}

impl World {
    /// Makes its network.
    pub(super) fn new(place: Place) -> Result<Self> {
        let net = Net::new(&place.name)?;
        Ok(Self { place, net })
    }
}

impl Place {
    /// Makes its folder; no other scenario may have the same name.
    pub(super) fn new(program: &Path, name: String) -> Result<Self> {
        let folder = Path::new(FOLDER).join(&name);
        fs::create_dir(&folder)?;
        Ok(Self {
            program: program.to_owned(),
            name,
            folder,
        })
    }

    /// A path in its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
