//! The items of the query.

use alloc::string::String;
use alloc::vec::Vec;

use telehash_hashname::{Csid, KeySet, Path, base32};
use url::form_urlencoded;

use crate::invite::INVITE;
use crate::limits::{MAX_QUERY_ITEMS, MAX_URI_PATHS};
use crate::{ItemError, Secret, Skipped, UriError};

/// The items by what they mean.
#[derive(Default)]
pub(crate) struct Items {
    pub(crate) other: Vec<(String, String)>,
    pub(crate) keys: KeySet,
    pub(crate) paths: Vec<Path>,
}

impl Items {
    /// Reads an encoded query; `unusable` hears of each item that cannot be used and may end it all.
    pub(crate) fn parse(
        query: &str,
        mut unusable: impl FnMut(Skipped) -> Result<(), UriError>,
    ) -> Result<Self, UriError> {
        let mut items = Self::default();
        for (index, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
            let is_surplus = index == MAX_QUERY_ITEMS;
            let read = match is_surplus {
                true => Err(ItemError::TooManyItems),
                false => items.add(&name, &value),
            };
            if let Err(error) = read {
                let name = name.into_owned();
                unusable(Skipped { name, error })?;
            }
            if is_surplus {
                break;
            }
        }
        Ok(items)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), ItemError> {
        match meaning(name) {
            Meaning::Key(csid) => self.add_key(csid.parse()?, value),
            Meaning::Path => self.add_path(value),
            Meaning::Invite => self.add_invite(value),
            Meaning::Other => {
                self.other.push((name.into(), value.into()));
                Ok(())
            }
        }
    }

    fn add_key(&mut self, csid: Csid, value: &str) -> Result<(), ItemError> {
        if self.keys.contains(csid) {
            return Err(ItemError::Repeated);
        }
        Ok(self.keys.insert_key(csid, base32::decode(value)?)?)
    }

    fn add_path(&mut self, value: &str) -> Result<(), ItemError> {
        if self.paths.len() == MAX_URI_PATHS {
            return Err(ItemError::TooManyPaths);
        }
        let json = base32::decode(value)?;
        let text = core::str::from_utf8(&json).map_err(|_| ItemError::NotText)?;
        self.paths.push(text.parse()?);
        Ok(())
    }

    /// Stays among the other items, in its place.
    fn add_invite(&mut self, value: &str) -> Result<(), ItemError> {
        if self.other.iter().any(|(name, _)| name == INVITE) {
            return Err(ItemError::Repeated);
        }
        let secret: Secret = value.parse()?;
        self.other.push((INVITE.into(), secret.to_text()));
        Ok(())
    }
}

/// What the name of an item says it is.
pub(crate) enum Meaning<'a> {
    /// `cs` and two characters, which should be a csid.
    Key(&'a str),
    /// `paths`.
    Path,
    /// `inv`: the secret of an invite.
    Invite,
    /// Not defined here: kept.
    Other,
}

pub(crate) fn meaning(name: &str) -> Meaning<'_> {
    match name.strip_prefix("cs") {
        Some(csid) if csid.chars().count() == 2 => Meaning::Key(csid),
        _ if name == "paths" => Meaning::Path,
        _ if name == INVITE => Meaning::Invite,
        _ => Meaning::Other,
    }
}
