//! What is shown, one below the other: what was said, and what else happened.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::chat::text::{clean, line_name};
use crate::record::MessageRecord;

/// Columns by which all lines but the first are indented.
const INDENT: &str = "      ";

/// The colours of names.
const COLOURS: [Color; 6] = [
    Color::Cyan,
    Color::Green,
    Color::Yellow,
    Color::Magenta,
    Color::Blue,
    Color::Red,
];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Said(Said),
    /// What else is to be known.
    Note(String),
}

/// Somebody said something. All of it may be shown as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) hashname: String,
    pub(super) id: String,
    name: String,
    pub(super) text: String,
    time: String,
    pub(super) mine: bool,
    edited: bool,
}

impl Said {
    pub(super) fn new(message: &MessageRecord, edited: bool, zone: &TimeZone) -> Self {
        Self {
            hashname: message.hashname.clone(),
            id: message.id.clone(),
            name: line_name(&message.name),
            text: clean(&message.text).into_owned(),
            time: time(message.at, zone),
            mine: message.mine,
            edited,
        }
    }

    /// Whether it is the same message, which may say something else.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.hashname, &self.id) == (&other.hashname, &other.id)
    }

    fn lines(&self, width: usize) -> Vec<Line<'static>> {
        let (name, rest) = match self.text.strip_prefix("/me ") {
            Some(action) => (format!("* {}", self.name), format!(" {action}")),
            None => (self.name.clone(), format!(": {}", self.text)),
        };
        let edited = if self.edited { " (edited)" } else { "" };
        let wrapped = wrap(&format!("{} {name}{rest}{edited}", self.time), width);
        let mut lines: Vec<Line<'static>> = wrapped.into_iter().map(Line::from).collect();
        let head = format!("{} {name}", self.time);
        let first = lines.first().map(Line::to_string).unwrap_or_default();
        if let (Some(rest), Some(line)) = (first.strip_prefix(&head), lines.first_mut()) {
            let dim = Style::new().add_modifier(Modifier::DIM);
            *line = Line::from(vec![
                Span::styled(self.time.clone(), dim),
                Span::raw(" "),
                Span::styled(name, colour(&self.hashname).add_modifier(Modifier::BOLD)),
                Span::raw(rest.to_owned()),
            ]);
        }
        lines
    }
}

impl Item {
    /// Its lines on a screen of so many columns.
    pub(super) fn lines(&self, width: usize) -> Vec<Line<'static>> {
        match self {
            Self::Said(said) => said.lines(width),
            Self::Note(text) => {
                let style = Style::new().fg(Color::DarkGray);
                let lines = wrap(&format!("      · {text}"), width).into_iter();
                lines.map(|line| Line::styled(line, style)).collect()
            }
        }
    }

    /// Bytes that it takes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Said(said) => said.text.len() + said.name.len() + size_of::<Self>(),
            Self::Note(text) => text.len() + size_of::<Self>(),
        }
    }
}

/// The colour of somebody, who is told from others of the same name by it.
fn colour(hashname: &str) -> Style {
    let sum: usize = hashname.bytes().map(usize::from).sum();
    Style::new().fg(COLOURS
        .get(sum % COLOURS.len())
        .copied()
        .unwrap_or(Color::Cyan))
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let indent = if width > 2 * INDENT.len() { INDENT } else { "" };
    let options = textwrap::Options::new(width.max(1)).subsequent_indent(indent);
    let lines = textwrap::wrap(text, options);
    lines
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

/// Hours and minutes; dashes where a sender says none, or one that cannot be.
fn time(at: Option<u64>, zone: &TimeZone) -> String {
    let at = at.and_then(|at| i64::try_from(at).ok());
    let at = at.and_then(|at| Timestamp::from_second(at).ok());
    at.map_or_else(
        || "--:--".to_owned(),
        |at| {
            let local = at.to_zoned_datetime(zone.clone());
            format!("{:02}:{:02}", local.hour(), local.minute())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> MessageRecord {
        MessageRecord {
            id: "5rfiuj7viqwdy".into(),
            hashname: "abc".into(),
            name: "Ann".into(),
            text: text.into(),
            at: Some(1_394_162_554),
            mine: false,
            earlier: false,
            follows: None,
        }
    }

    fn shown(message: &MessageRecord, width: usize) -> Vec<String> {
        let said = Said::new(message, false, &TimeZone::UTC);
        let lines = Item::Said(said).lines(width);
        lines.iter().map(Line::to_string).collect()
    }

    #[test]
    fn a_message_has_a_time_and_a_name_and_is_wrapped_at_words() {
        assert_eq!(shown(&message("hello"), 40), ["03:22 Ann: hello"]);
        let lines = shown(&message("one two three four five"), 20);
        assert_eq!(
            lines,
            ["03:22 Ann: one two", "      three four", "      five"]
        );
        assert_eq!(shown(&message("/me waves"), 40), ["03:22 * Ann waves"]);
        assert_eq!(
            shown(&message("a\nAnn: b"), 40),
            ["03:22 Ann: a", "      Ann: b"]
        );
    }

    #[test]
    fn a_time_that_cannot_be_is_no_time() {
        for at in [None, Some(u64::MAX), Some(i64::MAX as u64)] {
            let message = MessageRecord { at, ..message("x") };
            assert_eq!(shown(&message, 40), ["--:-- Ann: x"]);
        }
    }

    #[test]
    fn wide_characters_and_long_words_fit_whatever_the_width() {
        let text = format!("你好世界你好世界 {} e\u{301}\u{301} 👩‍👩‍👧", "x".repeat(300));
        for width in 0..60 {
            for line in shown(&message(&text), width) {
                let columns = unicode_width::UnicodeWidthStr::width(line.as_str());
                assert!(
                    columns <= width.max(2),
                    "{columns} columns in {width}: {line}"
                );
            }
        }
    }
}
