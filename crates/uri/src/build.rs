//! Building a [`LinkUri`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use telehash_hashname::limits::MAX_PATH_JSON_LEN;
use telehash_hashname::{KeySet, LinkJson, Path};
use url::Host;

use crate::authority::parse_host;
use crate::limits::{MAX_QUERY_ITEMS, MAX_URI_PATHS};
use crate::parse::{check_text, parse_scheme};
use crate::query::{Meaning, meaning};
use crate::{LinkUri, UriError};

impl LinkUri {
    /// `link:///`: no host, no keys, no paths. Add what there is with the `with_…` methods.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scheme: "link".into(),
            userinfo: None,
            host: None,
            port: None,
            path: "/".into(),
            query: Vec::new(),
            keys: KeySet::new(),
            paths: Vec::new(),
            fragment: None,
        }
    }

    /// The URI of an endpoint: the address of its first UDP path, or TCP path, becomes host and
    /// port, and the paths that do not follow from these are listed.
    ///
    /// # Errors
    ///
    /// A key known by its intermediate only, or more paths than a URI takes.
    pub fn for_link(link: &LinkJson) -> Result<Self, BuildError> {
        let is_udp = |path: &&Path| matches!(path, Path::Udp4(_) | Path::Udp6(_));
        let is_tcp = |path: &&Path| matches!(path, Path::Tcp4(_) | Path::Tcp6(_));
        let first = link.paths.iter().find(is_udp);
        let first = first.or_else(|| link.paths.iter().find(is_tcp));

        let mut uri = Self::new().with_keys(link.keys.clone())?;
        if let Some(addr) = first.and_then(Path::socket_addr) {
            uri = uri.with_addr(addr)?;
        }
        let implied = uri.paths();
        let listed = link.paths.iter().filter(|path| !implied.contains(path));
        uri.with_paths(listed.cloned())
    }

    /// Replaces the scheme.
    ///
    /// # Errors
    ///
    /// Characters that a scheme may not have.
    pub fn with_scheme(mut self, scheme: &str) -> Result<Self, BuildError> {
        self.scheme = parse_scheme(scheme)?;
        self.checked()
    }

    /// Replaces host and port; `host` as it stands in a URI, an IPv6 address in brackets.
    ///
    /// # Errors
    ///
    /// A host that is none, or port 0.
    pub fn with_host(self, host: &str, port: Option<u16>) -> Result<Self, BuildError> {
        let host = parse_host(host)?;
        self.at(host, port)
    }

    /// Replaces host and port by an address.
    ///
    /// # Errors
    ///
    /// Port 0.
    pub fn with_addr(self, addr: SocketAddr) -> Result<Self, BuildError> {
        let host = match addr.ip() {
            IpAddr::V4(ip) => Host::Ipv4(ip),
            IpAddr::V6(ip) => Host::Ipv6(ip),
        };
        self.at(host, Some(addr.port()))
    }

    fn at(mut self, host: Host, port: Option<u16>) -> Result<Self, BuildError> {
        if port == Some(0) {
            return Err(UriError::Port.into());
        }
        self.host = Some(host);
        self.port = port;
        self.checked()
    }

    /// Replaces the keys.
    ///
    /// # Errors
    ///
    /// A key known by its intermediate only: without it a reader would calculate another hashname.
    pub fn with_keys(mut self, keys: KeySet) -> Result<Self, BuildError> {
        if !keys.is_complete() {
            return Err(BuildError::PartialKeys);
        }
        self.keys = keys;
        self.checked()
    }

    /// Lists more paths.
    ///
    /// # Errors
    ///
    /// More than [`MAX_URI_PATHS`], or one whose JSON takes more than [`MAX_PATH_JSON_LEN`] bytes.
    pub fn with_paths(mut self, paths: impl IntoIterator<Item = Path>) -> Result<Self, BuildError> {
        for path in paths {
            let len = path.to_string().len();
            if len > MAX_PATH_JSON_LEN {
                return Err(BuildError::PathTooLong { len });
            }
            if self.paths.len() == MAX_URI_PATHS {
                return Err(BuildError::TooManyPaths);
            }
            self.paths.push(path);
        }
        self.checked()
    }

    /// Adds a query item; name and value are encoded as needed.
    ///
    /// # Errors
    ///
    /// A name that means a key, a path or an invite.
    pub fn with_query(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
        if !matches!(meaning(name), Meaning::Other) {
            return Err(BuildError::ReservedName { name: name.into() });
        }
        self.query.push((name.into(), value.into()));
        self.checked()
    }

    /// Replaces the fragment, without its `#`.
    ///
    /// # Errors
    ///
    /// White space and control characters.
    pub fn with_fragment(mut self, fragment: &str) -> Result<Self, BuildError> {
        self.fragment = Some(fragment.into());
        self.checked()
    }

    /// Whether the URI, as text, is one that the strict parser reads.
    pub(crate) fn checked(self) -> Result<Self, BuildError> {
        if self.item_count() > MAX_QUERY_ITEMS {
            return Err(BuildError::TooManyItems);
        }
        check_text(&self.to_string())?;
        Ok(self)
    }
}

impl Default for LinkUri {
    fn default() -> Self {
        Self::new()
    }
}

/// Why something cannot be part of a link URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The text would be no URI, or one longer than [`MAX_URI_LEN`](crate::limits::MAX_URI_LEN).
    #[error(transparent)]
    Uri(#[from] UriError),
    /// A key that is known by its intermediate only.
    #[error("a URI needs every public key of the endpoint; some are known by their hash only")]
    PartialKeys,
    /// More than [`MAX_URI_PATHS`].
    #[error("a URI lists at most {MAX_URI_PATHS} paths")]
    TooManyPaths,
    /// A path that takes more than [`MAX_PATH_JSON_LEN`] bytes of JSON.
    #[error("the path takes {len} bytes of JSON, more than the {MAX_PATH_JSON_LEN} possible")]
    PathTooLong {
        /// Bytes it takes.
        len: usize,
    },
    /// More than [`MAX_QUERY_ITEMS`].
    #[error("a URI has at most {MAX_QUERY_ITEMS} query items")]
    TooManyItems,
    /// A query item with the name of a key, a path or an invite.
    #[error("the query item {name:?} is reserved for keys, paths and invites")]
    ReservedName {
        /// Its name.
        name: String,
    },
}
