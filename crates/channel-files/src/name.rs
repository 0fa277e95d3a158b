//! Names that a peer gives to files, and which of them are let near a disk (files.md, "Names").

use std::path::PathBuf;

use icu_normalizer::DecomposingNormalizerBorrowed;
use thiserror::Error;

/// Limit: bytes of a path with all its folders. A longer one is refused.
pub const MAX_PATH: usize = 4096;

/// Limit: bytes of one part of a path, which is what file systems can hold. A longer one is refused.
pub const MAX_NAME: usize = 255;

/// Limit: parts of a path. One with more is refused.
pub const MAX_DEPTH: usize = 64;

/// Where the parts of files are kept that are not complete; nobody may send a file to there.
pub const PARTS_FOLDER: &str = ".mesh-parts";

/// What decides which names are harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Names mean to the system what they mean to Windows: devices, drives, streams.
    pub(crate) windows: bool,
    /// `a` and `A` are the same file, and so are `é` as one letter and as two.
    pub(crate) folds_case: bool,
}

/// A relative path that stays below the folder that it is used in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// Why a path is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// It, or a part of it, is empty.
    #[error("an empty name")]
    Empty,
    /// It begins at the root, or on another drive.
    #[error("an absolute path")]
    Absolute,
    /// A part is `.` or `..`.
    #[error("a path that leads elsewhere")]
    Elsewhere,
    /// See [`MAX_PATH`] and [`MAX_NAME`].
    #[error("a name that is too long")]
    TooLong,
    /// See [`MAX_DEPTH`].
    #[error("a path that is too deep")]
    TooDeep,
    /// NUL and other control characters, or such as change the direction of writing.
    #[error("a name with control characters")]
    Control,
    /// Windows takes it for a device, a drive or a stream, or does not keep it as it is.
    #[error("a name that this system cannot keep")]
    Reserved,
    /// See [`PARTS_FOLDER`].
    #[error("the folder of what is not complete")]
    Ours,
}

impl Name {
    /// Checks a path as it came, with `/` between its parts.
    pub(crate) fn new(path: &str, rules: Rules) -> Result<Self, NameError> {
        if path.len() > MAX_PATH {
            return Err(NameError::TooLong);
        }
        if path.starts_with('/') {
            return Err(NameError::Absolute);
        }
        if path.chars().any(is_control) {
            return Err(NameError::Control);
        }
        if path.split('/').count() > MAX_DEPTH {
            return Err(NameError::TooDeep);
        }
        path.split('/').try_for_each(|part| check(part, rules))?;
        let first = path.split('/').next().unwrap_or_default();
        if is_ours(first, rules) {
            return Err(NameError::Ours);
        }
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for the system.
    pub(crate) fn to_path(&self) -> PathBuf {
        self.0.split('/').collect()
    }

    /// What two names have in common that are the same file.
    pub(crate) fn folded(&self, rules: Rules) -> String {
        match rules.folds_case {
            // Twice: what is one lower-case letter may have several upper-case ones. Folders that fold case know an
            // accent of its own and one within a letter for the same, too.
            true => {
                let folded = self.0.to_uppercase().to_lowercase();
                DecomposingNormalizerBorrowed::new_nfd()
                    .normalize(&folded)
                    .into_owned()
            }
            false => self.0.clone(),
        }
    }
}

fn check(part: &str, rules: Rules) -> Result<(), NameError> {
    match part {
        "" => Err(NameError::Empty),
        "." | ".." => Err(NameError::Elsewhere),
        long if long.len() > MAX_NAME => Err(NameError::TooLong),
        part if rules.windows && is_reserved(part) => Err(NameError::Reserved),
        _ => Ok(()),
    }
}

/// Whether some system takes it for the folder of the parts.
fn is_ours(part: &str, rules: Rules) -> bool {
    // There are systems that do not see these at all.
    let visible = |char: &char| !matches!(char, '\u{200b}'..='\u{200f}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let seen: String = part.chars().filter(visible).collect();
    // Windows gives long names a short one besides.
    let short = rules.windows && part.to_ascii_uppercase().starts_with("MESH-P~");
    short || seen.eq_ignore_ascii_case(PARTS_FOLDER)
}

fn is_control(char: char) -> bool {
    // Marks of direction make `exe.gpj` of `gpj.exe`; two characters end lines without being controls.
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What Windows reads as something else than a file of this name.
fn is_reserved(part: &str) -> bool {
    let special = |char: char| "\\:*?\"<>|".contains(char);
    if part.contains(special) || part.ends_with(['.', ' ']) {
        return true;
    }
    let stem = part.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    let numbered = |device: &str| {
        let digit = stem.strip_prefix(device);
        digit.is_some_and(|digit| {
            let mut chars = digit.chars();
            // The superscripts are digits to Windows, too.
            let is_digit = |char: char| char.is_ascii_digit() || "¹²³".contains(char);
            chars.next().is_some_and(is_digit) && chars.next().is_none()
        })
    };
    let devices = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    devices.contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNIX: Rules = Rules {
        windows: false,
        folds_case: false,
    };
    const WINDOWS: Rules = Rules {
        windows: true,
        folds_case: true,
    };

    #[test]
    fn ordinary_names_are_kept_as_they_are() {
        for good in [
            "a",
            "notes.txt",
            "a/b/c.tar.gz",
            ".hidden",
            "...",
            "..a",
            "a..",
            "-rf",
            "~",
            "$HOME",
            "grüße ✓/日本",
            "a/.mesh-parts",
            "with space",
        ] {
            assert_eq!(Name::new(good, UNIX).unwrap().as_str(), good);
        }
        for good in ["aux.c", "a:b", "what?", "a\\b", "end ", "nul"] {
            assert!(Name::new(good, UNIX).is_ok(), "{good} is a name elsewhere");
        }
    }

    #[test]
    fn hostile_names_are_refused_each_for_its_reason() {
        for (bad, why) in [
            ("", NameError::Empty),
            ("a//b", NameError::Empty),
            ("a/", NameError::Empty),
            ("/etc/passwd", NameError::Absolute),
            ("//server/share", NameError::Absolute),
            ("..", NameError::Elsewhere),
            ("../a", NameError::Elsewhere),
            ("a/../../b", NameError::Elsewhere),
            ("a/..", NameError::Elsewhere),
            ("./a", NameError::Elsewhere),
            ("a\0b", NameError::Control),
            ("a\nb", NameError::Control),
            ("\x1b]52;c;eA==\x07", NameError::Control),
            ("a\u{9b}2J", NameError::Control),
            ("a\u{7f}", NameError::Control),
            ("photo\u{202e}gpj.exe", NameError::Control),
            ("a\u{2066}b", NameError::Control),
            ("a\u{2028}b", NameError::Control),
            (".mesh-parts", NameError::Ours),
            (".mesh-parts/lock", NameError::Ours),
            (".Mesh-Parts/lock", NameError::Ours),
            (".mesh\u{200c}-parts/lock", NameError::Ours),
            ("\u{feff}.mesh-parts", NameError::Ours),
        ] {
            assert_eq!(Name::new(bad, UNIX), Err(why), "{bad:?}");
            assert_eq!(Name::new(bad, WINDOWS), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn windows_keeps_its_devices_drives_and_streams() {
        for bad in [
            "CON",
            "con",
            "nul.txt",
            "a/AUX",
            "PRN .txt",
            "com1",
            "Com9.tar.gz",
            "LPT0",
            "lpt¹",
            "CONIN$",
            "C:",
            "C:/Windows",
            "C:a",
            "a:b",
            "file.txt::$DATA",
            "..\\a",
            "\\\\server",
            "a.",
            "a ",
            "a/b./c",
            ".. ",
            "what?",
            "<",
            "a|b",
            "\"",
            "*",
        ] {
            assert_eq!(Name::new(bad, WINDOWS), Err(NameError::Reserved), "{bad:?}");
        }
        for good in [
            "console",
            "com",
            "com10",
            "lpt",
            "a.con",
            "null",
            "auxiliary",
        ] {
            assert!(Name::new(good, WINDOWS).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_short_name_of_the_folder_of_parts_is_ours_on_windows() {
        for name in ["MESH-P~1/lock", "mesh-p~2"] {
            assert_eq!(Name::new(name, WINDOWS), Err(NameError::Ours));
            assert!(Name::new(name, UNIX).is_ok());
        }
    }

    #[test]
    fn names_are_as_long_and_as_deep_as_the_limits_and_no_more() {
        let part = "x".repeat(MAX_NAME);
        assert!(Name::new(&part, UNIX).is_ok());
        let longer = format!("{part}x");
        assert_eq!(Name::new(&longer, UNIX), Err(NameError::TooLong));
        let deepest = vec!["x"; MAX_DEPTH].join("/");
        assert!(Name::new(&deepest, UNIX).is_ok());
        let deeper = format!("{deepest}/x");
        assert_eq!(Name::new(&deeper, UNIX), Err(NameError::TooDeep));
        let longest = vec![part.as_str(); MAX_PATH / (MAX_NAME + 1)].join("/");
        let longest = format!("{longest}/");
        assert_eq!(longest.len(), MAX_PATH);
        assert_eq!(
            Name::new(&longest, UNIX),
            Err(NameError::Empty),
            "not for its length"
        );
        let longer = format!("{longest}x");
        assert_eq!(Name::new(&longer, UNIX), Err(NameError::TooLong));
    }

    #[test]
    fn names_that_differ_in_case_are_one_where_the_folder_says_so() {
        let folded = |name: &str, rules| Name::new(name, rules).unwrap().folded(rules);
        for (one, other) in [
            ("Notes/A", "notes/a"),
            ("GRÜSSE", "grüße"),
            ("ς", "Σ"),
            ("r\u{e9}sum\u{e9}", "re\u{301}sume\u{301}"),
            ("\u{c5}", "\u{212b}"),
            ("\u{1100}\u{1161}", "\u{ac00}"),
        ] {
            assert_eq!(folded(one, WINDOWS), folded(other, WINDOWS));
            assert_ne!(folded(one, UNIX), folded(other, UNIX));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_let_through_stays_below_its_folder(path in "[a./\\\\:\u{0}CON]{0,12}|\\PC{0,40}") {
            for rules in [UNIX, WINDOWS] {
                if let Ok(name) = Name::new(&path, rules) {
                    let normal = |part| matches!(part, std::path::Component::Normal(_));
                    prop_assert!(name.to_path().components().all(normal));
                    let joined = std::path::Path::new("/folder").join(name.to_path());
                    prop_assert!(joined.starts_with("/folder"));
                    prop_assert_eq!(joined.components().count(), 2 + path.split('/').count());
                }
            }
        }
    }
}
