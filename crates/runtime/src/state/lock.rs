//! One running endpoint per state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::StateError;

/// Holds the lock of a state directory until it is dropped; the system drops it if the process
/// dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// # Errors
    /// [`StateError::Locked`] if another process, or another part of this one, holds it.
    pub(super) fn acquire(directory: &Path) -> Result<Self, StateError> {
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(StateError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateError::Locked {
                path: directory.into(),
            }),
            Err(TryLockError::Error(source)) => Err(StateError::io("lock", path)(source)),
        }
    }
}
