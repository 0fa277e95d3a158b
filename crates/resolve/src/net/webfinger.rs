//! Asking with WebFinger.

use telehash_hashname::LinkJson;
use telehash_uri::LinkUri;
use url::Url;

use super::web::{Web, said};
use crate::webfinger::{self, Href};
use crate::{DocumentError, Found, LookUpError, LookUps, Place, Source};

/// What the domain's web server says of the place.
pub(crate) async fn find(look_ups: &LookUps, place: &Place) -> Result<Found, LookUpError> {
    let host = || LookUpError::Host(place.domain().to_owned());
    let question = webfinger::question(place).ok_or_else(host)?;
    let web = Web::new(look_ups)?;
    let answer = web.fetch(&question, "application/jrd+json").await?;
    let (at, link, uri) = match said(&question, webfinger::href(&answer))? {
        Href::Uri(parsed) => {
            for skipped in &parsed.skipped {
                tracing::debug!(%place, %skipped, "part of the URI skipped");
            }
            let link = said(&question, link_of(&parsed.uri))?;
            (question, link, Some(parsed.uri))
        }
        Href::Document(url) => {
            let link = document(&web, &url).await?;
            (url, link, None)
        }
    };
    place.check(&link).map_err(|error| LookUpError::Mismatch {
        url: at.to_string(),
        error,
    })?;
    Ok(Found {
        source: Source::WebFinger,
        link,
        uri,
    })
}

fn link_of(uri: &LinkUri) -> Result<LinkJson, DocumentError> {
    uri.link_json().ok_or(DocumentError::NoKeys)
}

async fn document(web: &Web, url: &Url) -> Result<LinkJson, LookUpError> {
    let body = web.fetch(url, "application/json").await?;
    said(url, webfinger::link(&body))
}
