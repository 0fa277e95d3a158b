//! Why DNS leads to nobody.

use telehash_hashname::{Base32Error, Csid, Hashname, KeySetError};

use super::texts::MAX_TEXT_STRINGS;

/// Why the DNS records of a domain lead to nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The domain has no service record.
    #[error("there is no service record (SRV) _link._udp")]
    NoService,
    /// The service records say that the service is not there.
    #[error("the service record says that there is no endpoint")]
    NotOffered,
    /// A service record whose host is not named after an endpoint.
    #[error("the service record names {target:?}, whose first label is no hashname")]
    TargetUnnamed {
        /// The host.
        target: String,
    },
    /// A service record of another endpoint.
    #[error("the service record names {}, not {}", .found.short(), .expected.short())]
    OtherHashname {
        /// Whose it should be.
        expected: Hashname,
        /// Whose it is.
        found: Hashname,
    },
    /// More strings in text records than are read.
    #[error("{count} strings in the text records, more than the {MAX_TEXT_STRINGS} that are read")]
    TooManyTexts {
        /// Strings given.
        count: usize,
    },
    /// No text record holds a key.
    #[error("no text record (TXT) of the host holds a key, such as \"3a=…\"")]
    NoKeys,
    /// Two different texts for the same key.
    #[error("the text records contradict each other about the key of cipher set {csid}")]
    Contradiction {
        /// The cipher set.
        csid: Csid,
    },
    /// A key that was cut, of which not all pieces are there.
    #[error("a piece of the key of cipher set {csid} is missing in the text records")]
    PieceMissing {
        /// The cipher set.
        csid: Csid,
    },
    /// A key that is not base32.
    #[error("the key of cipher set {csid} in the text records is broken: {error}")]
    Base32 {
        /// The cipher set.
        csid: Csid,
        /// What is wrong with it.
        error: Base32Error,
    },
    /// A key that cannot be one.
    #[error(transparent)]
    Key(#[from] KeySetError),
    /// Keys that make another hashname than the one in the host's name.
    #[error(
        "the keys in the text records are not those of {}: one is missing or somebody else's",
        .hashname.short()
    )]
    WrongKeys {
        /// Whose they should be.
        hashname: Hashname,
    },
    /// The host has no address.
    #[error("the host of {} has no address", .hashname.short())]
    NoAddress {
        /// Whose host it is.
        hashname: Hashname,
    },
    /// The domain cannot be one in DNS.
    #[error("{name:?} is no name in DNS: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are no name servers to ask. Local.
    #[error("the name servers of this system are not known: {reason}")]
    NoNameServers {
        /// What happened.
        reason: String,
    },
    /// The name servers gave no answer.
    #[error("no answer about {name:?} from the name servers: {reason}")]
    Unanswered {
        /// The name that was asked about.
        name: String,
        /// What happened.
        reason: String,
    },
}
