//! What look-ups come to.

use std::fmt;
use std::time::Duration;

use telehash_hashname::LinkJson;
use telehash_uri::LinkUri;
use thiserror::Error;

use crate::place::Mismatch;
use crate::{DnsError, DocumentError, Place};

/// An endpoint that was found, with keys that make its hashname.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// Who said so.
    pub source: Source,
    /// The endpoint, with keys, and paths if any are known.
    pub link: LinkJson,
    /// The link URI that said it. If its host is a name, the addresses of that lead to further paths.
    /// What else it holds, such as an invite, was said by a web server and not by whoever asked.
    pub uri: Option<LinkUri>,
}

/// Where to look, in the order in which that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// WebFinger.
    WebFinger,
    /// DNS.
    Dns,
    /// The keys of an OpenID provider.
    Jwks,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebFinger => "WebFinger",
            Self::Dns => "DNS",
            Self::Jwks => "OpenID (jwks_uri)",
        })
    }
}

/// Nobody was found at a place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("nothing that can be trusted says whose {place} is: {}", Reasons(.reasons))]
#[non_exhaustive]
pub struct NotFound {
    /// Where.
    pub place: Place,
    /// Who was asked, and why that led to nobody; empty if this is built without any look-up.
    pub reasons: Vec<(Source, LookUpError)>,
}

/// Why one look-up led to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LookUpError {
    /// What the name servers say.
    #[error(transparent)]
    Dns(#[from] DnsError),
    /// What a document says.
    #[error("{url}: {error}")]
    Document {
        /// Where it is.
        url: String,
        /// What is wrong with it.
        error: DocumentError,
    },
    /// Keys of nobody, or of somebody else.
    #[error("{url}: {error}")]
    Mismatch {
        /// Where they were.
        url: String,
        /// Whose they are.
        error: Mismatch,
    },
    /// The web client cannot be used. Local.
    #[error("https cannot be used here: {0}")]
    Local(String),
    /// A domain that no URL can have.
    #[error("{0:?} cannot be the host of a URL")]
    Host(String),
    /// No answer, or no secure connection.
    #[error("{url} cannot be fetched: {reason}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// An answer that is not the document.
    #[error("{url} is not there: the server answers with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// A redirect to something else than https.
    #[error("{url} redirects to what is not https")]
    InsecureRedirect {
        /// What was asked for.
        url: String,
    },
    /// A redirect after a redirect after a redirect.
    #[error("{url} redirects more than {} times", crate::limits::MAX_REDIRECTS)]
    TooManyRedirects {
        /// What was asked for.
        url: String,
    },
    /// It took too long.
    #[error("it took more than {} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

struct Reasons<'a>(&'a [(Source, LookUpError)]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no look-up is enabled");
        }
        for (index, (source, error)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{source}: {error}")?;
        }
        Ok(())
    }
}
