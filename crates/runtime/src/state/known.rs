//! Known links: whom this endpoint has met or been told of, and what it makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use telehash_hashname::{Hashname, LinkJson};
use telehash_uri::Issued;
use tokio::sync::Notify;

use super::KnownLinkError;
use super::invites::Grant;
use crate::limits::{MAX_ALIAS, MAX_INVITES, MAX_KNOWN_LINKS, MAX_REMEMBERED_AT};

/// Fewest characters that [`KnownLinks::find`] takes as the beginning of a hashname.
const MIN_PREFIX: usize = 4;

/// What the owner of this endpoint makes of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Known, no more: the accept policy decides as for a stranger.
    #[default]
    Unknown,
    /// May link to us.
    Trusted,
    /// Never gets an answer, whatever the accept policy.
    Blocked,
}

/// One known link.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KnownLink {
    /// What its owner calls it.
    pub alias: Option<String>,
    /// Whether it may link to us.
    pub trust: Trust,
    /// Whether it is asked to route for us.
    pub router: bool,
    /// Hashname, keys and paths, as far as known.
    pub link: LinkJson,
    /// Highest `at` of handshakes with it (links.md, `at`), or 0.
    pub at: u64,
    /// Fields of the file that this version does not know, kept as they came.
    pub(super) extra: Map<String, Value>,
}

impl KnownLink {
    /// A link that nothing is known of but its description.
    #[must_use]
    pub fn new(link: LinkJson) -> Self {
        Self {
            alias: None,
            trust: Trust::Unknown,
            router: false,
            link,
            at: 0,
            extra: Map::new(),
        }
    }
}

/// The table of known links; shared by everyone who asks. Changes are written to the state
/// directory, if the endpoint has one, shortly afterwards and when it closes.
#[derive(Debug, Default)]
pub struct KnownLinks {
    table: Mutex<Table>,
    pub(super) changed: Notify,
    /// Counts changes of who is trusted or invited.
    pub(super) trust_version: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) links: BTreeMap<Hashname, KnownLink>,
    /// Highest `at` of endpoints that are no known links.
    pub(super) seen: BTreeMap<Hashname, u64>,
    /// Each with what whoever redeems it will be called.
    pub(super) invites: Issued<Grant>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            links: BTreeMap::new(),
            seen: BTreeMap::new(),
            invites: Issued::new(MAX_INVITES),
        }
    }
}

impl KnownLinks {
    pub(super) fn from_table(table: Table) -> Self {
        Self {
            table: Mutex::new(table),
            ..Self::default()
        }
    }

    /// What is known of an endpoint.
    #[must_use]
    pub fn get(&self, hashname: &Hashname) -> Option<KnownLink> {
        self.table().links.get(hashname).cloned()
    }

    /// All of them, by hashname.
    #[must_use]
    pub fn all(&self) -> Vec<KnownLink> {
        self.table().links.values().cloned().collect()
    }

    /// Who is marked as a router.
    #[must_use]
    pub fn routers(&self) -> BTreeSet<Hashname> {
        let table = self.table();
        let routers = table.links.iter().filter(|(_, known)| known.router);
        routers.map(|(hashname, _)| *hashname).collect()
    }

    /// Whether the endpoint may link to us.
    #[must_use]
    pub fn trust(&self, hashname: &Hashname) -> Trust {
        self.table()
            .links
            .get(hashname)
            .map_or(Trust::Unknown, |known| known.trust)
    }

    /// Who is meant: an alias, a hashname, or the beginning of exactly one known hashname.
    ///
    /// # Errors
    /// [`KnownLinkError::Unknown`] or [`KnownLinkError::Ambiguous`].
    pub fn find(&self, name: &str) -> Result<Hashname, KnownLinkError> {
        let table = self.table();
        if let Some(hashname) = table.owner_of(name) {
            return Ok(hashname);
        }
        if let Ok(hashname) = name.parse() {
            return Ok(hashname);
        }
        let lower = name.to_ascii_lowercase();
        let begins = |hashname: &&Hashname| hashname.to_string().starts_with(&lower);
        let found: Vec<_> = table.links.keys().filter(begins).copied().collect();
        match found[..] {
            [hashname] if name.len() >= MIN_PREFIX => Ok(hashname),
            [_, _, ..] if name.len() >= MIN_PREFIX => Err(KnownLinkError::Ambiguous {
                name: name.into(),
                count: found.len(),
            }),
            _ => Err(KnownLinkError::Unknown { name: name.into() }),
        }
    }

    /// Adds an endpoint, or adds keys and replaces the paths of one that is known.
    ///
    /// # Errors
    /// [`KnownLinkError::Full`].
    pub fn remember(&self, link: LinkJson) -> Result<(), KnownLinkError> {
        self.change(link.hashname, |known| {
            // Both sets match the hashname, so they cannot contradict each other.
            let _ = known.link.keys.merge(&link.keys);
            if !link.paths.is_empty() {
                known.link.paths = link.paths;
            }
        })
    }

    /// Trusts or blocks an endpoint; makes it a known one.
    ///
    /// # Errors
    /// [`KnownLinkError::Full`].
    pub fn set_trust(&self, hashname: Hashname, trust: Trust) -> Result<(), KnownLinkError> {
        self.change(hashname, |known| known.trust = trust)?;
        self.trust_version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Marks an endpoint as a router, or no longer; makes it a known one.
    ///
    /// # Errors
    /// [`KnownLinkError::Full`].
    pub fn set_router(&self, hashname: Hashname, router: bool) -> Result<(), KnownLinkError> {
        self.change(hashname, |known| known.router = router)
    }

    /// Calls an endpoint something, or nothing; makes it a known one.
    ///
    /// # Errors
    /// [`KnownLinkError::BadAlias`], [`KnownLinkError::AliasTaken`], [`KnownLinkError::Full`].
    pub fn set_alias(&self, hashname: Hashname, alias: Option<&str>) -> Result<(), KnownLinkError> {
        let bad = alias.filter(|alias| !is_alias(alias));
        if let Some(alias) = bad.map(str::to_owned) {
            return Err(KnownLinkError::BadAlias { alias });
        }
        let mut table = self.table();
        let owner = alias.and_then(|alias| Some((alias, table.owner_of(alias)?)));
        if let Some((alias, owner)) = owner.filter(|(_, owner)| *owner != hashname) {
            let alias = alias.to_owned();
            return Err(KnownLinkError::AliasTaken { alias, owner });
        }
        // Under the lock under which it was looked for.
        table.entry(hashname)?.alias = alias.map(str::to_owned);
        drop(table);
        self.changed.notify_one();
        Ok(())
    }

    /// Forgets an endpoint. Whether it was known.
    pub fn remove(&self, hashname: &Hashname) -> bool {
        let removed = self.table().links.remove(hashname).is_some();
        if removed {
            self.trust_version.fetch_add(1, Ordering::Release);
            self.changed.notify_one();
        }
        removed
    }

    /// Everybody who may link to us.
    pub(crate) fn trusted(&self) -> Vec<Hashname> {
        let trusted = |(hashname, known): (&Hashname, &KnownLink)| {
            (known.trust == Trust::Trusted).then_some(*hashname)
        };
        self.table().links.iter().filter_map(trusted).collect()
    }

    /// Changes whenever [`trusted`](Self::trusted) or [`has_invites`](Self::has_invites) may have.
    pub(crate) fn trust_version(&self) -> u64 {
        self.trust_version.load(Ordering::Acquire)
    }

    /// The highest `at` ever used with this endpoint, or 0.
    pub(crate) fn at(&self, hashname: &Hashname) -> u64 {
        let table = self.table();
        let known = table.links.get(hashname).map(|known| known.at);
        known.max(table.seen.get(hashname).copied()).unwrap_or(0)
    }

    pub(crate) fn remember_at(&self, hashname: Hashname, at: u64) {
        self.table().remember_at(hashname, at);
        self.changed.notify_one();
    }

    /// Completes after the next change, or at once if there was one since it last completed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // Every change below is complete before it can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        hashname: Hashname,
        change: impl FnOnce(&mut KnownLink),
    ) -> Result<(), KnownLinkError> {
        change(self.table().entry(hashname)?);
        self.changed.notify_one();
        Ok(())
    }
}

impl Table {
    pub(super) fn entry(&mut self, hashname: Hashname) -> Result<&mut KnownLink, KnownLinkError> {
        if self.links.len() >= MAX_KNOWN_LINKS && !self.links.contains_key(&hashname) {
            return Err(KnownLinkError::Full);
        }
        let at = self.seen.remove(&hashname).unwrap_or(0);
        let known = self
            .links
            .entry(hashname)
            .or_insert_with(|| KnownLink::new(LinkJson::named(hashname)));
        known.at = known.at.max(at);
        Ok(known)
    }

    pub(super) fn remember_at(&mut self, hashname: Hashname, at: u64) {
        if let Some(known) = self.links.get_mut(&hashname) {
            known.at = known.at.max(at);
            return;
        }
        if self.seen.len() >= MAX_REMEMBERED_AT && !self.seen.contains_key(&hashname) {
            let lowest = self
                .seen
                .iter()
                .min_by_key(|(_, at)| **at)
                .map(|(hashname, _)| *hashname);
            if let Some(lowest) = lowest {
                self.seen.remove(&lowest);
            }
        }
        let highest = self.seen.entry(hashname).or_default();
        *highest = at.max(*highest);
    }

    pub(super) fn owner_of(&self, alias: &str) -> Option<Hashname> {
        let called = |(hashname, known): (&Hashname, &KnownLink)| {
            (known.alias.as_deref() == Some(alias)).then_some(*hashname)
        };
        self.links.iter().find_map(called)
    }
}

/// An alias is never mistaken for a hashname, a URI, a link JSON, a file or an option.
pub(super) fn is_alias(alias: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_ALIAS).contains(&alias.len())
        && alias.chars().all(allowed)
        && alias.starts_with(char::is_alphanumeric)
        && alias.parse::<Hashname>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashname(first: u8, second: u8) -> Hashname {
        let mut bytes = [0; 32];
        (bytes[0], bytes[1]) = (first, second);
        Hashname::from_bytes(bytes)
    }

    fn numbered(number: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Hashname::from_bytes(bytes)
    }

    #[test]
    fn a_link_is_found_by_alias_hashname_and_unique_prefix() {
        let known = KnownLinks::default();
        let (ann, bob) = (hashname(1, 0), hashname(0xff, 0));
        known.set_alias(ann, Some("ann")).unwrap();
        known.set_trust(bob, Trust::Trusted).unwrap();
        assert_eq!(known.find("ann"), Ok(ann));
        assert_eq!(known.find(&ann.to_string()), Ok(ann));
        assert_eq!(known.find(&bob.to_string()[..6]), Ok(bob));
        assert_eq!(known.find(&bob.to_string()[..6].to_uppercase()), Ok(bob));
        assert!(matches!(
            known.find("nobody"),
            Err(KnownLinkError::Unknown { .. })
        ));
        assert!(matches!(
            known.find(&bob.to_string()[..3]),
            Err(KnownLinkError::Unknown { .. })
        ));
    }

    #[test]
    fn a_prefix_of_two_hashnames_is_ambiguous() {
        let known = KnownLinks::default();
        for last in 0..2 {
            let mut bytes = [9; 32];
            bytes[31] = last;
            known.set_router(Hashname::from_bytes(bytes), true).unwrap();
        }
        let prefix = &Hashname::from_bytes([9; 32]).to_string()[..8];
        assert!(matches!(
            known.find(prefix),
            Err(KnownLinkError::Ambiguous { count: 2, .. })
        ));
    }

    #[test]
    fn an_alias_has_one_owner_and_cannot_be_mistaken_for_anything_else() {
        let known = KnownLinks::default();
        let (ann, bob) = (hashname(1, 0), hashname(2, 0));
        known.set_alias(ann, Some("home")).unwrap();
        known.set_alias(ann, Some("home")).unwrap();
        assert!(matches!(
            known.set_alias(bob, Some("home")),
            Err(KnownLinkError::AliasTaken { .. })
        ));
        let (long, longest) = ("a".repeat(MAX_ALIAS + 1), "a".repeat(MAX_ALIAS));
        for bad in [
            "",
            "@file",
            "{}",
            "link://x",
            "-v",
            "a b",
            &long,
            &ann.to_string(),
        ] {
            assert!(
                matches!(
                    known.set_alias(bob, Some(bad)),
                    Err(KnownLinkError::BadAlias { .. })
                ),
                "{bad}"
            );
        }
        known.set_alias(bob, Some(&longest)).unwrap();
    }

    #[test]
    fn of_many_that_are_called_the_same_at_once_one_is() {
        for round in 0..20 {
            let known = KnownLinks::default();
            let barrier = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for number in 0..8 {
                    let (known, barrier) = (&known, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let _ = known.set_alias(numbered(number), Some("home"));
                    });
                }
            });
            let called = known
                .all()
                .into_iter()
                .filter(|known| known.alias.is_some());
            assert_eq!(called.count(), 1, "{round}");
        }
    }

    #[test]
    fn the_table_refuses_more_than_its_limit() {
        let known = KnownLinks::default();
        for number in 0..MAX_KNOWN_LINKS {
            known.set_trust(numbered(number), Trust::Trusted).unwrap();
        }
        assert_eq!(
            known.set_trust(numbered(MAX_KNOWN_LINKS), Trust::Trusted),
            Err(KnownLinkError::Full)
        );
        known.set_trust(numbered(0), Trust::Blocked).unwrap();
    }

    #[test]
    fn the_highest_at_is_kept_for_known_links_and_for_the_newest_others() {
        let known = KnownLinks::default();
        let friend = hashname(0xff, 1);
        known.set_trust(friend, Trust::Trusted).unwrap();
        known.remember_at(friend, 70);
        known.remember_at(friend, 60);
        assert_eq!(known.at(&friend), 70);
        for number in 0..=MAX_REMEMBERED_AT {
            known.remember_at(numbered(number), 100 + number as u64);
        }
        assert_eq!(known.table().seen.len(), MAX_REMEMBERED_AT);
        assert_eq!(known.at(&numbered(0)), 0, "the lowest made room");
        assert_eq!(
            known.at(&numbered(MAX_REMEMBERED_AT)),
            100 + MAX_REMEMBERED_AT as u64
        );
        known.set_trust(numbered(5), Trust::Trusted).unwrap();
        assert_eq!(
            known.get(&numbered(5)).unwrap().at,
            105,
            "a stranger that becomes known keeps its `at`"
        );
    }
}
