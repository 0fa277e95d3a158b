//! The items of the query that invite somebody, or that a router knows a peer by (uri.md).

use alloc::string::ToString as _;

use crate::{BuildError, Fragment, FragmentError, LinkUri, Secret};

/// Name of the query item with an invite's secret.
pub(crate) const INVITE: &str = "inv";

/// Name of the query item with a router's session.
const SESSION: &str = "sid";

impl LinkUri {
    /// The secret of an invite, if this is one.
    ///
    /// ```
    /// use telehash_uri::{LinkUri, Secret};
    ///
    /// let uri = LinkUri::new().with_invite(&Secret::from_bytes([7; 16]))?;
    /// let pasted = LinkUri::parse(&uri.to_string())?.uri;
    /// assert_eq!(pasted.invite(), Some(Secret::from_bytes([7; 16])));
    /// assert_eq!(pasted.without_invite().invite(), None);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn invite(&self) -> Option<Secret> {
        self.query_value(INVITE)?.parse().ok()
    }

    /// Makes it an invite with this secret, in place of another.
    ///
    /// # Errors
    ///
    /// The URI becomes too long, or has too many items.
    pub fn with_invite(self, secret: &Secret) -> Result<Self, BuildError> {
        self.with_item(INVITE, secret)
    }

    /// The same URI without the secret: all of it that may be kept or shown.
    #[must_use]
    pub fn without_invite(mut self) -> Self {
        self.query.retain(|(name, _)| name != INVITE);
        self
    }

    /// The session by which a router knows the peer that shares this URI, if it is one of ours. Other
    /// implementations may have any text there: `query_value("sid")`.
    #[must_use]
    pub fn session(&self) -> Option<Secret> {
        self.query_value(SESSION)?.parse().ok()
    }

    /// Whether this is the URI of a router, ours or another implementation's: its keys are those of the
    /// router, and whom it leads to is in the fragment.
    #[must_use]
    pub fn is_of_router(&self) -> bool {
        self.query_value(SESSION).is_some()
    }

    /// Makes it the URI that a router gives to the peer of this session. The value is random and
    /// says nothing of the peer.
    ///
    /// # Errors
    ///
    /// The URI becomes too long, or has too many items.
    pub fn with_session(self, session: &Secret) -> Result<Self, BuildError> {
        self.with_item(SESSION, session)
    }

    /// What the fragment says of the peer that shares this router URI; `None` without a fragment.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub fn share(&self) -> Result<Option<Fragment>, FragmentError> {
        self.fragment().map(str::parse).transpose()
    }

    /// Has `fragment` say who shares this router URI.
    ///
    /// # Errors
    ///
    /// The URI becomes too long.
    pub fn with_share(self, fragment: &Fragment) -> Result<Self, BuildError> {
        self.with_fragment(&fragment.to_string())
    }

    fn with_item(mut self, name: &str, secret: &Secret) -> Result<Self, BuildError> {
        self.query.retain(|(known, _)| known != name);
        self.query.push((name.into(), secret.to_text()));
        self.checked()
    }
}
