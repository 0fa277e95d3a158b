//! What is typed: text to be said, or a command.

use serde::{Deserialize, Serialize};

/// What somebody who takes part wants. Crosses the control socket as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Input {
    /// Say this.
    Say(String),
    /// Say this in place of what we said last.
    Edit(String),
    /// Let in whoever is called so, or has this hashname, or one that begins so.
    Admit(String),
    /// Print an invite for somebody else.
    Invite,
    /// Say who takes part.
    Who,
    /// Tell the others what we are doing.
    Doing(Doing),
    /// Leave, once what was said has reached those who are there.
    End,
}

impl Input {
    /// Whether the others get something of it: then they have to be there.
    pub(crate) fn is_for_others(&self) -> bool {
        match self {
            Self::Say(_) | Self::Edit(_) | Self::Doing(_) | Self::End => true,
            Self::Admit(_) | Self::Invite | Self::Who => false,
        }
    }
}

/// What we are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Doing {
    Looking,
    Typing,
    Pausing,
    Away,
}

/// A line that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Nothing,
    Wants(Input),
    Help,
    Quit,
    /// It cannot be done, for this reason.
    Wrong(String),
}

/// What `/help` says.
pub(crate) const HELP: &str = "/me DOES SOMETHING   /edit TEXT: in place of what you said last   /who: who takes part   \
     /admit NAME: let in who asks   /invite: a line for somebody else   /away, /back   /quit   //TEXT: say /TEXT";

impl Line {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> Self {
        let line = line.trim_end_matches(['\n', '\r']);
        if line.trim().is_empty() {
            return Self::Nothing;
        }
        let Some(command) = line.strip_prefix('/') else {
            return Self::Wants(Input::Say(line.to_owned()));
        };
        if command.starts_with('/') {
            return Self::Wants(Input::Say(command.to_owned()));
        }
        let (command, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        let with = |what: &str, input: fn(String) -> Input| match rest {
            "" => Self::Wrong(format!("/{command} needs {what}")),
            rest => Self::Wants(input(rest.to_owned())),
        };
        match command {
            "me" if rest.is_empty() => Self::Wrong("/me needs what you do".to_owned()),
            "me" => Self::Wants(Input::Say(format!("/me {rest}"))),
            "edit" => with("the new text", Input::Edit),
            "admit" => with("a name", Input::Admit),
            "invite" => Self::Wants(Input::Invite),
            "who" => Self::Wants(Input::Who),
            "away" => Self::Wants(Input::Doing(Doing::Away)),
            "back" => Self::Wants(Input::Doing(Doing::Looking)),
            "quit" | "exit" => Self::Quit,
            "help" => Self::Help,
            _ => Self::Wrong(format!(
                "there is no command /{command}; /help lists them, and //{command} says it"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_unless_it_is_a_command() {
        let say = |text: &str| Line::Wants(Input::Say(text.into()));
        assert_eq!(Line::parse("hello\r\n"), say("hello"));
        assert_eq!(Line::parse("  indented"), say("  indented"));
        assert_eq!(Line::parse("//etc/passwd"), say("/etc/passwd"));
        assert_eq!(Line::parse("/me waves"), say("/me waves"));
        assert_eq!(Line::parse(" \t\n"), Line::Nothing);
        assert_eq!(
            Line::parse("/edit  hi "),
            Line::Wants(Input::Edit("hi".into()))
        );
        assert_eq!(
            Line::parse("/admit Bob B"),
            Line::Wants(Input::Admit("Bob B".into()))
        );
        assert_eq!(Line::parse("/quit"), Line::Quit);
        assert_eq!(Line::parse("/help"), Line::Help);
    }

    #[test]
    fn what_is_no_command_says_what_to_do_instead() {
        for (line, words) in [
            ("/edit", "new text"),
            ("/me ", "what you do"),
            ("/etc", "//etc"),
        ] {
            let Line::Wrong(message) = Line::parse(line) else {
                panic!("{line} is taken");
            };
            assert!(message.contains(words), "{message}");
        }
    }
}
