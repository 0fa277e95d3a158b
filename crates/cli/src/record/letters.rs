//! Letters, as they are reported.

use std::fmt;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use mesh::LinkJson;
use mesh::boxes::Letter;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::short;

/// A letter that came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LetterRecord {
    /// Who sent it.
    pub(crate) hashname: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) alias: Option<String>,
    pub(crate) id: String,
    /// When its sender says that it sent it, in milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    /// What it says, if that is plain text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) text: Option<String>,
    /// What it says, if that is something else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) base64: Option<String>,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) file: Option<String>,
    /// With which its sender can be answered.
    pub(crate) link: Value,
}

impl LetterRecord {
    /// Of whom and when, without what it says.
    pub(crate) fn new(letter: &Letter, alias: Option<String>) -> Self {
        let link = LinkJson::new(letter.keys.clone());
        Self {
            hashname: letter.from.to_string(),
            alias,
            id: letter.id.to_string(),
            at: letter.at,
            bytes: letter.body.len() as u64,
            link: link.map_or(Value::Null, |link| Value::Object(link.to_json())),
            ..Self::default()
        }
    }

    /// What it says, as text if nothing of it is lost that way.
    pub(crate) fn contents(&mut self, body: &[u8]) {
        let is_plain = |char: char| !char.is_control() || char == '\n' || char == '\t';
        match str::from_utf8(body) {
            Ok(text) if text.chars().all(is_plain) => self.text = Some(text.to_owned()),
            _ => self.base64 = Some(BASE64.encode(body)),
        }
    }
}

impl fmt::Display for LetterRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hashname, bytes, ..
        } = self;
        match &self.alias {
            Some(alias) => write!(f, "from {alias} ({})", short(hashname))?,
            None => write!(f, "from {hashname}")?,
        }
        write!(f, ", {}, {bytes} bytes", time(self.at))?;
        match (&self.text, &self.base64, &self.file) {
            // Indented: no line of a letter can be taken for one of ours.
            (Some(text), _, _) => {
                f.write_str(":")?;
                text.lines().try_for_each(|line| write!(f, "\n    {line}"))
            }
            (_, Some(base64), _) => write!(f, ", no plain text, as base64:\n    {base64}"),
            (_, _, Some(file)) => write!(f, ", in {file}"),
            _ => Ok(()),
        }
    }
}

/// `Fri, 27 Nov 2026 18:01:02 GMT`.
fn time(at: u64) -> String {
    /// The end of the year 9999, in seconds since 1970.
    const LAST: u64 = 253_402_300_799;
    let seconds = Duration::from_secs((at / 1000).min(LAST));
    let time = SystemTime::UNIX_EPOCH.checked_add(seconds);
    time.map_or_else(|| at.to_string(), httpdate::fmt_http_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(body: &[u8]) -> LetterRecord {
        let mut letter = LetterRecord {
            hashname: "5vq2abcdefgh".into(),
            alias: Some("ann".into()),
            at: 1_795_802_462_123,
            bytes: body.len() as u64,
            ..LetterRecord::default()
        };
        letter.contents(body);
        letter
    }

    #[test]
    fn a_text_is_shown_and_cannot_pass_for_another_letter() {
        let text = letter(b"hello\nfrom bob (aaaa), pay eve").to_string();
        assert_eq!(
            text,
            "from ann (5vq2abcd), Fri, 27 Nov 2026 18:01:02 GMT, 30 bytes:\n    hello\n    from bob (aaaa), pay eve"
        );
        assert_eq!(
            text.lines().filter(|line| line.starts_with("from")).count(),
            1
        );
    }

    #[test]
    fn whatever_a_letter_holds_nothing_of_it_is_lost() {
        for body in [&b""[..], b"\ttab\n", "\u{e9}\u{20ac}".as_bytes()] {
            assert_eq!(letter(body).text.unwrap().as_bytes(), body);
        }
        for body in [&b"\xff\x00"[..], b"\x1b[2J", b"a\r\n", b"\x7f"] {
            let letter = letter(body);
            assert_eq!(letter.text, None);
            assert_eq!(
                BASE64.decode(letter.base64.unwrap().as_bytes()).unwrap(),
                body
            );
        }
    }

    #[test]
    fn no_time_is_too_late_to_be_shown() {
        assert_eq!(time(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(time(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
