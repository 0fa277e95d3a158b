//! What can go wrong, split by whose fault it is.

use std::time::Duration;

use telehash_hashname::{Csid, Hashname, HashnameError, LinkJsonError};
use telehash_transport::TransportError;
use telehash_uri::UriError;
use thiserror::Error;

use crate::resolve::FindError;
use crate::state::{KnownLinkError, StateError};

/// Why a mesh could not be built. All are local.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no transport, so nobody could be reached.
    #[error("no transport: add one with `transport(…)`, or use the facade crate, which brings UDP")]
    NoTransport,
    /// There are more transports than can be told apart.
    #[error(
        "{count} transports are more than the {} that one endpoint can have",
        crate::limits::MAX_TRANSPORTS
    )]
    TooManyTransports {
        /// How many were added.
        count: usize,
    },
    /// A transport could not be opened.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no cipher set to make an identity with.
    #[error(
        "no cipher set is enabled: enable a feature such as `cs3a`, or add one with \
         `cipher_sets(…)`"
    )]
    NoCipherSet,
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] telehash_e3x::IdentityError),
    /// The system gave no randomness.
    #[error("the system has no randomness for keys: {0}")]
    Randomness(getrandom::Error),
    /// `build` was called outside of a tokio runtime.
    #[error("a mesh runs on tokio: call `build` inside a tokio runtime with its timer enabled")]
    NoRuntime,
    /// It should announce itself from the start, and cannot.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
}

/// Why an endpoint cannot announce itself to the local networks. All are local.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// No transport takes part in LAN discovery.
    #[error(
        "no transport can announce this endpoint: that takes a UDP socket on all addresses, or on \
         one of a local network, with discovery enabled; one on a loopback address cannot"
    )]
    Unsupported,
    /// Its keys do not fit an announcement.
    #[error("this endpoint cannot be announced: {0}")]
    Announcement(#[from] telehash_link::AnnouncementError),
    /// The mesh is closed, or closing.
    #[error("the mesh is closed")]
    Closed,
}

/// Why something is no target to link to. Malformed input.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Looked like a link JSON.
    #[error("not a link JSON: {0}")]
    LinkJson(#[from] LinkJsonError),
    /// Looked like a URI.
    #[error("not a link URI: {0}")]
    Uri(#[from] UriError),
    /// A URI that leads through a router, whose end is missing.
    #[error(
        "the URI leads through a router, and what follows its # is not whole: was it cut? Copy all of it"
    )]
    Share,
    /// A URI of which nothing says whose it is.
    #[error("the URI holds no keys, so nothing says whose it is; ask for a new one")]
    UriWithoutKeys,
    /// A URI without keys that names a domain, and no resolver that knows of domains.
    #[error(
        "the URI holds no keys, and nothing here looks up whose its domain is; ask for a URI with keys"
    )]
    NoLookUps,
    /// Neither of these, and nobody is known by that name.
    #[error(transparent)]
    Name(#[from] KnownLinkError),
    /// Not a hashname.
    #[error(transparent)]
    Hashname(#[from] HashnameError),
}

/// Why no invite can be issued. Local, all of them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InviteError {
    /// The accept policy lets nobody in.
    #[error("this endpoint accepts nobody, invited or not; choose another accept policy")]
    NobodyAccepted,
    /// The alias cannot be one.
    #[error(transparent)]
    Alias(#[from] KnownLinkError),
    /// The URI of this endpoint has no room for a secret.
    #[error("no invite fits into the URI of this endpoint: {0}")]
    Uri(#[from] telehash_uri::BuildError),
    /// The system gave no randomness.
    #[error("the system has no randomness for an invite: {0}")]
    Randomness(getrandom::Error),
}

/// Why no URI can be shared that leads through a router. Local, all of them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShareError {
    /// No router that we use or trust, and that gives us URIs.
    #[error(
        "no router that this endpoint uses or trusts gave it a URI to share: link to one that routes \
         for it, with `use_router`, and wait until it is up, or name one"
    )]
    NoRouter,
    /// This one does not.
    #[error(
        "{} gave this endpoint no URI to share: it is not linked, or does not route for it",
        .0.short()
    )]
    NotFromRouter(Hashname),
    /// As for an invite.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// The router's URI has no room for a fragment.
    #[error("no fragment fits into the URI of the router: {0}")]
    Uri(#[from] telehash_uri::BuildError),
}

const fn why_not_shared(linked: &bool) -> &'static str {
    if *linked {
        "it may be spent, expired or revoked, or whoever shared it may be down"
    } else {
        "its router did not answer, and may be down, or have revoked it"
    }
}

/// Why there is no link to a target.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The target cannot be understood.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nobody could be found at the target's domain.
    #[error("{0}; ask whoever it is for a URI with keys")]
    NobodyFound(FindError),
    /// The target is this endpoint.
    #[error("that is this endpoint's own hashname: it cannot link to itself")]
    OwnHashname,
    /// The hashname alone does not say which keys it stands for.
    #[error("the keys of {} are not known: give its link JSON or URI once", .0.short())]
    KeysUnknown(Hashname),
    /// No router leads to an endpoint of which only the name is known.
    #[error(
        "{} did not answer through {routers} router(s): it may be down, not linked there, or not let \
         us in; give its link JSON or URI, or another router",
        .hashname.short()
    )]
    NotFound {
        /// The target.
        hashname: Hashname,
        /// How many routers were asked.
        routers: usize,
    },
    /// Whoever shared a URI did not answer through its router.
    #[error(
        "nobody answered for this URI within {} s: {}; ask for a new one",
        crate::limits::SEEK_TIMEOUT.as_secs(),
        why_not_shared(.linked)
    )]
    NotShared {
        /// The router.
        router: Hashname,
        /// Whether the router let us in.
        linked: bool,
    },
    /// Too many URIs wait for answers.
    #[error("{limit} URIs wait for answers already; try again when one has answered")]
    TooManyUris {
        /// [`MAX_FOLLOWED_URIS`](crate::limits::MAX_FOLLOWED_URIS).
        limit: usize,
    },
    /// The key that both must use is missing.
    #[error(
        "the key of cipher set {csid} of {} is not known; give its complete link JSON",
        .hashname.short()
    )]
    KeyMissing {
        /// The target.
        hashname: Hashname,
        /// The cipher set that both ends have.
        csid: Csid,
    },
    /// The two have no cipher set in common.
    #[error(
        "{} has no cipher set in common with this endpoint, so the two cannot link",
        .0.short()
    )]
    NoCommonCipherSet(Hashname),
    /// The key that the target presents is none.
    #[error("a key of {} cannot be used: {reason}", .hashname.short())]
    BadKey {
        /// The target.
        hashname: Hashname,
        /// What is wrong with it.
        reason: String,
    },
    /// The keys do not belong to the hashname asked for.
    #[error(
        "what was found for {} belongs to another endpoint; ask for its link JSON again",
        .0.short()
    )]
    WrongKeys(Hashname),
    /// No transport of ours can use any of the target's paths.
    #[error(
        "no path to {} can be used: it has {paths}, this endpoint speaks {transports}",
        .hashname.short()
    )]
    NoPath {
        /// The target.
        hashname: Hashname,
        /// The kinds of its paths.
        paths: String,
        /// The names of our transports.
        transports: String,
    },
    /// The token does not fit into a handshake.
    #[error(
        "the token has {len} bytes; more than {} do not fit into a handshake",
        crate::limits::MAX_JWT
    )]
    JwtTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The table of links is full of live ones.
    #[error("{limit} links are up, which is the limit; close some first")]
    TooManyLinks {
        /// The limit.
        limit: usize,
    },
    /// The mesh is closed or closing.
    #[error("the mesh is closed")]
    Closed,
}

/// Why a link is not up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WaitError {
    /// Nobody answered in time.
    #[error(
        "no answer from {} within {} s: is it running and reachable, and does it accept this \
         endpoint?",
        .hashname.short(), .waited.as_secs_f32()
    )]
    TimedOut {
        /// The peer.
        hashname: Hashname,
        /// How long was waited.
        waited: Duration,
    },
    /// The link was closed.
    #[error("the link to {} was closed", .0.short())]
    Closed(Hashname),
}

/// Why a channel could not be opened. All but the first are local.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The link did not come up in time.
    #[error(transparent)]
    Down(#[from] WaitError),
    /// The opening packet does not fit.
    #[error("what the opening packet carries is too large: {quota} bytes fit")]
    TooLarge {
        /// Body bytes that fit.
        quota: usize,
    },
    /// As many channels as allowed are open, or the description is contradictory.
    #[error(transparent)]
    Refused(telehash_link::OpenError),
}

impl From<telehash_link::OpenError> for OpenError {
    fn from(error: telehash_link::OpenError) -> Self {
        match error {
            telehash_link::OpenError::TooLarge { quota } => Self::TooLarge { quota },
            error => Self::Refused(error),
        }
    }
}

/// Why a ping has no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PingError {
    /// The link is not up.
    #[error("the link to {} is down", .0.short())]
    Down(Hashname),
    /// Nothing came back in time.
    #[error("no answer from {} within {} s", .hashname.short(), .waited.as_secs_f32())]
    TimedOut {
        /// The peer.
        hashname: Hashname,
        /// How long was waited.
        waited: Duration,
    },
    /// The peer refuses to answer: it was pinged too often.
    #[error("{} refuses to answer more pings just now; ping less often", .0.short())]
    Refused(Hashname),
    /// Too many pings or channels at once.
    #[error("too many pings at once: {0}")]
    Busy(telehash_link::OpenError),
}
