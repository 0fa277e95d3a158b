//! What is looked up.

use std::fmt;

use telehash_hashname::{Hashname, LinkJson};
use telehash_uri::{DEFAULT_PORT, Host, LinkUri};

/// A place on the internet that may say whose it is: a domain, perhaps with a user, as a link URI
/// without keys names it.
///
/// A host whose first label is a hashname, as `<hashname>.example.org`, says whom to expect there.
///
/// ```
/// use telehash_resolve::Place;
/// use telehash_uri::LinkUri;
///
/// let uri = LinkUri::parse("link://ann@example.org/")?.uri;
/// let place = Place::of(&uri).expect("the host is a name");
/// assert_eq!(place.domain(), "example.org");
/// assert_eq!(place.resource(), "acct:ann@example.org");
/// # Ok::<(), telehash_uri::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    domain: String,
    port: u16,
    user: Option<String>,
    resource: String,
    hashname: Option<Hashname>,
}

impl Place {
    /// The place that a URI names; `None` if its host is an address, or if there is none.
    ///
    /// Neither the query nor the fragment of the URI is part of it, since they may hold secrets, nor
    /// is a password.
    #[must_use]
    pub fn of(uri: &LinkUri) -> Option<Self> {
        let Some(Host::Domain(domain)) = uri.host() else {
            return None;
        };
        let domain = domain.trim_end_matches('.').to_owned();
        let user = uri
            .userinfo()
            .map(|userinfo| match userinfo.split_once(':') {
                Some((user, _password)) => user.to_owned(),
                None => userinfo.to_owned(),
            });
        let user = user.filter(|user| !user.is_empty());
        let resource = match &user {
            Some(user) => format!("acct:{user}@{domain}"),
            None => bare_uri(uri, &domain),
        };
        Some(Self {
            hashname: hashname_of(&domain),
            domain,
            port: uri.port(),
            user,
            resource,
        })
    }

    /// The same, of which only this endpoint is taken: whatever else is found there is refused.
    #[must_use]
    pub fn expecting(mut self, hashname: Hashname) -> Self {
        self.hashname = Some(hashname);
        self
    }

    /// The domain in its ASCII form, without a dot at its end.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The port, telehash's own unless the URI says another.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Who it is there, if the URI names a user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// What WebFinger is asked about: `acct:user@domain`, or the URI up to its query.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Whom to expect, if that is known.
    #[must_use]
    pub const fn hashname(&self) -> Option<&Hashname> {
        self.hashname.as_ref()
    }

    /// Checks that `link` may be what was looked for: it has keys, and they are those of whom we expect.
    ///
    /// # Errors
    ///
    /// It has none, or they are somebody else's.
    pub fn check(&self, link: &LinkJson) -> Result<(), Mismatch> {
        let Some(found) = link.keys.hashname() else {
            return Err(Mismatch::NoKeys);
        };
        match self.hashname {
            Some(expected) if expected != found => Err(Mismatch::Other { expected, found }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{user}@{}", self.domain),
            None => f.write_str(&self.domain),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.resource)
    }
}

/// Why what was found is not what was looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// It holds no key.
    #[error("it holds no keys")]
    NoKeys,
    /// The keys of another endpoint.
    #[error("its keys are those of {}, not of {}", .found.short(), .expected.short())]
    Other {
        /// Whose they should be.
        expected: Hashname,
        /// Whose they are.
        found: Hashname,
    },
}

/// The hashname in the first label of a host's name.
pub(crate) fn hashname_of(host: &str) -> Option<Hashname> {
    let (first, _domain) = host.split_once('.')?;
    first.parse().ok()
}

fn bare_uri(uri: &LinkUri, domain: &str) -> String {
    let (scheme, path) = (uri.scheme(), uri.path_component());
    match uri.port() {
        DEFAULT_PORT => format!("{scheme}://{domain}{path}"),
        port => format!("{scheme}://{domain}:{port}{path}"),
    }
}
