//! Pages of our own, for people: what went wrong, and what to try.

use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use http::{Response, StatusCode};

use crate::body::Body;

/// A page that says this: HTML for whoever takes that, or else text.
pub(super) fn page(asked: &HeaderMap, status: StatusCode, text: &str) -> Response<Body> {
    render(asked, status, text, None)
}

/// A page that says this, and goes on to `path` of the same site for whoever wants that.
pub(super) fn choice(asked: &HeaderMap, text: &str, path: &str) -> Response<Body> {
    render(asked, StatusCode::OK, text, Some(path))
}

fn render(asked: &HeaderMap, status: StatusCode, text: &str, path: Option<&str>) -> Response<Body> {
    let html = asked.get_all(ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html"))
    });
    let title = match status.is_success() {
        true => "mesh proxy".to_owned(),
        false => status.to_string(),
    };
    let (kind, body) = match html {
        true => ("text/html; charset=utf-8", as_html(&title, text, path)),
        false => ("text/plain; charset=utf-8", format!("{title}\n{text}\n")),
    };
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'",
        ),
        (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn as_html(title: &str, text: &str, path: Option<&str>) -> String {
    let (title, text) = (escape(title), escape(text));
    // A path with two slashes in front would name another site.
    let path = path.map(|path| format!("/{}", path.trim_start_matches('/')));
    let way = path.map_or(String::new(), |path| {
        format!("<p><a href=\"{}\">Open it</a></p>\n", escape(&path))
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n\
         <style>body{{font:1.1em/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em}}</style>\n\
         <h1>{title}</h1>\n<p>{text}</p>\n{way}</html>\n"
    )
}

/// The text, with nothing in it that HTML gives a meaning.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn what_others_say_is_never_markup() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/html,*/*"));
        let page = page(&headers, StatusCode::NOT_FOUND, "no <script>'\"&");
        let body = page.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("no &lt;script&gt;&#39;&quot;&amp;"), "{body}");
        assert!(!body.contains("<script>"), "{body}");
    }
}
