//! The limits of the round machine.

use core::time::Duration;

/// Limit: how long a round waits for its answer, on every pipe; then the link is down.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(30);

/// Limit: shortest time between two rounds that handshakes of the peer, or changes of the network,
/// ask for. What comes earlier waits and becomes one round.
pub(crate) const FORCED_INTERVAL: Duration = Duration::from_secs(1);

/// Limit: shortest time between two repetitions of one answer; earlier ones are left out.
pub(crate) const REPEAT_INTERVAL: Duration = Duration::from_millis(900);

/// Limit: repetitions of one answer; more are left out.
pub(crate) const MAX_REPEATS: u8 = 4;

/// Limit: longest wait before a link that is down is tried again, jitter not counted, which adds up
/// to half as much.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(300);

/// Limit: how many values of our parity the `at` of a challenge is chosen from. An echo that an
/// attacker recorded in a former life of ours fits with a chance of one in as many; each challenge,
/// and there is at most one in [`FORCED_INTERVAL`], moves `at` ahead of the clock by up to twice as
/// much.
pub(crate) const CHALLENGE_SPREAD: u8 = 64;

/// Limit: ephemerals of the peer that sessions or candidates are asked for while our own ephemeral
/// lives. One place is left to sessions; when a further one is agreed all are erased with our
/// ephemeral, and a new round begins. That bounds what the caller keeps to never use a pair twice.
pub(crate) const MAX_DERIVED: usize = 3;

/// Limit: repetitions of one answer toward ends whose rounds have fresh ephemerals; more are left
/// out. The first answer on each further pipe does not count. Twice as many as for others: such an
/// end goes on with the same round for 30 s.
pub(crate) const MAX_ANSWERS: u8 = 8;

/// Limit: sessions that no packet has authenticated in (cipher-sets.md, CS42: "at most 2 unconfirmed
/// sessions"). A further one takes the place of the one with the lowest `at` that came to be in the
/// same way; a round of the peer's below all of those is not answered.
pub(crate) const MAX_UNCONFIRMED: usize = 2;

/// Limit: how long a session may stay unconfirmed; then it is erased.
pub(crate) const UNCONFIRMED_LIFE: Duration = Duration::from_secs(30);

/// Limit: how long the keys of a session that was renewed still receive; then they are erased.
pub(crate) const RENEWED_LINGER: Duration = Duration::from_secs(10);

/// Limit: how long a session that is used lasts until it is renewed, jitter not counted.
pub(crate) const RENEW_INTERVAL: Duration = Duration::from_secs(3600);

/// Limit: shortest time from a session, or from a renewal that failed, to the next renewal. What
/// asks for one earlier waits.
pub(crate) const RENEW_PAUSE: Duration = Duration::from_secs(30);

/// Limit: how long pings may stay unanswered; then the session is renewed.
pub(crate) const PING_PATIENCE: Duration = Duration::from_secs(10);

/// Limit: how long nothing may authenticate in a session; then a ping asks for a sign of life, at
/// the latest when as much time has passed again.
pub(crate) const LISTEN_INTERVAL: Duration = Duration::from_secs(30);

/// Limit: how many milliseconds the `at` of a round may be behind our clock, where it counts these;
/// an older one is not answered but challenged. No longer than its sender is patient: nobody would
/// confirm the session, and beside that no round of ours begins.
pub(crate) const MAX_BEHIND_MILLIS: u64 = GIVE_UP.as_millis() as u64;
