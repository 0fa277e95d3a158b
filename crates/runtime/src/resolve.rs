//! Where keys and paths come from when only a name is given.

use std::sync::Arc;

use async_trait::async_trait;
use telehash_hashname::{Hashname, LinkJson};
use telehash_uri::LinkUri;

use crate::error::{LinkError, TargetError};
use crate::state::KnownLinks;
use crate::target::LinkTarget;

/// Finds out how to reach an endpoint: known links, and whatever the application adds with
/// [`Builder::resolver`](crate::Builder::resolver).
///
/// The mesh asks its resolvers in order, known links first, when keys or paths are missing. What
/// they say of a hashname is verified: keys must add up to it. Of a domain they say whose it is, and the
/// mesh takes their word.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// Short name, for logs.
    fn name(&self) -> &'static str;

    /// What is known of the endpoint: keys, paths or both. `None` for nothing, also when the source
    /// is out of reach. Bound your own time: the caller waits.
    ///
    /// Cancel-safe, or at least harmless when given up.
    async fn resolve(&self, hashname: &Hashname) -> Option<LinkJson>;

    /// Whose the domain is, or the user's there, that a URI without keys names: a target with keys.
    /// `None` from a resolver that knows nothing of domains, as by default. Bound your own time.
    ///
    /// Cancel-safe, or at least harmless when given up.
    ///
    /// # Errors
    /// Why that cannot be found out, as a sentence for whoever asked.
    async fn find(&self, uri: &LinkUri) -> Result<Option<LinkTarget>, FindError> {
        let _ = uri;
        Ok(None)
    }
}

/// Why a [`Resolver`] cannot find out whose a domain is.
pub type FindError = Box<dyn std::error::Error + Send + Sync>;

/// What the first resolver that knows says of a domain. An invite does not count: it would come from
/// whoever answers for the domain, and not from the one who asks.
pub(crate) async fn find(
    uri: &LinkUri,
    resolvers: &[Arc<dyn Resolver>],
) -> Result<(LinkJson, Option<LinkUri>), LinkError> {
    let mut first_error = None;
    for resolver in resolvers {
        let name = resolver.name();
        match resolver.find(uri).await {
            Ok(Some(LinkTarget::Link(link))) if !link.keys.is_empty() => return Ok((link, None)),
            // One that leads through a router holds the keys of that one only.
            Ok(Some(LinkTarget::Uri { link, uri })) if !uri.is_of_router() => {
                return Ok((link, Some(uri)));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(resolver = name, %error, "not found");
                first_error = first_error.or(Some(error));
            }
        }
    }
    Err(match first_error {
        Some(error) => LinkError::NobodyFound(error),
        None => TargetError::NoLookUps.into(),
    })
}

/// Looks among the known links.
#[derive(Debug)]
pub(crate) struct FromKnownLinks(pub(crate) Arc<KnownLinks>);

#[async_trait]
impl Resolver for FromKnownLinks {
    fn name(&self) -> &'static str {
        "known links"
    }

    async fn resolve(&self, hashname: &Hashname) -> Option<LinkJson> {
        self.0.get(hashname).map(|known| known.link)
    }
}

/// Fills in what is missing in `link`: keys while they are not complete, paths while there are
/// none. Keys that do not add up to the hashname are left out.
pub(crate) async fn complete(link: &mut LinkJson, resolvers: &[Arc<dyn Resolver>]) {
    for resolver in resolvers {
        if link.keys.is_complete() && !link.keys.is_empty() && !link.paths.is_empty() {
            return;
        }
        let Some(found) = resolver.resolve(&link.hashname).await else {
            continue;
        };
        let name = resolver.name();
        tracing::debug!(peer = %link.hashname.short(), resolver = name, "resolved");
        let mut keys = link.keys.clone();
        let merged = keys.merge(&found.keys).is_ok();
        if merged && keys.hashname() == Some(link.hashname) {
            link.keys = keys;
        }
        if link.paths.is_empty() {
            link.paths = found.paths;
        }
    }
}

#[cfg(test)]
mod tests {
    use telehash_hashname::{Csid, KeySet, Path};

    use super::*;

    struct Says(LinkJson);

    #[async_trait]
    impl Resolver for Says {
        fn name(&self) -> &'static str {
            "says"
        }

        async fn resolve(&self, _: &Hashname) -> Option<LinkJson> {
            Some(self.0.clone())
        }
    }

    fn link(first: u8) -> LinkJson {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, vec![first; 32]).unwrap();
        let mut link = LinkJson::new(keys).unwrap();
        link.paths.push(Path::udp(([192, 0, 2, first], 1).into()));
        link
    }

    async fn completed(asked: LinkJson, says: Vec<LinkJson>) -> LinkJson {
        let mut link = asked;
        let resolvers: Vec<Arc<dyn Resolver>> = says
            .into_iter()
            .map(|link| Arc::new(Says(link)) as Arc<dyn Resolver>)
            .collect();
        complete(&mut link, &resolvers).await;
        link
    }

    #[tokio::test]
    async fn keys_and_paths_are_filled_in() {
        let asked = LinkJson::named(link(7).hashname);
        assert_eq!(completed(asked, vec![link(7)]).await, link(7));
    }

    #[tokio::test]
    async fn keys_of_somebody_else_are_left_out() {
        let asked = LinkJson::named(link(7).hashname);
        let result = completed(asked, vec![link(8), link(7)]).await;
        assert_eq!(result.keys, link(7).keys);
    }

    #[tokio::test]
    async fn what_the_caller_gave_stays() {
        let mut asked = link(7);
        asked.paths = vec![Path::udp(([192, 0, 2, 99], 1).into())];
        assert_eq!(completed(asked.clone(), vec![link(7)]).await, asked);
    }
}
