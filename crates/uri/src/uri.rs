//! What a link URI says.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use telehash_hashname::{Hashname, KeySet, LinkJson, Path, base32};
use url::{Host, form_urlencoded};

/// The port that a URI without one means.
pub const DEFAULT_PORT: u16 = 42424;

/// Longest URI in bytes; longer is refused, read or built.
pub const MAX_URI_LEN: usize = 16 * 1024;

/// Most items in the query. Reading, the rest is skipped, or refused by the strict parser; one more
/// cannot be added to a URI being built.
pub const MAX_QUERY_ITEMS: usize = 128;

/// Most paths in the query. Reading, the rest is skipped, or refused by the strict parser; one more
/// cannot be added to a URI being built.
pub const MAX_URI_PATHS: usize = 16;

/// A link URI (uri.md): an endpoint's keys and paths in one line of text.
///
/// `Display` writes the canonical form: other query items first, then keys by ascending csid, then
/// paths. `Debug` leaves out what may be secret: an invite's or a router's values in the query.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkUri {
    pub(crate) scheme: String,
    pub(crate) userinfo: Option<String>,
    pub(crate) host: Option<Host>,
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) keys: KeySet,
    pub(crate) paths: Vec<Path>,
    pub(crate) fragment: Option<String>,
}

impl LinkUri {
    /// The scheme in lower case, `link` unless an application chose its own.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands before `@` in the authority; it has no meaning here and is kept.
    #[must_use]
    pub fn userinfo(&self) -> Option<&str> {
        self.userinfo.as_deref()
    }

    /// The host: an address, or a name in its ASCII form for the caller to resolve.
    #[must_use]
    pub const fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port, [`DEFAULT_PORT`] unless the URI says another.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    /// The path component with its leading slash; it has no meaning here and is kept.
    #[must_use]
    pub fn path_component(&self) -> &str {
        &self.path
    }

    /// The public keys, all in full.
    #[must_use]
    pub const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Whose URI it is, if it holds keys.
    #[must_use]
    pub fn hashname(&self) -> Option<Hashname> {
        self.keys.hashname()
    }

    /// The query items other than keys and paths, decoded, in order.
    #[must_use]
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// The first other query item with this name, decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<&str> {
        let item = self.query.iter().find(|(found, _)| found == name);
        item.map(|(_, value)| value.as_str())
    }

    /// What follows `#`, as it stands in the text.
    #[must_use]
    pub fn fragment(&self) -> Option<&str> {
        self.fragment.as_deref()
    }

    /// The same URI without a fragment: the copy that a router may see.
    #[must_use]
    pub fn without_fragment(&self) -> Self {
        Self {
            fragment: None,
            ..self.clone()
        }
    }

    /// The paths that the query lists, in order.
    #[must_use]
    pub fn listed_paths(&self) -> &[Path] {
        &self.paths
    }

    /// Every path that follows from the URI alone: the listed ones, then those of the authority.
    ///
    /// A host that is a name gives none but a `http` path; resolve it and ask
    /// [`paths_at`](Self::paths_at).
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = self.paths.clone();
        let from_authority = match self.host_ip() {
            Some(ip) => self.paths_at(ip),
            None => self.http_path().into_iter().collect(),
        };
        for path in from_authority {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// The paths that the authority means if its host has the address `ip`: UDP and TCP, and TLS or
    /// HTTP where the scheme says so. QUIC has a port of its own and is only ever listed.
    #[must_use]
    pub fn paths_at(&self, ip: IpAddr) -> Vec<Path> {
        let addr = SocketAddr::new(ip, self.port());
        let tls = (self.scheme == "tls").then(|| Path::tls(addr));
        [Path::udp(addr), Path::tcp(addr)]
            .into_iter()
            .chain(tls)
            .chain(self.http_path())
            .collect()
    }

    /// As link JSON, with [`paths`](Self::paths); `None` without keys.
    #[must_use]
    pub fn link_json(&self) -> Option<LinkJson> {
        let mut link = LinkJson::new(self.keys.clone()).ok()?;
        link.paths = self.paths();
        Some(link)
    }

    pub(crate) fn host_ip(&self) -> Option<IpAddr> {
        match self.host.as_ref()? {
            Host::Ipv4(ip) => Some(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(*ip)),
            Host::Domain(_) => None,
        }
    }

    fn http_path(&self) -> Option<Path> {
        let host = self.host.as_ref()?;
        let scheme = self.scheme.as_str();
        let is_http = matches!(scheme, "http" | "https");
        is_http.then(|| Path::http(format!("{scheme}://{host}:{}", self.port())))
    }

    /// How many items the query has.
    pub(crate) fn item_count(&self) -> usize {
        self.query.len() + self.keys.len() + self.paths.len()
    }

    /// The whole query, encoded; empty if it has no items.
    fn encoded_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        for csid in self.keys.csids() {
            let key = self.keys.key(csid).unwrap_or_default();
            query.append_pair(&format!("cs{csid}"), &base32::encode(key));
        }
        for path in &self.paths {
            query.append_pair("paths", &base32::encode(path.to_string().as_bytes()));
        }
        query.finish()
    }
}

impl fmt::Display for LinkUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(userinfo) = &self.userinfo {
            write!(f, "{userinfo}@")?;
        }
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)?;
        let query = self.encoded_query();
        if !query.is_empty() {
            write!(f, "?{query}")?;
        }
        if let Some(fragment) = &self.fragment {
            write!(f, "#{fragment}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for LinkUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("LinkUri")
            .field("scheme", &self.scheme)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("hashname", &self.hashname())
            .field("paths", &self.paths)
            .field("query", &names)
            .finish_non_exhaustive()
    }
}
