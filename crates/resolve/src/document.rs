//! What documents of the web mean, without fetching any.

use serde_json::{Map, Value};
use telehash_hashname::LinkJsonError;
use telehash_uri::UriError;
use url::Url;

/// Longest document in bytes. One that is longer is refused: read no further than that, and parsed not
/// at all.
pub const MAX_DOCUMENT_LEN: usize = 64 * 1024;

/// Redirects that are followed for one document, each to https; one more is an error.
pub const MAX_REDIRECTS: usize = 3;

/// Why a document says nothing of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Longer than [`MAX_DOCUMENT_LEN`].
    #[error("it is longer than the {MAX_DOCUMENT_LEN} bytes that are read")]
    TooLong,
    /// Not the JSON that it should be.
    #[error("it is not the JSON that it should be: {0}")]
    Json(String),
    /// A WebFinger answer without a link to an endpoint.
    #[error(
        "it has no link with \"rel\":\"{}\" and a \"href\"",
        crate::webfinger::REL
    )]
    NoLink,
    /// A WebFinger link through a router, which holds the keys of that one only.
    #[error("its \"href\" leads through a router, and does not say who is behind it")]
    Router,
    /// A WebFinger link that is neither a link URI nor the address of a document.
    #[error("its \"href\" is no URI: {0}")]
    Href(UriError),
    /// A WebFinger link that leads nowhere.
    #[error("its \"href\" holds no keys and is not https, so it says nothing of an endpoint")]
    NoKeys,
    /// The link JSON, or the JSON web key, cannot be read.
    #[error(transparent)]
    Link(#[from] LinkJsonError),
    /// No key of an endpoint in a set.
    #[error("it has no key with \"kty\":\"hashname\"")]
    NoHashnameKey,
    /// A configuration that names no key set.
    #[error("it has no \"jwks_uri\" that is an https URL")]
    NoKeySet,
}

/// The text of a document of bounded length.
pub(crate) fn text(body: &[u8]) -> Result<&str, DocumentError> {
    if body.len() > MAX_DOCUMENT_LEN {
        return Err(DocumentError::TooLong);
    }
    std::str::from_utf8(body).map_err(|error| DocumentError::Json(error.to_string()))
}

/// The JSON object that a document is.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, DocumentError> {
    serde_json::from_str(text(body)?).map_err(|error| DocumentError::Json(error.to_string()))
}

/// The objects in a list that is a member of an object; whatever else is there is passed over.
pub(crate) fn members<'a>(
    object: &'a Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    let list = object.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

/// The URL, if it is one of https.
pub(crate) fn https(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    is_https(&url).then_some(url)
}

/// Whether it may be fetched at all.
pub(crate) fn is_https(url: &Url) -> bool {
    url.scheme() == "https"
}
