//! What is in a folder, as a page.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use http::{HeaderValue, Response};
use mesh::thtp::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Most names in a list; it says if there are more.
const MAX_LISTED: usize = 1000;

/// What a path keeps as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The list of a folder that is called `path`: the names that are `served`, which tells where each leads.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn of(
    folder: &Path,
    path: &str,
    served: impl Fn(&str) -> Option<PathBuf>,
) -> io::Result<Response<Body>> {
    let body = page(path, &names(folder, served)?, path != "/");
    let mut response = Response::new(Body::full(body));
    let headers = response.headers_mut();
    for (name, value) in [
        (http::header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (http::header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (http::header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Names, folders with a slash; one more than are shown at most.
fn names(folder: &Path, served: impl Fn(&str) -> Option<PathBuf>) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_folder = served(&name)?.is_dir();
            (!name.starts_with('.')).then(|| if is_folder { name + "/" } else { name })
        })
        .take(MAX_LISTED + 1)
        .collect();
    names.sort();
    Ok(names)
}

fn page(title: &str, names: &[String], has_parent: bool) -> String {
    let title = escape(title);
    let mut out = format!(
        "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n<ul>\n"
    );
    if has_parent {
        out.push_str("<li><a href=\"../\">../</a>\n");
    }
    for name in names.iter().take(MAX_LISTED) {
        let (stem, slash) = name
            .strip_suffix('/')
            .map_or((name.as_str(), ""), |stem| (stem, "/"));
        let link = utf8_percent_encode(stem, PATH);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<li><a href=\"./{link}{slash}\">{}</a>", escape(name));
    }
    out.push_str("</ul>\n");
    if names.len() > MAX_LISTED {
        out.push_str("<p>There are more.</p>\n");
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_markup() {
        let page = page("/", &["<b>\"&".to_owned(), "a b/".to_owned()], false);
        assert!(
            page.contains("./%3Cb%3E%22%26\">&lt;b&gt;&quot;&amp;</a>"),
            "{page}"
        );
        assert!(page.contains("./a%20b/\">a b/</a>"), "{page}");
    }

    #[test]
    fn a_list_ends_at_the_limit_and_says_so() {
        let names = |count: usize| -> Vec<_> { (0..count).map(|name| name.to_string()).collect() };
        let whole = page("/", &names(MAX_LISTED), false);
        assert!(!whole.contains("more"), "{whole}");
        let cut = page("/", &names(MAX_LISTED + 1), false);
        assert_eq!(cut.matches("<li>").count(), MAX_LISTED);
        assert!(cut.contains("There are more."));
    }
}
