//! Look-ups for the builder.

use async_trait::async_trait;
use telehash_hashname::{Hashname, LinkJson};
use telehash_resolve::{Found, LookUps, Place};
use telehash_runtime::{Builder, FindError, LinkTarget, Resolver};
use telehash_uri::LinkUri;

/// Adds look-ups to [`Builder`].
pub trait BuilderLookUpExt {
    /// Asks the network whose the domain of a target is that holds no keys: `link://example.org/` or
    /// `ann@example.org`. Without this nothing is looked up but the addresses of hosts.
    #[must_use]
    fn look_ups(self, look_ups: LookUps) -> Self;
}

impl BuilderLookUpExt for Builder {
    fn look_ups(self, look_ups: LookUps) -> Self {
        self.resolver(Network(look_ups))
    }
}

struct Network(LookUps);

#[async_trait]
impl Resolver for Network {
    fn name(&self) -> &'static str {
        "look-ups"
    }

    /// A hashname alone says not where to ask.
    async fn resolve(&self, _: &Hashname) -> Option<LinkJson> {
        None
    }

    async fn find(&self, uri: &LinkUri) -> Result<Option<LinkTarget>, FindError> {
        let Some(place) = Place::of(uri) else {
            return Ok(None);
        };
        let Found { link, uri, .. } = self.0.find(&place).await?;
        Ok(Some(match uri {
            Some(uri) => LinkTarget::Uri { link, uri },
            None => LinkTarget::Link(link),
        }))
    }
}
