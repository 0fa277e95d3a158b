//! TARGET: a URI, `user@domain`, a link JSON, `@file` with either, a hashname, an alias, or a unique prefix of a known hashname.

use std::fs::File;
use std::io::Read as _;

use mesh::{LinkTarget, LinkUri};
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::report::warn;

/// Largest file that is read for `@file`, in bytes; a larger one is refused.
const MAX_TARGET_FILE: u64 = 64 * 1024;

/// Replaces `@file` by what the file holds, since a running endpoint has another working directory, and checks that the
/// text can be a target at all.
///
/// The first line of `mesh up --json`, `mesh discover --json` or `mesh box get --json` will do as well, as the link JSON
/// in it.
pub(crate) fn expand(text: &str) -> Outcome<String> {
    let Some(file) = text.strip_prefix('@') else {
        parse(text)?;
        return Ok(text.to_owned());
    };
    let contents = read(file).map_err(|error| {
        Failure::usage(format_args!("cannot read the target file {file}: {error}"))
            .hint("give @ and the name of a file with a link JSON or a URI")
    })?;
    let contents = first_line(&contents).unwrap_or_else(|| contents.trim().to_owned());
    let in_file = |error: Failure| {
        Failure::usage(format_args!(
            "the target file {file} cannot be used: {error}"
        ))
    };
    match parse(&contents).map_err(in_file)? {
        LinkTarget::Name(name) => Err(in_file(Failure::usage(format_args!(
            "it holds neither a link JSON nor a URI but `{}`",
            name.chars().take(20).collect::<String>()
        )))),
        _ => Ok(contents),
    }
}

/// The target, and warnings about the parts of a URI that cannot be used.
pub(crate) fn parse(text: &str) -> Outcome<LinkTarget> {
    let target = text.parse::<LinkTarget>()?;
    if let Ok(uri) = LinkUri::parse(text) {
        uri.skipped
            .iter()
            .for_each(|skipped| warn(format_args!("skipped in the URI: {skipped}")));
    }
    Ok(target)
}

fn read(file: &str) -> std::io::Result<String> {
    let mut contents = String::new();
    let read = File::open(file)?
        .take(MAX_TARGET_FILE + 1)
        .read_to_string(&mut contents)?;
    match read as u64 > MAX_TARGET_FILE {
        true => Err(std::io::Error::other(format!(
            "it is larger than {MAX_TARGET_FILE} bytes"
        ))),
        false => Ok(contents),
    }
}

/// The link JSON in what `mesh up --json`, `mesh discover --json` or `mesh box get --json` prints first.
fn first_line(contents: &str) -> Option<String> {
    let line: Value = serde_json::from_str(contents.lines().next()?).ok()?;
    let event = line.get("event")?.as_str()?;
    matches!(event, "ready" | "discover" | "letter").then(|| line["link"].to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const LINK: &str = r#"{"hashname":"ekkubb4bmjrqikl4mp6flzbzw6mvauwgvppkl3e2tfa2jdtnavya"}"#;

    fn file(contents: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(contents.as_bytes()).unwrap();
        file
    }

    fn expanded(contents: &str) -> Outcome<String> {
        let file = file(contents);
        expand(&format!("@{}", file.path().display()))
    }

    #[test]
    fn a_file_stands_for_the_link_in_it() {
        assert_eq!(expanded(&format!("{LINK}\n")).unwrap(), LINK);
        for event in ["ready", "discover", "letter"] {
            let lines =
                format!("{{\"event\":\"{event}\",\"link\":{LINK}}}\n{{\"event\":\"link\"}}\n");
            assert_eq!(expanded(&lines).unwrap(), LINK);
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_named_in_the_error() {
        for contents in ["", "hello", r#"{"hashname":"#, "link://:0"] {
            let file = file(contents);
            let name = file.path().display().to_string();
            let error = expand(&format!("@{name}")).unwrap_err().to_string();
            assert!(error.contains(&name), "{error}");
        }
        assert!(
            expand("@/no/such/file")
                .unwrap_err()
                .to_string()
                .contains("/no/such/file")
        );
    }

    #[test]
    fn a_file_larger_than_the_limit_is_refused() {
        let blanks = |count: usize| format!("{LINK}{}", " ".repeat(count - LINK.len()));
        let limit = MAX_TARGET_FILE as usize;
        assert_eq!(expanded(&blanks(limit)).unwrap(), LINK);
        assert!(
            expanded(&blanks(limit + 1))
                .unwrap_err()
                .to_string()
                .contains("larger than")
        );
    }
}
