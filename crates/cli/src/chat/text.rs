//! What peers say and call themselves, so that a terminal shows it and does nothing else.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns of a name; a longer one is cut.
const NAME_WIDTH: usize = 24;

/// Whether a terminal, or the order in which it shows a line, obeys this character: controls, marks that turn the
/// direction of the text around it, line breaks that are none, tags, and what is used to hide text.
pub(crate) fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{00ad}'
                | '\u{061c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The text, with a replacement character for each that is unsafe; newlines stay.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let unsafe_here = |char: char| char != '\n' && is_unsafe(char);
    match text.contains(unsafe_here) {
        true => text
            .replace("\r\n", "\n")
            .replace('\t', "    ")
            .replace(unsafe_here, "\u{fffd}")
            .into(),
        false => text.into(),
    }
}

/// A name, on one line and not too wide. It has no colon: what comes after one is the text.
pub(crate) fn line_name(name: &str) -> String {
    let clean: String = name
        .trim()
        .chars()
        .map(|char| match char {
            ':' | '\n' => '\u{fffd}',
            char if is_unsafe(char) => '\u{fffd}',
            char => char,
        })
        .collect();
    match clean.width() {
        0 => "somebody".to_owned(),
        width if width <= NAME_WIDTH => clean,
        _ => cut(&clean, NAME_WIDTH - 1) + "…",
    }
}

/// A text in lines of which only the first begins at the margin: nothing in it can be taken for another message.
pub(crate) fn line_text(text: &str) -> String {
    clean(text).replace('\n', "\n    ")
}

/// As much of the beginning as has so many columns.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let mut width = 0;
    text.chars()
        .take_while(|char| {
            width += char.width().unwrap_or(0);
            width <= columns
        })
        .collect()
}

/// JSON in which everything unsafe is escaped, which means the same: it may be shown on a terminal, too.
pub(crate) fn escaped(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unsafe) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for char in json.chars() {
        if !is_unsafe(char) {
            out.push(char);
            continue;
        }
        // Such a character can be nowhere but in a string.
        for unit in char.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What somebody who means harm would send.
    const HOSTILE: &str =
        "a\x1b]52;c;eA==\x07\u{9b}2J\r\x08\u{202e}evil\u{2066}\u{200f}\u{2028}x\u{e0041}\u{7f}\0";

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_of_a_text() {
        let clean = clean(HOSTILE);
        assert!(!clean.contains(is_unsafe), "{clean:?}");
        assert!(clean.contains("evil"), "{clean:?}");
        assert_eq!(
            super::clean("grüße 你好 👩‍👩‍👧 e\u{301}"),
            "grüße 你好 👩‍👩‍👧 e\u{301}"
        );
    }

    #[test]
    fn a_text_of_several_lines_cannot_be_taken_for_several_messages() {
        assert_eq!(line_text("hello\r\nann: hi"), "hello\n    ann: hi");
        assert!(!line_text(&format!("x\n{HOSTILE}")).contains(|c| c != '\n' && is_unsafe(c)));
    }

    #[test]
    fn a_name_is_short_and_on_one_line_and_ends_where_the_text_begins() {
        let name = line_name(&format!("ann: hi\n{HOSTILE}{}", "x".repeat(1000)));
        assert!(
            !name.contains(|char: char| char == ':' || is_unsafe(char)),
            "{name:?}"
        );
        assert!(name.width() <= NAME_WIDTH, "{name:?}");
        assert!(line_name(&"你".repeat(100)).width() <= NAME_WIDTH);
        assert_eq!(line_name(" Ann "), "Ann");
        assert_eq!(line_name("  "), "somebody");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let json = serde_json::to_string(&HOSTILE).unwrap();
        let escaped = escaped(&json);
        assert!(!escaped.contains(is_unsafe), "{escaped:?}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), HOSTILE);
        assert_eq!(super::escaped("{\"a\":1}"), "{\"a\":1}");
    }
}
