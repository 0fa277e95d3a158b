//! Bodies of the fuzz targets. They panic when a property does not hold.

use alloc::string::ToString;

use crate::limits::MAX_URI_LEN;
use crate::{Fragment, LinkUri};

/// Reading a URI never panics; what can be read at all is, written again, a URI that the strict
/// parser reads as the same; and what the strict parser reads the lenient one reads alike.
pub fn uri(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let lenient = LinkUri::parse(text);
    if let Ok(strict) = LinkUri::parse_strict(text) {
        let parsed = lenient.as_ref().expect("the strict parser read it");
        assert_eq!(parsed.uri, strict, "lenient and strict differ");
        assert!(parsed.skipped.is_empty(), "skipped what is right");
    }
    let Ok(parsed) = lenient else {
        return;
    };
    // Every use of the URI, for its panics.
    let _ = (parsed.uri.paths(), parsed.uri.link_json());
    shares_and_invites(&parsed.uri);
    let written = parsed.uri.to_string();
    // Query items grow when characters that need it are encoded.
    if written.len() <= MAX_URI_LEN {
        let read = LinkUri::parse_strict(&written);
        assert_eq!(read.as_ref(), Ok(&parsed.uri), "{written}");
    }
}

/// What a fragment or an invite says is the same when it was written and read again.
fn shares_and_invites(uri: &LinkUri) {
    if let Ok(Some(share)) = uri.share() {
        let written: Fragment = share.to_string().parse().expect("we wrote it");
        assert_eq!(written, share);
        let bare: Fragment = written
            .digest_only()
            .to_string()
            .parse()
            .expect("we wrote it");
        assert_eq!((bare.digest(), bare.custom()), (share.digest(), None));
    }
    for secret in [uri.invite(), uri.session()].into_iter().flatten() {
        assert_eq!(secret.to_text().parse(), Ok(secret));
    }
}

#[cfg(test)]
mod tests;
