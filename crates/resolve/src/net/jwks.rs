//! Asking an OpenID provider.

use super::web::{Web, said};
use crate::{Found, LookUpError, LookUps, Place, Source, jwks};

/// The endpoint among the keys of the domain's OpenID provider.
pub(crate) async fn find(look_ups: &LookUps, place: &Place) -> Result<Found, LookUpError> {
    let host = || LookUpError::Host(place.domain().to_owned());
    let question = jwks::question(place).ok_or_else(host)?;
    let web = Web::new(look_ups)?;
    let configuration = web.fetch(&question, "application/json").await?;
    let location = said(&question, jwks::location(&configuration))?;
    let key_set = web
        .fetch(&location, "application/jwk-set+json, application/json")
        .await?;
    let link = said(&location, jwks::link(&key_set))?;
    place.check(&link).map_err(|error| LookUpError::Mismatch {
        url: location.to_string(),
        error,
    })?;
    Ok(Found {
        source: Source::Jwks,
        link,
        uri: None,
    })
}
