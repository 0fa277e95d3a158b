//! The secrets that were given out: invites, a router's sessions, the URIs that a peer shares.

use alloc::vec::Vec;

use subtle::ConstantTimeEq as _;

use crate::Secret;

/// How long and how often a secret is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// When it expires, in seconds since 1970; `None` for never.
    pub expires: Option<u64>,
    /// How often it may still be redeemed; `None` for as often as anyone likes.
    pub uses: Option<u32>,
}

impl Terms {
    /// Good without end.
    pub const UNLIMITED: Self = Self {
        expires: None,
        uses: None,
    };

    /// Good once, until `expires`, in seconds since 1970.
    #[must_use]
    pub const fn once_until(expires: u64) -> Self {
        Self {
            expires: Some(expires),
            uses: Some(1),
        }
    }

    /// The same, good until `expires`, in seconds since 1970.
    #[must_use]
    pub const fn until(mut self, expires: Option<u64>) -> Self {
        self.expires = expires;
        self
    }

    /// The same, good so many times.
    #[must_use]
    pub const fn uses(mut self, uses: Option<u32>) -> Self {
        self.uses = uses;
        self
    }

    fn hold(&self, now: u64) -> bool {
        self.uses != Some(0) && self.expires.is_none_or(|expires| now < expires)
    }
}

/// A bounded table of secrets that were given out, each with a value: whom it is for, or what it is
/// called.
///
/// Time comes from the caller, in seconds since 1970. A look-up compares with every entry, in
/// constant time each, so how long it takes says nothing about what is in the table.
///
/// ```
/// use telehash_uri::{Issued, Secret, Terms};
///
/// let mut invites = Issued::new(8);
/// let secret = Secret::from_bytes([7; 16]);
/// invites.issue(100, secret.clone(), Terms::once_until(200), "bob");
/// assert_eq!(invites.redeem(150, &Secret::from_bytes([8; 16])), None, "guessed");
/// assert_eq!(invites.redeem(150, &secret), Some("bob"));
/// assert_eq!(invites.redeem(150, &secret), None, "spent");
/// ```
#[derive(Debug, Clone)]
pub struct Issued<V> {
    entries: Vec<IssuedSecret<V>>,
    capacity: usize,
}

/// One secret of an [`Issued`] table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedSecret<V> {
    /// The secret.
    pub secret: Secret,
    /// How long and how often it is good.
    pub terms: Terms,
    /// What goes with it.
    pub value: V,
}

impl<V> Issued<V> {
    /// An empty table for `capacity` secrets. One more pushes out the one that expires first.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self {
            entries: Vec::new(),
            capacity,
        }
    }

    /// Adds a secret. What has expired goes; if the table is full nevertheless, the secret that
    /// expires first makes room.
    pub fn issue(&mut self, now: u64, secret: Secret, terms: Terms, value: V) {
        self.expire(now);
        while self.entries.len() >= self.capacity.max(1) {
            let expiry = |entry: &IssuedSecret<V>| entry.terms.expires.unwrap_or(u64::MAX);
            let first = self.entries.iter().enumerate();
            let first = first.min_by_key(|(_, entry)| expiry(entry));
            let Some((at, _)) = first else { break };
            self.entries.remove(at);
        }
        self.entries.push(IssuedSecret {
            secret,
            terms,
            value,
        });
    }

    /// What goes with a secret that is good now; it stays as good as it was.
    #[must_use]
    pub fn look_up(&self, now: u64, offered: &Secret) -> Option<&V> {
        let entry = self.entries.get(self.position(offered)?)?;
        entry.terms.hold(now).then_some(&entry.value)
    }

    /// The same, and spends one use of it.
    pub fn redeem(&mut self, now: u64, offered: &Secret) -> Option<V>
    where
        V: Clone,
    {
        let at = self.position(offered)?;
        let entry = self.entries.get_mut(at)?;
        if !entry.terms.hold(now) {
            return None;
        }
        let value = entry.value.clone();
        if let Some(uses) = &mut entry.terms.uses {
            *uses -= 1;
            if *uses == 0 {
                self.entries.remove(at);
            }
        }
        Some(value)
    }

    /// Takes a secret back. What went with it, if it was there.
    pub fn revoke(&mut self, secret: &Secret) -> Option<V> {
        let at = self.position(secret)?;
        Some(self.entries.remove(at).value)
    }

    /// Forgets what has expired. Whether there was any.
    pub fn expire(&mut self, now: u64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.terms.hold(now));
        self.entries.len() < before
    }

    /// Everything that was given out, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &IssuedSecret<V>> {
        self.entries.iter()
    }

    /// How many secrets there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where this secret is; looks at every entry, wherever it is.
    fn position(&self, offered: &Secret) -> Option<usize> {
        let mut found = None;
        for (at, entry) in self.entries.iter().enumerate() {
            if bool::from(entry.secret.ct_eq(offered)) {
                found = Some(at);
            }
        }
        found
    }
}
