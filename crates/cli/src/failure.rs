//! How a command fails: one sentence, and the exit code that scripts read.

mod convert;

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::chat::text::is_unsafe;

/// Exit codes; the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    /// It failed.
    Failed = 1,
    /// The command line asks for something impossible.
    Usage = 2,
    /// The other side cannot be reached, or took too long.
    Unreachable = 3,
    /// The other side, or the local policy, refused.
    Refused = 4,
    /// What arrived is not what was sent.
    Integrity = 5,
    /// Interrupted from the keyboard, or told to end.
    Interrupted = 130,
}

/// A failed command: what happened and why, and what to try. Crosses the control socket as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(code: Code, what: impl fmt::Display) -> Self {
        Self {
            code,
            what: what.to_string(),
            hint: None,
        }
    }

    pub(crate) fn failed(what: impl fmt::Display) -> Self {
        Self::new(Code::Failed, what)
    }

    pub(crate) fn usage(what: impl fmt::Display) -> Self {
        Self::new(Code::Usage, what)
    }

    pub(crate) fn unreachable(what: impl fmt::Display) -> Self {
        Self::new(Code::Unreachable, what)
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "interrupted")
    }

    /// Whoever reads our standard output stopped, as `head` does, or its disk is full.
    pub(crate) fn output(error: &io::Error) -> Self {
        let failure = Self::failed(format_args!("cannot write to standard output: {error}"));
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                failure.hint("make room, or send the output elsewhere; nothing else was changed")
            }
            _ => failure,
        }
    }

    /// What to try instead, in place of an earlier hint.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.what))?;
        match &self.hint {
            Some(hint) => write!(f, "; {}", printable(hint)),
            None => Ok(()),
        }
    }
}

/// A text that does nothing to a terminal but show: peers have a say in many.
pub(crate) fn printable(text: &str) -> String {
    text.replace(
        |char: char| is_unsafe(char) && !['\n', '\t'].contains(&char),
        "\u{fffd}",
    )
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_control_socket() {
        let failure = Failure::unreachable("no answer").hint("is it up?");
        let text = serde_json::to_string(&failure).unwrap();
        assert_eq!(
            text,
            r#"{"code":"unreachable","what":"no answer","hint":"is it up?"}"#
        );
        assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure);
    }

    #[test]
    fn what_peers_say_commands_no_terminal() {
        let failure = Failure::failed("no: \x1b]52;c;eA==\x07\u{9b}2J").hint("\x1b[2J");
        let text = failure.to_string();
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.contains("no: "), "{text:?}");
    }

    #[test]
    fn a_full_disk_is_told_apart_and_says_what_to_do() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(Failure::output(&full).to_string().contains("make room"));
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(!Failure::output(&gone).to_string().contains("make room"));
    }
}
