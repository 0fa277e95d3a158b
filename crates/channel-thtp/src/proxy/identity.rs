//! Headers that a server takes for the word of its proxy, and that nobody else may send.

use http::HeaderMap;
use http::header::HeaderName;

use crate::headers::IDENTITY_HEADER;

/// Removes whatever a server could take for what a proxy says of a requester. Servers that take `_` for
/// `-`, as CGI does, are not deceived either.
pub(super) fn strip(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_a_proxys(name.as_str()))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

fn is_a_proxys(name: &str) -> bool {
    let name = name.replace('_', "-");
    name == IDENTITY_HEADER.as_str()
        || name == "forwarded"
        || name == "x-real-ip"
        || name.starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_only_a_proxy_may_say_is_removed_in_any_spelling() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-mesh-peer",
            "x_mesh_peer",
            "x-mesh_peer",
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_host",
            "x-real-ip",
            "x-other",
        ] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        strip(&mut headers);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-other"]
        );
    }
}
