//! What the key set of an OpenID provider means (uri.md, "Resolution order"), without fetching it.

use serde_json::Value;
use telehash_hashname::LinkJson;
use url::Url;

use crate::Place;
use crate::document::{self, DocumentError};

/// Where a domain says which OpenID provider it is: `https://domain/.well-known/openid-configuration`.
///
/// `None` for a domain that cannot be part of a URL.
#[must_use]
pub fn question(place: &Place) -> Option<Url> {
    let mut url = document::https(&format!("https://{}", place.domain()))?;
    url.set_path("/.well-known/openid-configuration");
    Some(url)
}

/// Where the key set is: the `jwks_uri` of a configuration.
///
/// # Errors
///
/// There is none, or it is not one of https.
pub fn location(body: &[u8]) -> Result<Url, DocumentError> {
    let configuration = document::object(body)?;
    let location = configuration.get("jwks_uri").and_then(Value::as_str);
    location
        .and_then(document::https)
        .ok_or(DocumentError::NoKeySet)
}

/// The endpoint whose key comes first in a key set. Later ones do not count, even if it is broken.
///
/// # Errors
///
/// There is none, or it cannot be read.
pub fn link(body: &[u8]) -> Result<LinkJson, DocumentError> {
    let set = document::object(body)?;
    let key = document::members(&set, "keys")
        .find(|key| key.get("kty").and_then(Value::as_str) == Some("hashname"));
    let key = key.ok_or(DocumentError::NoHashnameKey)?;
    Ok(LinkJson::from_jwk(key)?)
}
