//! What a WebFinger answer means (RFC 7033; uri.md, "Resolution order"), without asking for one.

use telehash_hashname::LinkJson;
use telehash_uri::{LinkUri, Parsed};
use url::Url;

use crate::Place;
use crate::document::{self, DocumentError};

/// The relation of a resource to its endpoint.
pub const REL: &str = "http://telehash.org/link";

/// Where the link of a WebFinger answer leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Href {
    /// A link URI, which holds the keys itself. What it skipped is said there.
    Uri(Box<Parsed>),
    /// A document, always of https, which is a link JSON.
    Document(Url),
}

/// The question: `https://domain/.well-known/webfinger?resource=…&rel=…`.
///
/// `None` for a domain that cannot be part of a URL.
#[must_use]
pub fn question(place: &Place) -> Option<Url> {
    let mut url = document::https(&format!("https://{}", place.domain()))?;
    url.set_path("/.well-known/webfinger");
    url.query_pairs_mut()
        .append_pair("resource", place.resource())
        .append_pair("rel", REL);
    Some(url)
}

/// Where the first link to an endpoint leads.
///
/// # Errors
///
/// There is none, or it leads nowhere; see [`DocumentError`].
pub fn href(body: &[u8]) -> Result<Href, DocumentError> {
    let descriptor = document::object(body)?;
    let href =
        document::members(&descriptor, "links").find_map(|link| match link.get("rel")?.as_str() {
            Some(REL) => link.get("href")?.as_str(),
            _ => None,
        });
    let href = href.ok_or(DocumentError::NoLink)?;
    let parsed = LinkUri::parse(href).map_err(DocumentError::Href)?;
    if parsed.uri.is_of_router() {
        return Err(DocumentError::Router);
    }
    if parsed.uri.hashname().is_some() {
        return Ok(Href::Uri(Box::new(parsed)));
    }
    document::https(href)
        .map(Href::Document)
        .ok_or(DocumentError::NoKeys)
}

/// The link JSON that an answer led to.
///
/// # Errors
///
/// It cannot be read.
pub fn link(body: &[u8]) -> Result<LinkJson, DocumentError> {
    let text = document::text(body)?;
    Ok(LinkJson::parse(text)?)
}
