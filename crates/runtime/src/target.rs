//! Whom to link to, in the forms that people have at hand.

use std::str::FromStr;

use telehash_hashname::{Hashname, KeySet, LinkJson, Path};
use telehash_uri::{Host, LinkUri};

use crate::error::TargetError;

/// Whom to link to, as far as the caller knows. The mesh finds out the rest.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinkTarget {
    /// Who it is, and whatever keys and paths are known.
    Link(LinkJson),
    /// The same, and a URI that says more: a host whose name leads to further paths, an invite, or
    /// a fragment that says who shares it, and then the link is the router's.
    Uri {
        /// Who it is, and the paths that need no look-up.
        link: LinkJson,
        /// The URI.
        uri: LinkUri,
    },
    /// A URI without keys whose host is a name: somebody has to say whose it is. A
    /// [`Resolver`](crate::Resolver) finds that out.
    Domain(LinkUri),
    /// What a known link is called, or the beginning of its hashname.
    Name(String),
}

/// What [`Mesh::link`](crate::Mesh::link) takes: text (a URI, `user@domain`, a link JSON, a hashname, a
/// known link's alias or the beginning of its hashname), any of these parsed, or keys and paths.
///
/// ```
/// use telehash_runtime::{IntoLinkTarget, LinkTarget};
///
/// let name = "ekkubb4bmjrqikl4mp6flzbzw6mvauwgvppkl3e2tfa2jdtnavya";
/// assert!(matches!(name.into_link_target()?, LinkTarget::Link(_)));
/// let json = format!(r#"{{"hashname":"{name}","paths":[]}}"#);
/// assert!(matches!(json.into_link_target()?, LinkTarget::Link(_)));
/// assert!(matches!("home".into_link_target()?, LinkTarget::Name(_)));
/// assert!(matches!("ann@example.org".into_link_target()?, LinkTarget::Domain(_)));
/// # Ok::<(), telehash_runtime::TargetError>(())
/// ```
pub trait IntoLinkTarget {
    /// Reads the target.
    ///
    /// # Errors
    /// It cannot be understood; see [`TargetError`].
    fn into_link_target(self) -> Result<LinkTarget, TargetError>;
}

impl FromStr for LinkTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if text.starts_with('{') {
            return Ok(Self::Link(LinkJson::parse(text)?));
        }
        if text.contains("://") {
            return of_uri(text);
        }
        if is_account(text) {
            return of_uri(&format!("link://{text}"));
        }
        Ok(match text.parse::<Hashname>() {
            Ok(hashname) => Self::Link(LinkJson::named(hashname)),
            Err(_) => Self::Name(text.to_owned()),
        })
    }
}

impl IntoLinkTarget for LinkTarget {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        Ok(self)
    }
}

impl IntoLinkTarget for &str {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        self.parse()
    }
}

impl IntoLinkTarget for String {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        self.parse()
    }
}

impl IntoLinkTarget for &String {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        self.parse()
    }
}

impl IntoLinkTarget for Hashname {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        Ok(LinkTarget::Link(LinkJson::named(self)))
    }
}

impl IntoLinkTarget for LinkJson {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        Ok(LinkTarget::Link(self))
    }
}

impl IntoLinkTarget for &LinkJson {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        Ok(LinkTarget::Link(self.clone()))
    }
}

impl IntoLinkTarget for LinkUri {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        let is_name = matches!(self.host(), Some(Host::Domain(_)));
        let is_routers = self.is_of_router();
        let is_share = match self.share() {
            Ok(share) if share.is_some() || !is_routers => share.is_some(),
            // Without it the router itself would be meant.
            _ if is_routers => return Err(TargetError::Share),
            _ => false,
        };
        match self.link_json() {
            Some(link) if is_name || is_share || self.invite().is_some() => {
                Ok(LinkTarget::Uri { link, uri: self })
            }
            Some(link) => Ok(LinkTarget::Link(link)),
            None if is_name => Ok(LinkTarget::Domain(self)),
            None => Err(TargetError::UriWithoutKeys),
        }
    }
}

fn of_uri(text: &str) -> Result<LinkTarget, TargetError> {
    let parsed = LinkUri::parse(text)?;
    for skipped in &parsed.skipped {
        tracing::debug!(%skipped, "part of the URI skipped");
    }
    parsed.uri.into_link_target()
}

/// Whether it looks like `user@domain`. No alias has such a character.
fn is_account(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty())
}

impl IntoLinkTarget for (KeySet, Vec<Path>) {
    fn into_link_target(self) -> Result<LinkTarget, TargetError> {
        let (keys, paths) = self;
        let mut link = LinkJson::new(keys)?;
        link.paths = paths;
        Ok(LinkTarget::Link(link))
    }
}

#[cfg(test)]
mod tests {
    use telehash_hashname::Csid;

    use super::*;

    fn keys() -> KeySet {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
        keys
    }

    #[test]
    fn a_uri_with_an_address_needs_no_look_up_and_one_with_a_name_does() {
        let link = LinkJson::new(keys()).unwrap();
        let uri = LinkUri::for_link(&link).unwrap().to_string();
        let at = |host: &str| uri.replacen("link:///", &format!("link://{host}/"), 1);
        let target = at("192.0.2.1:5").into_link_target().unwrap();
        let LinkTarget::Link(target) = target else {
            panic!("{target:?}")
        };
        assert_eq!(target.hashname, link.hashname);
        assert!(
            target
                .paths
                .contains(&Path::udp("192.0.2.1:5".parse().unwrap()))
        );
        let target = at("example.org").into_link_target().unwrap();
        assert!(matches!(target, LinkTarget::Uri { .. }), "{target:?}");
    }

    #[test]
    fn a_shared_uri_that_was_cut_never_means_its_router() {
        let router = LinkUri::for_link(&LinkJson::new(keys()).unwrap()).unwrap();
        let session = telehash_uri::Secret::from_bytes([7; 16]);
        let base = router.with_session(&session).unwrap();
        let fragment = telehash_uri::Fragment::new(&Hashname::from_bytes([1; 32]), &[5; 16]);
        let whole = base.with_share(&fragment.unwrap()).unwrap();
        assert!(matches!(
            whole.clone().into_link_target(),
            Ok(LinkTarget::Uri { .. })
        ));
        let text = whole.to_string();
        let (before, _) = text.split_once('#').unwrap();
        for cut in [before, &text[..before.len() + 5]] {
            let cut = cut.into_link_target();
            assert!(matches!(cut, Err(TargetError::Share)), "{cut:?}");
        }
    }

    #[test]
    fn a_domain_without_keys_is_left_to_be_looked_up_and_an_address_is_refused() {
        for text in [
            "link://example.org/",
            "ann@example.org",
            " ann@example.org:5 ",
        ] {
            let target = text.into_link_target().unwrap();
            assert!(matches!(target, LinkTarget::Domain(_)), "{target:?}");
        }
        for text in ["ann@192.0.2.1", "link://[::1]/"] {
            let error = text.into_link_target().unwrap_err();
            assert!(matches!(error, TargetError::UriWithoutKeys), "{error}");
        }
        for text in ["@example.org", "ann@"] {
            let target = text.into_link_target().unwrap();
            assert!(matches!(target, LinkTarget::Name(_)), "{target:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_says_what_it_looked_like() {
        let error = |text: &str| text.into_link_target().unwrap_err();
        assert!(matches!(error("{\"keys\":"), TargetError::LinkJson(_)));
        assert!(matches!(
            error("link://192.0.2.1/"),
            TargetError::UriWithoutKeys
        ));
        assert!(matches!(error("link://[::1/"), TargetError::Uri(_)));
    }

    #[test]
    fn keys_and_paths_make_a_target() {
        let path = Path::udp("192.0.2.1:5".parse().unwrap());
        let target = (keys(), vec![path.clone()]).into_link_target().unwrap();
        let LinkTarget::Link(link) = target else {
            panic!("{target:?}")
        };
        assert_eq!(
            (link.hashname, link.paths),
            (keys().hashname().unwrap(), vec![path])
        );
        assert!((KeySet::new(), vec![]).into_link_target().is_err());
    }
}
