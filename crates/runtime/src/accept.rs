//! Who may link to us (links.md, "Trust: silence is the default").

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures::future::BoxFuture;
use telehash_hashname::{Csid, Hashname, KeySet, Path};
use telehash_link::{MessageSet, Welcome};

use crate::limits::MAX_PENDING_DECISIONS;
use crate::state::{KnownLinks, Trust};

/// Who may link to us without our asking. Whoever may not gets no answer at all.
///
/// In every policy a [blocked](Trust::Blocked) endpoint is refused, one on the allow list is
/// accepted, and the endpoints that we link to ourselves are no strangers. In every policy but
/// [`Accept::None`] whoever presents an invite of ours ([`Mesh::invite`](crate::Mesh::invite)) is
/// accepted, and trusted from then on.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Accept {
    /// Nobody else.
    None,
    /// Known links that are [trusted](Trust::Trusted).
    #[default]
    Known,
    /// These, and whoever this callback accepts; see [`Accept::ask`].
    Ask(AcceptFn),
    /// Everybody.
    All,
}

/// Decides about a stranger; made by [`Accept::ask`].
#[derive(Clone)]
pub struct AcceptFn(Arc<dyn Fn(Stranger) -> BoxFuture<'static, Decision> + Send + Sync>);

/// An endpoint that asks for a link. It proved its identity, unless it was only introduced.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stranger {
    /// Who it is: verified, or what the keys add up to.
    pub hashname: Hashname,
    /// Its keys and intermediates.
    pub keys: KeySet,
    /// The cipher set of its handshake.
    pub csid: Csid,
    /// Where it came from, as its transport describes it.
    pub path: Option<Path>,
    /// Its handshake, with whatever it sent beside its keys: `jwt`, `uri`, messages of the
    /// application.
    pub round: MessageSet,
    /// A router introduced it: the keys are what it says, and nobody has proved to hold them. The
    /// answer is a handshake that nobody else can use.
    pub introduced: bool,
}

/// What becomes of a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It becomes a link.
    Accept,
    /// It gets no answer. It may ask again.
    Refuse,
}

impl Accept {
    /// Asks the application about each stranger that is not trusted anyway.
    ///
    /// The callback runs in a task of its own. At most
    /// [`MAX_PENDING_DECISIONS`] are pending; a stranger
    /// beyond them, one about whom a decision is pending, and one that is not decided within
    /// [`DECISION_TIMEOUT`](crate::limits::DECISION_TIMEOUT) is refused. A panic refuses.
    ///
    /// ```
    /// use telehash_runtime::{Accept, Decision, Mesh, Stranger};
    ///
    /// let colleagues = |stranger: Stranger| async move {
    ///     println!("{} asks for a link", stranger.hashname);
    ///     Decision::Refuse
    /// };
    /// let builder = Mesh::builder().accept(Accept::ask(colleagues));
    /// # drop(builder);
    /// ```
    pub fn ask<F, Fut>(decide: F) -> Self
    where
        F: Fn(Stranger) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Decision> + Send + 'static,
    {
        Self::Ask(AcceptFn(Arc::new(move |stranger| {
            Box::pin(decide(stranger))
        })))
    }
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Known => "Known",
            Self::Ask(_) => "Ask(..)",
            Self::All => "All",
        })
    }
}

impl fmt::Debug for AcceptFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcceptFn(..)")
    }
}

impl AcceptFn {
    pub(crate) fn decide(&self, stranger: Stranger) -> BoxFuture<'static, Decision> {
        (self.0)(stranger)
    }
}

/// The policy at work.
#[derive(Debug)]
pub(crate) struct Door {
    policy: Accept,
    allowed: RwLock<BTreeSet<Hashname>>,
    /// Counts changes of the allow list.
    version: AtomicU64,
    /// What the endpoint was last told.
    told: Mutex<Option<(u64, u64)>>,
    /// Strangers may come with URIs: to a router that gave some out, or with the answer to one.
    hears_uris: AtomicBool,
    deciding: Mutex<HashSet<Hashname>>,
    /// Whom routers are asked for now.
    sought: Mutex<Vec<Hashname>>,
}

/// As long as it lives an endpoint is sought.
pub(crate) struct Sought<'a>(&'a Door, Hashname);

/// What to do with a stranger.
#[derive(Debug)]
pub(crate) enum Verdict {
    Accept,
    Ask(AcceptFn),
    Refuse,
}

impl Drop for Sought<'_> {
    fn drop(&mut self) {
        let mut sought = self.0.sought();
        if let Some(at) = sought.iter().position(|name| *name == self.1) {
            sought.swap_remove(at);
        }
    }
}

impl Door {
    pub(crate) fn new(policy: Accept, allowed: BTreeSet<Hashname>) -> Self {
        Self {
            policy,
            allowed: RwLock::new(allowed),
            version: AtomicU64::new(0),
            told: Mutex::new(None),
            hears_uris: AtomicBool::new(false),
            deciding: Mutex::default(),
            sought: Mutex::default(),
        }
    }

    pub(crate) fn allow(&self, hashname: Hashname) {
        self.allowed
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hashname);
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn verdict(&self, hashname: &Hashname, known: &KnownLinks) -> Verdict {
        let trust = known.trust(hashname);
        if trust == Trust::Blocked {
            return Verdict::Refuse;
        }
        if self.is_allowed(hashname) {
            return Verdict::Accept;
        }
        match &self.policy {
            Accept::All => Verdict::Accept,
            Accept::Known | Accept::Ask(_) if trust == Trust::Trusted => Verdict::Accept,
            Accept::Ask(callback) => Verdict::Ask(callback.clone()),
            Accept::None | Accept::Known => Verdict::Refuse,
        }
    }

    /// From now on strangers that come with a URI are looked at.
    pub(crate) fn hear_uris(&self) {
        if !self.hears_uris.swap(true, Ordering::AcqRel) {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// Whether an invite lets anybody in.
    pub(crate) fn takes_invites(&self) -> bool {
        !matches!(self.policy, Accept::None)
    }

    /// Whom the endpoint should let in to authentication, if that changed since the last call: it
    /// drops others before it spends public-key work on them.
    pub(crate) fn news(&self, known: &KnownLinks) -> Option<Welcome> {
        let versions = (self.version.load(Ordering::Acquire), known.trust_version());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == Some(versions) {
            return None;
        }
        *told = Some(versions);
        Some(match &self.policy {
            Accept::All | Accept::Ask(_) => Welcome::Anyone,
            Accept::None => self.expecting(self.allowed_set(), false),
            Accept::Known => {
                let mut expected = self.allowed_set();
                expected.extend(known.trusted());
                self.expecting(expected, known.has_invites())
            }
        })
    }

    fn expecting(&self, expected: BTreeSet<Hashname>, invited: bool) -> Welcome {
        match invited || self.hears_uris.load(Ordering::Acquire) {
            true => Welcome::Invited(expected),
            false => Welcome::Only(expected),
        }
    }

    /// Reserves a decision about this stranger, unless one is pending or too many are.
    pub(crate) fn start_decision(&self, hashname: Hashname) -> bool {
        let mut deciding = self.deciding();
        deciding.len() < MAX_PENDING_DECISIONS && deciding.insert(hashname)
    }

    /// Routers are asked for this endpoint, which then answers us.
    pub(crate) fn seek(&self, hashname: Hashname) -> Sought<'_> {
        self.sought().push(hashname);
        Sought(self, hashname)
    }

    #[cfg(feature = "jwt")]
    pub(crate) fn is_sought(&self, hashname: &Hashname) -> bool {
        self.sought().contains(hashname)
    }

    fn sought(&self) -> MutexGuard<'_, Vec<Hashname>> {
        self.sought.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn end_decision(&self, hashname: &Hashname) {
        self.deciding().remove(hashname);
    }

    pub(crate) fn is_allowed(&self, hashname: &Hashname) -> bool {
        self.allowed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(hashname)
    }

    fn allowed_set(&self) -> BTreeSet<Hashname> {
        self.allowed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn deciding(&self) -> MutexGuard<'_, HashSet<Hashname>> {
        self.deciding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashname(number: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Hashname::from_bytes(bytes)
    }

    fn accepts(policy: Accept, who: usize) -> bool {
        let known = KnownLinks::default();
        known.set_trust(hashname(1), Trust::Trusted).unwrap();
        known.set_trust(hashname(2), Trust::Blocked).unwrap();
        let door = Door::new(policy, BTreeSet::from([hashname(3), hashname(2)]));
        matches!(door.verdict(&hashname(who), &known), Verdict::Accept)
    }

    #[test]
    fn each_policy_accepts_whom_it_says() {
        let [trusted, blocked, allowed, stranger] = [1, 2, 3, 4];
        let ask = || Accept::ask(|_| async { Decision::Accept });
        for (policy, accepted) in [
            (Accept::None, vec![allowed]),
            (Accept::Known, vec![trusted, allowed]),
            (ask(), vec![trusted, allowed]),
            (Accept::All, vec![trusted, allowed, stranger]),
        ] {
            for who in [trusted, blocked, allowed, stranger] {
                assert_eq!(
                    accepts(policy.clone(), who),
                    accepted.contains(&who),
                    "{policy:?} {who}"
                );
            }
        }
    }

    #[test]
    fn the_endpoint_is_told_whenever_the_guest_list_changes() {
        let known = KnownLinks::default();
        let door = Door::new(Accept::Known, BTreeSet::new());
        let is = |welcome: Option<Welcome>, expected: &[usize]| {
            let expected: BTreeSet<_> = expected.iter().map(|who| hashname(*who)).collect();
            matches!(welcome, Some(Welcome::Only(set)) if set == expected)
        };
        assert!(is(door.news(&known), &[]));
        assert!(door.news(&known).is_none());
        known.set_trust(hashname(1), Trust::Trusted).unwrap();
        assert!(is(door.news(&known), &[1]));
        door.allow(hashname(2));
        assert!(is(door.news(&known), &[1, 2]));
        known.remove(&hashname(1));
        assert!(is(door.news(&known), &[2]));
        assert!(door.news(&known).is_none());
    }

    #[test]
    fn whoever_may_be_invited_is_listened_to_while_there_are_invites() {
        let known = KnownLinks::default();
        let door = Door::new(Accept::Known, BTreeSet::new());
        assert!(matches!(door.news(&known), Some(Welcome::Only(_))));
        let secret = telehash_uri::Secret::from_bytes([7; 16]);
        let terms = telehash_uri::Terms::once_until(200);
        let grant = crate::state::Grant::default();
        known.issue_invite(100, secret, terms, grant).unwrap();
        assert!(matches!(door.news(&known), Some(Welcome::Invited(_))));
        known.revoke_invites("");
        assert!(matches!(door.news(&known), Some(Welcome::Only(_))));
        door.hear_uris();
        assert!(matches!(door.news(&known), Some(Welcome::Invited(_))));
        door.hear_uris();
        assert!(door.news(&known).is_none());
    }

    #[test]
    fn decisions_are_bounded_and_one_a_stranger() {
        let door = Door::new(Accept::All, BTreeSet::new());
        assert!(door.start_decision(hashname(0)));
        assert!(!door.start_decision(hashname(0)));
        for number in 1..MAX_PENDING_DECISIONS {
            assert!(door.start_decision(hashname(number)));
        }
        assert!(!door.start_decision(hashname(MAX_PENDING_DECISIONS)));
        door.end_decision(&hashname(0));
        assert!(door.start_decision(hashname(MAX_PENDING_DECISIONS)));
    }
}
