//! Which pages may send a request: those of the endpoint that it is for, and nobody else's.
//!
//! Any web page can make a browser send requests to `*.localhost`. What a browser says of them, in
//! `Origin` and `Sec-Fetch-*`, no page can alter.

use http::header::{HeaderName, HeaderValue, ORIGIN};
use http::{HeaderMap, Method};

/// Whose idea a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The endpoint's own pages, somebody who typed its address, or a program.
    Own,
    /// A foreign page that takes a window there. It may do so without a click of anybody.
    Foreign,
}

/// Who asks the endpoint whose pages are of this `origin`; `None` for a foreign page, which may not, but
/// lead somebody there: by a GET that a window is taken to. What does not come from a browser says
/// nothing of its origin.
pub(super) fn asker(method: &Method, headers: &HeaderMap, own: &str) -> Option<Asker> {
    let (Ok(origin), Ok(site)) = (one(headers, &ORIGIN), one(headers, &SITE)) else {
        return None;
    };
    let from_here = site.is_some_and(|site| site == "same-origin");
    match origin.map(HeaderValue::as_bytes) {
        None => {}
        Some(origin) if origin == own.as_bytes() => {}
        // A page whose policy is to name no referrer.
        Some(b"null") if from_here => {}
        Some(_) => return None,
    }
    match site.map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Some(Asker::Own),
        Some(b"same-site" | b"cross-site") => {
            let leads = origin.is_none()
                && method == Method::GET
                && is(headers, &MODE, "navigate")
                && is(headers, &DEST, "document");
            leads.then_some(Asker::Foreign)
        }
        Some(_) => None,
    }
}

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The header, if there is one; two are an error.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(()),
        (value, None) => Ok(value),
    }
}

fn is(headers: &HeaderMap, name: &HeaderName, value: &str) -> bool {
    one(headers, name).is_ok_and(|found| found.is_some_and(|found| found == value))
}

/// What makes a browser keep a response from foreign pages, whatever the endpoint says: they can neither
/// load nor frame nor read it, and a window that leads to it is cut off from who opened it.
pub(super) fn seal(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in names {
        if name.as_str().starts_with("access-control-") || name == "alt-svc" {
            headers.remove(name);
        }
    }
    let same_origin = HeaderValue::from_static("same-origin");
    headers.insert("cross-origin-resource-policy", same_origin.clone());
    headers.insert("cross-origin-opener-policy", same_origin);
    let framing = HeaderValue::from_static("frame-ancestors 'self'");
    headers.append("content-security-policy", framing);
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "http://bob.localhost:8042";

    fn asks(method: &Method, headers: &[(&'static str, &'static str)]) -> Option<Asker> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        asker(method, &map, OWN)
    }

    #[test]
    fn an_endpoints_own_pages_and_programs_may_ask() {
        for headers in [
            &[][..],
            &[("origin", OWN)],
            &[("origin", OWN), ("sec-fetch-site", "same-origin")],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
        ] {
            for method in [Method::GET, Method::POST] {
                assert_eq!(asks(&method, headers), Some(Asker::Own), "{headers:?}");
            }
        }
    }

    #[test]
    fn a_foreign_page_may_not_ask() {
        for headers in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "http://ann.localhost:8042")],
            &[("origin", "http://bob.localhost")],
            &[("origin", "https://bob.localhost:8042")],
            &[("origin", "null")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", OWN), ("origin", OWN)],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "anything")],
            &[("sec-fetch-site", "none"), ("sec-fetch-site", "none")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "image"),
            ],
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
            ],
        ] {
            for method in [Method::GET, Method::POST, Method::OPTIONS] {
                assert_eq!(asks(&method, headers), None, "{method} {headers:?}");
            }
        }
    }

    #[test]
    fn a_link_on_a_foreign_page_may_be_followed_but_no_form_sent() {
        let headers = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(asks(&Method::GET, &headers), Some(Asker::Foreign));
        for method in [Method::POST, Method::HEAD, Method::PUT] {
            assert_eq!(asks(&method, &headers), None, "{method}");
        }
    }

    #[test]
    fn what_would_open_a_response_to_others_is_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("alt-svc", "h3"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("etag", "x"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        seal(&mut headers);
        assert!(!headers.contains_key("access-control-allow-origin"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
        assert!(!headers.contains_key("alt-svc"));
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert_eq!(headers["etag"], "x");
    }
}
