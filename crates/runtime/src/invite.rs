//! Invites: issuing and redeeming them (uri.md, "Invite").

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use telehash_channel_path::Whereabouts as _;
use telehash_hashname::{Hashname, KeySet, LinkJson, Path};
use telehash_link::{HandshakeMessage, Incoming, Instant, Kind, LinkState, MessageSet};
use telehash_uri::{LinkUri, Secret, Terms};

use crate::credentials::Credentials;
use crate::driver::LinkDriver;
use crate::error::InviteError;
use crate::events::MeshEvent;
use crate::limits::{MAX_GUESSERS, MAX_WRONG_INVITES, WRONG_INVITES_PERIOD};
use crate::mesh::Mesh;
use crate::shared::Shared;
use crate::state::{Grant, Trust};

/// How long an invite is good unless it says otherwise.
const LIFETIME: Duration = Duration::from_secs(3600);

/// What an invite is good for; see [`Mesh::invite`]. By default it is good once, within an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is issued until `Mesh::invite`"]
pub struct InviteOptions {
    lifetime: Duration,
    uses: u32,
    alias: Option<String>,
}

impl Default for InviteOptions {
    fn default() -> Self {
        Self {
            lifetime: LIFETIME,
            uses: 1,
            alias: None,
        }
    }
}

impl InviteOptions {
    /// Good once, within an hour.
    pub fn new() -> Self {
        Self::default()
    }

    /// Good for so long, to the second.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Good for so many others.
    pub fn uses(mut self, uses: u32) -> Self {
        self.uses = uses;
        self
    }

    /// Whoever redeems it is called that, unless somebody else is.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }
}

impl Mesh {
    /// Issues an invite: a URI with a secret. Whoever [links](Mesh::link) with it is let in, whatever
    /// the accept policy but [`Accept::None`](crate::Accept::None), and both sides remember and trust
    /// each other from then on. It is kept in the state directory until it is spent or expires.
    ///
    /// ```no_run
    /// # fn example(mesh: &telehash_runtime::Mesh) -> Result<(), Box<dyn std::error::Error>> {
    /// use telehash_runtime::InviteOptions;
    ///
    /// println!("give this to bob: {}", mesh.invite(InviteOptions::new().alias("bob"))?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nobody is let in at all, or the alias cannot be one; see [`InviteError`].
    pub fn invite(&self, options: InviteOptions) -> Result<LinkUri, InviteError> {
        let shared = self.shared();
        if !shared.door.takes_invites() {
            return Err(InviteError::NobodyAccepted);
        }
        let secret = new_secret()?;
        let uri = self.uri().with_invite(&secret)?;
        shared.give_out(secret, options, None)?;
        Ok(uri)
    }
}

/// A secret that nobody has.
pub(crate) fn new_secret() -> Result<Secret, InviteError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(InviteError::Randomness)?;
    Ok(Secret::from_bytes(bytes))
}

impl Shared {
    /// Has a secret be good from now on: as an invite, or as a URI that leads through a router.
    pub(crate) fn give_out(
        &self,
        secret: Secret,
        options: InviteOptions,
        through: Option<Hashname>,
    ) -> Result<(), InviteError> {
        let InviteOptions {
            lifetime,
            uses,
            alias,
        } = options;
        let unix = self.clock.unix().as_secs();
        let terms = Terms::once_until(unix.saturating_add(lifetime.as_secs()));
        let grant = Grant { alias, through };
        Ok(self
            .known
            .issue_invite(unix, secret, terms.uses(Some(uses)), grant)?)
    }

    /// Whether a stranger was invited; if so it is a known and trusted link now.
    pub(crate) fn is_invited(&self, incoming: &Incoming) -> bool {
        let path = self.path_of(incoming.pipe);
        let Some(message) = uri_of(&incoming.round) else {
            return false;
        };
        self.redeem(incoming.hashname, &incoming.keys, path, message)
    }

    /// Spends the invite in this `uri` message, if there is one and it is good, on whoever sent it.
    pub(crate) fn redeem(
        &self,
        hashname: Hashname,
        keys: &KeySet,
        path: Option<Path>,
        message: &HandshakeMessage,
    ) -> bool {
        if !self.door.takes_invites() || self.known.trust(&hashname) != Trust::Unknown {
            return false;
        }
        let Some(secret) = secret_in(message) else {
            return false;
        };
        let now = self.clock.now();
        if !self.guesses.admits(now, &hashname) {
            return false;
        }
        let mut guest = LinkJson::named(hashname);
        guest.keys = keys.clone();
        guest.paths.extend(path);
        let unix = self.clock.unix().as_secs();
        if !self.known.redeem_invite(unix, &secret, guest) {
            tracing::debug!(peer = %hashname.short(), "an invite that is not good");
            self.guesses.failed(now, hashname, secret);
            return false;
        }
        tracing::info!(peer = %hashname.short(), "invite redeemed");
        self.events.publish(MeshEvent::InviteRedeemed { hashname });
        true
    }

    /// Has the handshakes of a link carry an invite, a token, a message, or all of them.
    pub(crate) fn present(self: &Arc<Self>, driver: &Arc<LinkDriver>, newer: Credentials) {
        let is_said_once = newer.is_said_once();
        let messages = {
            let mut credentials = driver.credentials();
            credentials.update(newer);
            credentials.messages()
        };
        let _ = driver.run(self, |core, now| {
            // Two messages of bounded length are always possible.
            let _ = core.link.set_beside(messages);
            if is_said_once && core.link.state() == LinkState::Up {
                self.keep_issuer(driver, core.link.keys());
                // Its next round says it.
                core.link.network_changed(now);
            }
        });
    }

    /// A link came up: if we were invited we were let in, and keep in mind who did so.
    pub(crate) fn keep_issuer(&self, driver: &LinkDriver, keys: &KeySet) {
        if !driver.credentials().take_invite() {
            return;
        }
        let mut issuer = LinkJson::named(driver.hashname());
        issuer.keys = keys.clone();
        let targets = driver.targets().into_iter();
        issuer.paths.extend(targets.map(|target| target.path));
        if let Err(error) = self.known.remember_issuer(issuer) {
            tracing::warn!(%error, "who invited us cannot be remembered");
        }
        // The invite is spent: without this we could not come back.
        self.lifecycle.save_at_once();
    }
}

/// `{"type":"uri","uri":"link:///?inv=…"}`: no more of the URI than its secret.
pub(crate) fn uri_message(secret: &Secret) -> HandshakeMessage {
    let uri = LinkUri::new().with_invite(secret);
    saying(&uri.expect("a URI with nothing but an invite is short"))
}

/// The `uri` message with this URI.
pub(crate) fn saying(uri: &LinkUri) -> HandshakeMessage {
    let mut message = HandshakeMessage::new(Kind::Uri, 1);
    message.extra.insert("uri".into(), uri.to_string().into());
    message
}

pub(crate) fn uri_of(round: &MessageSet) -> Option<&HandshakeMessage> {
    let mut messages = round.messages().iter();
    messages.find(|message| message.kind == Kind::Uri)
}

/// The URI in a `uri` message, if it is one.
pub(crate) fn said_in(message: &HandshakeMessage) -> Option<LinkUri> {
    LinkUri::parse_strict(message.extra.get("uri")?.as_str()?).ok()
}

fn secret_in(message: &HandshakeMessage) -> Option<Secret> {
    said_in(message)?.invite()
}

/// Who presented invites that were not good. To present the same one again is no further guess.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<VecDeque<Guesser>>);

#[derive(Debug)]
struct Guesser {
    hashname: Hashname,
    since: Instant,
    wrong: u32,
    last: Secret,
}

impl Guesses {
    fn admits(&self, now: Instant, hashname: &Hashname) -> bool {
        let mut guessers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guessers.retain(|guesser| guesser.since + WRONG_INVITES_PERIOD > now);
        let mut guessers = guessers.iter();
        guessers
            .find(|guesser| guesser.hashname == *hashname)
            .is_none_or(|guesser| guesser.wrong < MAX_WRONG_INVITES)
    }

    fn failed(&self, now: Instant, hashname: Hashname, secret: Secret) {
        let mut guessers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = guessers.iter_mut();
        if let Some(guesser) = known.find(|guesser| guesser.hashname == hashname) {
            guesser.wrong += u32::from(guesser.last != secret);
            guesser.last = secret;
            return;
        }
        if guessers.len() >= MAX_GUESSERS {
            guessers.pop_front();
        }
        guessers.push_back(Guesser {
            hashname,
            since: now,
            wrong: 1,
            last: secret,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_micros(1);

    fn hashname(number: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Hashname::from_bytes(bytes)
    }

    fn secret(number: u32) -> Secret {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Secret::from_bytes(bytes)
    }

    #[test]
    fn eight_wrong_invites_are_enough_for_an_hour_and_harm_nobody_else() {
        let guesses = Guesses::default();
        for number in 0..MAX_WRONG_INVITES {
            assert!(guesses.admits(START, &hashname(1)), "{number}");
            guesses.failed(START, hashname(1), secret(number));
            guesses.failed(START, hashname(1), secret(number));
        }
        assert!(!guesses.admits(START, &hashname(1)));
        assert!(guesses.admits(START, &hashname(2)));
        assert!(guesses.admits(START + WRONG_INVITES_PERIOD, &hashname(1)));
    }

    #[test]
    fn one_guesser_more_than_the_limit_pushes_out_the_oldest() {
        let guesses = Guesses::default();
        for number in 0..=MAX_GUESSERS {
            guesses.failed(START, hashname(number), secret(1));
        }
        let guessers = guesses.0.lock().unwrap();
        assert_eq!(guessers.len(), MAX_GUESSERS);
        assert_eq!(guessers[0].hashname, hashname(1));
    }

    #[test]
    fn the_message_says_no_more_of_the_uri_than_its_secret() {
        let message = uri_message(&secret(7));
        assert_eq!(secret_in(&message), Some(secret(7)));
        let said = message.extra["uri"].as_str().unwrap();
        assert_eq!(said, format!("link:///?inv={}", secret(7).to_text()));
    }
}
