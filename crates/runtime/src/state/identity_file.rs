//! Identity files, which the program also takes from elsewhere.

use std::fs::File;
use std::io;
use std::path::Path;

use telehash_hashname::limits::IDENTITY_VERSION;
use telehash_hashname::{IdentityError, IdentityJson};
use zeroize::Zeroizing;

use super::{StateError, atomic};
use crate::limits::MAX_IDENTITY_FILE;

/// Reads an identity file.
///
/// # Errors
/// [`StateError::Exposed`] if anyone but the owner may read it, [`StateError::FutureVersion`],
/// [`StateError::TooLarge`], [`StateError::Malformed`] (which never shows the contents),
/// [`StateError::Io`].
pub fn read_identity(path: impl AsRef<Path>) -> Result<IdentityJson, StateError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(StateError::io("read the identity file", path))?;
    refuse_exposed(path, &file)?;
    let contents = atomic::read_bounded(&file, MAX_IDENTITY_FILE)
        .map_err(StateError::io("read the identity file", path))?;
    let contents = contents.map(Zeroizing::new).ok_or(StateError::TooLarge {
        path: path.into(),
        limit: MAX_IDENTITY_FILE,
    })?;
    let text =
        std::str::from_utf8(&contents).map_err(|_| StateError::malformed(path, "it is no text"))?;
    IdentityJson::parse(text).map_err(|error| match error {
        IdentityError::Version { found } => StateError::FutureVersion {
            path: path.into(),
            version: found,
            understood: IDENTITY_VERSION,
        },
        error => StateError::malformed(path, error.to_string()),
    })
}

/// Writes a new identity file that only its owner may read.
///
/// # Errors
/// [`StateError::Exists`] if there is a file already, which stays as it is; [`StateError::Io`].
pub fn create_identity(path: impl AsRef<Path>, identity: &IdentityJson) -> Result<(), StateError> {
    let path = path.as_ref();
    let mut text = identity.to_json();
    text.reserve_exact(1);
    text.push('\n');
    atomic::create(path, text.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StateError::Exists { path: path.into() },
        _ => StateError::io("write the identity file", path)(error),
    })
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), StateError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file
        .metadata()
        .map_err(StateError::io("read the identity file", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StateError::Exposed {
            path: path.into(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &File) -> Result<(), StateError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use telehash_hashname::{Csid, KeySet, Secret};

    use super::*;

    fn identity() -> IdentityJson {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
        IdentityJson::new(
            keys,
            BTreeMap::from([(Csid::CS3A, Secret::new(vec![8; 32]))]),
        )
        .unwrap()
    }

    fn private(path: &Path, text: &str) {
        atomic::create(path, text.as_bytes()).unwrap();
    }

    #[test]
    fn what_was_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        create_identity(&path, &identity()).unwrap();
        let read = read_identity(&path).unwrap();
        assert_eq!(read.hashname, identity().hashname);
        assert_eq!(read.secret(Csid::CS3A), Some(&[8; 32][..]));
    }

    #[test]
    fn an_identity_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        private(&path, "mine");
        assert!(matches!(
            create_identity(&path, &identity()),
            Err(StateError::Exists { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[cfg(unix)]
    #[test]
    fn an_identity_that_others_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        create_identity(&path, &identity()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_identity(&path).unwrap_err();
        assert!(
            matches!(error, StateError::Exposed { mode: 0o640, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_identity_of_a_later_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        private(&path, r#"{"version":2,"new":"format"}"#);
        let error = read_identity(&path).unwrap_err();
        assert!(
            matches!(
                error,
                StateError::FutureVersion {
                    version: 2,
                    understood: 1,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn an_identity_beyond_the_limit_is_refused_unread() {
        let dir = tempfile::tempdir().unwrap();
        let read_padded = |name: &str, len: u64| {
            let path = dir.path().join(name);
            let file = identity().to_json();
            let padding = " ".repeat(usize::try_from(len).unwrap() - file.len());
            private(&path, &format!("{}{padding}", *file));
            read_identity(&path)
        };
        assert!(read_padded("longest", MAX_IDENTITY_FILE).is_ok());
        assert!(matches!(
            read_padded("longer", MAX_IDENTITY_FILE + 1),
            Err(StateError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_damaged_identity_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        private(&path, r#"{"hashname":"secretsecret"#);
        let error = read_identity(&path).unwrap_err();
        assert!(matches!(error, StateError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("secretsecret"), "{error}");
    }
}
