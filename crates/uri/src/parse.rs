//! From text to [`LinkUri`].

use alloc::string::String;
use alloc::vec::Vec;

use crate::authority::Authority;
use crate::limits::MAX_URI_LEN;
use crate::query::Items;
use crate::{LinkUri, Skipped, UriError};

/// What [`LinkUri::parse`] made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed {
    /// The URI.
    pub uri: LinkUri,
    /// The items that could not be used and are not in `uri`, in order: tell the user.
    pub skipped: Vec<Skipped>,
}

impl LinkUri {
    /// Reads a URI that somebody pasted, and says what had to be skipped.
    ///
    /// White space around it does not matter, `host:port` alone is read as `link://host:port/` (as C
    /// does), and a query item that cannot be used is skipped.
    ///
    /// # Errors
    ///
    /// What is wrong with anything but an item of the query, see [`UriError`].
    pub fn parse(text: &str) -> Result<Parsed, UriError> {
        let text = text.trim();
        check_text(text)?;
        let parts = Parts::split(text).or_else(|error| Parts::without_scheme(text).ok_or(error))?;
        let mut skipped = Vec::new();
        let uri = parts.read(|item| {
            skipped.push(item);
            Ok(())
        })?;
        Ok(Parsed { uri, skipped })
    }

    /// Reads a URI in which everything must be right.
    ///
    /// # Errors
    ///
    /// See [`UriError`].
    pub fn parse_strict(text: &str) -> Result<Self, UriError> {
        check_text(text)?;
        Parts::split(text)?.read(|item| Err(UriError::Item(item)))
    }
}

/// Refuses what no part of a URI may hold.
pub(crate) fn check_text(text: &str) -> Result<(), UriError> {
    if text.len() > MAX_URI_LEN {
        return Err(UriError::TooLong { len: text.len() });
    }
    match text.find(|c: char| c.is_whitespace() || c.is_control()) {
        Some(position) => Err(UriError::Character { position }),
        None => Ok(()),
    }
}

/// The scheme in lower case.
pub(crate) fn parse_scheme(text: &str) -> Result<String, UriError> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let goes_on_well = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match starts_well && text.chars().all(goes_on_well) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(UriError::Scheme),
    }
}

/// The components of a URI's text.
struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
    query: &'a str,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, UriError> {
        let (text, fragment) = split_at_char(text, '#');
        let (text, query) = split_at_char(text, '?');
        let (scheme, hierarchy) = text.split_once("://").ok_or(UriError::NoScheme)?;
        let path_start = hierarchy.find('/').unwrap_or(hierarchy.len());
        let (authority, path) = hierarchy.split_at(path_start);
        Ok(Self {
            scheme,
            authority,
            path,
            query: query.unwrap_or_default(),
            fragment,
        })
    }

    /// Reads `host:port`, and nothing else: any word could be a host.
    fn without_scheme(text: &'a str) -> Option<Self> {
        if text.contains(['/', '?', '#', '@']) {
            return None;
        }
        Authority::parse(text).ok()?.port?;
        Some(Self {
            scheme: "link",
            authority: text,
            path: "",
            query: "",
            fragment: None,
        })
    }

    fn read(
        &self,
        unusable: impl FnMut(Skipped) -> Result<(), UriError>,
    ) -> Result<LinkUri, UriError> {
        let Authority {
            userinfo,
            host,
            port,
        } = Authority::parse(self.authority)?;
        let scheme = parse_scheme(self.scheme)?;
        let Items { other, keys, paths } = Items::parse(self.query, unusable)?;
        let path = match self.path {
            "" => "/",
            path => path,
        };
        Ok(LinkUri {
            scheme,
            userinfo,
            host,
            port,
            path: path.into(),
            query: other,
            keys,
            paths,
            fragment: self.fragment.map(String::from),
        })
    }
}

fn split_at_char(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}
