//! Every bound of this crate, and what happens at it.

use std::time::Duration;

/// Links of one endpoint. At the limit the link that has been down longest and that the application
/// did not ask for is forgotten; if there is none, a newcomer is refused and
/// [`Mesh::link`](crate::Mesh::link) fails.
pub const MAX_LINKS: usize = 16_384;

/// Decisions about strangers that an [`Accept::ask`](crate::Accept::ask) callback may have pending;
/// a stranger beyond them is refused in silence and may try again.
pub const MAX_PENDING_DECISIONS: usize = 64;

/// How long a decision about a stranger may take; then the stranger is refused in silence. As long
/// as the handshake stays redeemable.
pub const DECISION_TIMEOUT: Duration = Duration::from_secs(10);

/// Handler tasks that run at once for one link; an incoming channel beyond them is refused with
/// `busy`. More than a link has channels, since a handler may outlive its channel.
pub const MAX_HANDLERS_PER_LINK: usize = 2048;

/// Events that one subscriber may lag behind; at the limit the oldest are dropped and the
/// subscriber sees [`MeshEvent::Lagged`](crate::MeshEvent::Lagged) with their number.
pub const EVENT_CAPACITY: usize = 1024;

/// Transports of one endpoint; building one with more fails.
pub const MAX_TRANSPORTS: usize = 64;

/// Segments in one transmit, whatever the transport could take; more would only delay other links.
pub const MAX_SEGMENTS: usize = 64;

/// Transmits that one link may send in a row; then it queues up behind the other links that wait
/// for the same transport.
pub const MAX_TRANSMITS_IN_A_ROW: usize = 8;

/// Transmit buffers kept for reuse; more are freed.
pub const MAX_POOLED_BUFFERS: usize = 32;

/// Paths dialled for one call of [`Mesh::link`](crate::Mesh::link), and dials that may be pending
/// for one link at once; further paths are ignored.
pub const MAX_PENDING_DIALS: usize = 16;

/// Shortest time between two announcements of ours on the local networks. Limit: a shorter one that
/// is asked for counts as this.
pub const MIN_ANNOUNCE_INTERVAL: Duration = Duration::from_millis(100);

/// Pause before a link that lost a connection, or its last pipe, dials those paths again. It doubles with each attempt,
/// up to [`MAX_REDIAL_PAUSE`].
pub const REDIAL_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause between attempts to dial what a link has lost.
pub const MAX_REDIAL_PAUSE: Duration = Duration::from_secs(60);

/// How long one dial may take.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an endpoint of which only the name is known is looked for through routers; then linking
/// to it fails. Limit: routers are asked at most five times meanwhile.
pub const SEEK_TIMEOUT: Duration = Duration::from_secs(15);

/// Pause before routers are asked again for an endpoint. It doubles with each time.
pub const SEEK_PAUSE: Duration = Duration::from_millis(500);

/// Pause between two answers to shared URIs that are presented for one link.
pub const ANSWER_PAUSE: Duration = Duration::from_secs(2);

/// Pings that may wait for answers on one link; one more fails at once.
pub const MAX_PINGS: usize = 16;

/// How long [`Mesh::close`](crate::Mesh::close) waits for finished channels to be acknowledged, and
/// then for handlers to return; whatever is left then is cut off.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a channel whose handle was dropped after its `end` stays while nothing of what was
/// written is delivered; then it fails.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(30);

/// Known links in the state directory; one more is an error to whoever adds it.
pub const MAX_KNOWN_LINKS: usize = 65_536;

/// Endpoints that are not known links, whose highest `at` is remembered; the lowest makes room.
pub const MAX_REMEMBERED_AT: usize = 4096;

/// Invites and shared URIs that are neither spent nor expired; at the limit the one that expires first makes room.
pub const MAX_INVITES: usize = 64;

/// URIs of routers that we may share; at the limit those of further routers are ignored.
pub const MAX_ROUTER_URIS: usize = 64;

/// URIs through routers whose answers are waited for at once; one more fails.
pub const MAX_FOLLOWED_URIS: usize = 64;

/// Wrong invites that one endpoint may present within [`WRONG_INVITES_PERIOD`]; beyond that its
/// invites are not looked at.
pub const MAX_WRONG_INVITES: u32 = 8;

/// How long wrong invites count against whoever presented them.
pub const WRONG_INVITES_PERIOD: Duration = Duration::from_secs(3600);

/// Endpoints whose wrong invites are counted; at the limit the one that began first is forgotten.
pub const MAX_GUESSERS: usize = 256;

/// Longest JSON web token, in bytes: one fits into a handshake message, with room for its head. A
/// longer one is refused unread, and none is presented.
pub const MAX_JWT: usize = 4096;

/// Keys of one `JwtPolicy`, each of which may cost a verification; a policy with
/// more is an error.
pub const MAX_JWT_KEYS: usize = 8;

/// Largest identity file, in bytes; a larger one is refused unread.
pub const MAX_IDENTITY_FILE: u64 = 64 * 1024;

/// Largest file of known links, in bytes; a larger one is refused unread.
pub const MAX_LINKS_FILE: u64 = 64 * 1024 * 1024;

/// Length of an alias, in bytes; a longer one is refused.
pub const MAX_ALIAS: usize = 64;

/// How long changes of known links collect before they are written. Closing writes at once.
pub const SAVE_DELAY: Duration = Duration::from_millis(500);

/// How long after known links could not be written it is tried again.
pub const SAVE_RETRY: Duration = Duration::from_secs(10);
