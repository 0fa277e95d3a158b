//! Invites that were issued and are not spent (uri.md, "Invite").

use std::sync::atomic::Ordering;

use telehash_hashname::{Hashname, LinkJson};
use telehash_uri::{Fragment, Secret, Terms};

use super::known::{KnownLinks, Table, Trust, is_alias};
use super::{KnownLink, KnownLinkError};

/// An invite that can still be redeemed, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenInvite {
    /// The first characters of its secret, by which it is revoked.
    pub handle: String,
    /// When it expires, in seconds since 1970.
    pub expires: Option<u64>,
    /// How often it can still be redeemed.
    pub uses: Option<u32>,
    /// What whoever redeems it will be called.
    pub alias: Option<String>,
    /// The router through which it leads to us; none if it is an invite.
    pub through: Option<Hashname>,
}

/// What goes with a secret that was given out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    /// What whoever redeems it will be called.
    pub(crate) alias: Option<String>,
    /// It is the custom part of a URI of this router; none if it is an invite.
    pub(crate) through: Option<Hashname>,
}

impl KnownLinks {
    /// The invites that were issued and are neither spent nor expired at `unix`, in seconds since
    /// 1970; the oldest first.
    #[must_use]
    pub fn invites(&self, unix: u64) -> Vec<OpenInvite> {
        let table = self.table();
        let entries = table.invites.iter();
        entries
            .filter(|entry| entry.terms.expires.is_none_or(|expires| unix < expires))
            .map(|entry| OpenInvite {
                handle: entry.secret.handle(),
                expires: entry.terms.expires,
                uses: entry.terms.uses,
                alias: entry.value.alias.clone(),
                through: entry.value.through,
            })
            .collect()
    }

    /// Takes back every invite whose secret begins with `handle`; the empty text takes back all.
    /// How many there were.
    pub fn revoke_invites(&self, handle: &str) -> usize {
        let handle = handle.to_ascii_lowercase();
        let mut table = self.table();
        let begins = |secret: &Secret| secret.to_text().starts_with(&handle);
        let entries = table.invites.iter().map(|entry| entry.secret.clone());
        let revoked: Vec<Secret> = entries.filter(begins).collect();
        for secret in &revoked {
            table.invites.revoke(secret);
        }
        drop(table);
        self.guests_changed();
        revoked.len()
    }

    pub(crate) fn issue_invite(
        &self,
        unix: u64,
        secret: Secret,
        terms: Terms,
        grant: Grant,
    ) -> Result<(), KnownLinkError> {
        if let Some(alias) = grant.alias.as_ref().filter(|alias| !is_alias(alias)) {
            return Err(KnownLinkError::BadAlias {
                alias: alias.clone(),
            });
        }
        self.table().invites.issue(unix, secret, terms, grant);
        self.guests_changed();
        Ok(())
    }

    /// Whether there are invites that may be redeemed.
    pub(crate) fn has_invites(&self) -> bool {
        !self.table().invites.is_empty()
    }

    /// Spends an invite on `guest`, who becomes a known and trusted link. Whether it was good.
    pub(crate) fn redeem_invite(&self, unix: u64, secret: &Secret, guest: LinkJson) -> bool {
        let mut table = self.table();
        let expired = table.invites.expire(unix);
        let redeemed = table.redeem(unix, secret, guest);
        drop(table);
        if redeemed || expired {
            self.guests_changed();
        }
        redeemed
    }

    /// The custom part of the shared URI with this fragment, if that is good now. All are looked at,
    /// wherever it is.
    pub(crate) fn find_share(
        &self,
        unix: u64,
        own: &Hashname,
        offered: &Fragment,
    ) -> Option<(Secret, Fragment)> {
        let table = self.table();
        let mut found = None;
        for entry in table.invites.iter() {
            // 16 bytes can always be a custom part.
            let Ok(whole) = Fragment::new(own, entry.secret.as_bytes()) else {
                continue;
            };
            if entry.value.through.is_some() && offered.is_answered_by(&whole, own) {
                found = Some((entry.secret.clone(), whole));
            }
        }
        found.filter(|(secret, _)| table.invites.look_up(unix, secret).is_some())
    }

    /// Spends a shared URI on somebody who presented it. What that one is to be called, if it is good.
    pub(crate) fn spend_share(&self, unix: u64, secret: &Secret) -> Option<Grant> {
        let mut table = self.table();
        let is_share = |grant: &Grant| grant.through.is_some();
        table
            .invites
            .look_up(unix, secret)
            .filter(|grant| is_share(grant))?;
        let grant = table.invites.redeem(unix, secret);
        drop(table);
        self.guests_changed();
        grant
    }

    /// Whoever was let in by a shared URI proved who it is, and becomes a known and trusted link.
    pub(crate) fn befriend_guest(
        &self,
        guest: LinkJson,
        grant: Grant,
    ) -> Result<(), KnownLinkError> {
        self.table().befriend(guest, grant)?;
        self.guests_changed();
        Ok(())
    }

    /// The issuer of an invite that we redeemed becomes a known and trusted link, unless it is
    /// blocked.
    pub(crate) fn remember_issuer(&self, issuer: LinkJson) -> Result<(), KnownLinkError> {
        self.table().entry(issuer.hashname)?.befriend(issuer);
        self.guests_changed();
        Ok(())
    }

    fn guests_changed(&self) {
        self.trust_version.fetch_add(1, Ordering::Release);
        self.changed.notify_one();
    }
}

impl Table {
    /// All or nothing: where there is no room for the guest the invite stays good.
    fn redeem(&mut self, unix: u64, secret: &Secret, guest: LinkJson) -> bool {
        let hashname = guest.hashname;
        let is_invite = |grant: &&Grant| grant.through.is_none();
        let invite = self.invites.look_up(unix, secret).filter(is_invite);
        if invite.is_none() || self.entry(hashname).is_err() {
            return false;
        }
        let grant = self.invites.redeem(unix, secret);
        grant.is_some_and(|grant| self.befriend(guest, grant).is_ok())
    }

    fn befriend(&mut self, guest: LinkJson, grant: Grant) -> Result<(), KnownLinkError> {
        let is_free = |alias: &String| self.owner_of(alias).is_none();
        let alias = grant.alias.filter(is_free);
        let known = self.entry(guest.hashname)?;
        known.befriend(guest);
        known.alias = known.alias.take().or(alias);
        Ok(())
    }
}

impl KnownLink {
    fn befriend(&mut self, link: LinkJson) {
        // Both sets match the hashname, so they cannot contradict each other.
        let _ = self.link.keys.merge(&link.keys);
        if !link.paths.is_empty() {
            self.link.paths = link.paths;
        }
        if self.trust != Trust::Blocked {
            self.trust = Trust::Trusted;
        }
    }
}

#[cfg(test)]
mod tests {
    use telehash_hashname::{Csid, KeySet};

    use super::*;
    use crate::limits::{MAX_INVITES, MAX_KNOWN_LINKS};

    fn secret(number: usize) -> Secret {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Secret::from_bytes(bytes)
    }

    fn guest(number: u8) -> LinkJson {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS3A, vec![number; 32]).unwrap();
        LinkJson::new(keys).unwrap()
    }

    fn called(alias: &str) -> Grant {
        Grant {
            alias: Some(alias.into()),
            through: None,
        }
    }

    fn with_invite(alias: &str) -> KnownLinks {
        let known = KnownLinks::default();
        let terms = Terms::once_until(200);
        known
            .issue_invite(100, secret(1), terms, called(alias))
            .unwrap();
        known
    }

    #[test]
    fn whoever_redeems_an_invite_is_known_trusted_and_called_as_it_says() {
        let known = with_invite("bob");
        assert!(known.redeem_invite(150, &secret(1), guest(1)));
        let bob = known.get(&guest(1).hashname).unwrap();
        assert_eq!(
            (bob.trust, bob.alias.as_deref()),
            (Trust::Trusted, Some("bob"))
        );
        assert!(!known.redeem_invite(150, &secret(1), guest(2)), "spent");
        assert_eq!(known.all().len(), 1);
        assert!(!known.has_invites());
    }

    #[test]
    fn a_wrong_or_late_invite_leaves_no_trace() {
        let known = with_invite("bob");
        assert!(!known.redeem_invite(150, &secret(2), guest(1)));
        assert_eq!(known.invites(199).len(), 1);
        assert!(known.invites(200).is_empty());
        assert!(!known.redeem_invite(200, &secret(1), guest(1)));
        assert!(known.all().is_empty());
        assert!(!known.has_invites(), "forgotten");
    }

    #[test]
    fn an_alias_that_is_taken_stays_with_its_owner() {
        let known = with_invite("bob");
        known.set_alias(guest(9).hashname, Some("bob")).unwrap();
        assert!(known.redeem_invite(150, &secret(1), guest(1)));
        assert_eq!(known.get(&guest(1).hashname).unwrap().alias, None);
        assert_eq!(known.find("bob"), Ok(guest(9).hashname));
    }

    #[test]
    fn an_invite_is_revoked_by_the_beginning_of_its_secret() {
        let known = with_invite("bob");
        let handle = known.invites(100)[0].handle.clone();
        assert_eq!(known.revoke_invites("zzzz"), 0);
        assert_eq!(known.revoke_invites(&handle), 1);
        assert!(!known.redeem_invite(150, &secret(1), guest(1)));
    }

    #[test]
    fn one_invite_more_than_the_limit_pushes_out_the_one_that_expires_first() {
        let known = KnownLinks::default();
        for number in 0..=MAX_INVITES {
            let terms = Terms::once_until(1000 + number as u64);
            known
                .issue_invite(100, secret(number), terms, Grant::default())
                .unwrap();
        }
        assert_eq!(known.invites(100).len(), MAX_INVITES);
        assert!(!known.redeem_invite(150, &secret(0), guest(1)));
        assert!(known.redeem_invite(150, &secret(1), guest(1)));
    }

    #[test]
    fn an_invite_is_not_spent_on_a_guest_for_whom_there_is_no_room() {
        let known = with_invite("bob");
        {
            let mut table = known.table();
            for number in 0..MAX_KNOWN_LINKS {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&number.to_be_bytes());
                table.entry(Hashname::from_bytes(bytes)).unwrap();
            }
        }
        assert!(!known.redeem_invite(150, &secret(1), guest(1)));
        assert!(known.has_invites());
    }

    #[test]
    fn a_shared_uri_is_found_by_its_fragment_and_is_no_invite() {
        let (known, own) = (KnownLinks::default(), Hashname::from_bytes([4; 32]));
        let grant = Grant {
            through: Some(Hashname::from_bytes([5; 32])),
            ..called("bob")
        };
        let terms = Terms::once_until(200);
        known
            .issue_invite(100, secret(1), terms, grant.clone())
            .unwrap();
        known
            .issue_invite(100, secret(2), terms, called("ann"))
            .unwrap();
        let fragment = |number| Fragment::new(&own, secret(number).as_bytes()).unwrap();
        let found = |offered: &Fragment| known.find_share(150, &own, offered).map(|(one, _)| one);
        assert_eq!(found(&fragment(1)), Some(secret(1)));
        assert_eq!(found(&fragment(1).digest_only()), Some(secret(1)));
        assert_eq!(found(&fragment(2)), None, "an invite");
        assert_eq!(found(&fragment(3)), None, "nobody's");
        assert_eq!(known.find_share(200, &own, &fragment(1)), None, "late");
        assert!(!known.redeem_invite(150, &secret(1), guest(1)), "no invite");
        assert_eq!(known.spend_share(150, &secret(2)), None, "no share");
        assert_eq!(known.spend_share(150, &secret(1)), Some(grant.clone()));
        assert_eq!(known.spend_share(150, &secret(1)), None, "spent");
        assert_eq!(found(&fragment(1)), None, "spent");
        known.befriend_guest(guest(1), grant).unwrap();
        assert_eq!(known.find("bob"), Ok(guest(1).hashname));
        assert_eq!(known.trust(&guest(1).hashname), Trust::Trusted);
    }
}
