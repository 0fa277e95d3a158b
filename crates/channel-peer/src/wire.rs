//! What a peer channel says (channel-types.md, "peer, connect").

use alloc::string::{String, ToString};

use serde_json::{Map, Value};
use telehash_hashname::Hashname;

/// The `type` that opens the channel.
pub const TYPE: &str = "peer";

/// Limit: bytes of a router URI in a request; a longer one is refused.
pub const MAX_ROUTER_URI: usize = 1024;

/// The open: "hand this to that endpoint". Its BODY is for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerOpen {
    /// Whom it is for.
    pub target: Target,
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The endpoint of this name.
    Hashname(Hashname),
    /// Whoever the router gave this URI (uri.md, "Router URI"), which has no fragment here.
    Uri(String),
}

impl PeerOpen {
    /// A request to reach this endpoint.
    #[must_use]
    pub const fn to(target: Hashname) -> Self {
        Self {
            target: Target::Hashname(target),
        }
    }

    /// A request to reach whoever shares this URI of the router. It must not have a fragment, which is
    /// for the target alone.
    #[must_use]
    pub fn by_uri(uri: impl Into<String>) -> Self {
        Self {
            target: Target::Uri(uri.into()),
        }
    }

    /// Reads the header fields of an open. A hashname comes before a URI.
    ///
    /// # Errors
    /// See [`PeerError`]; the sender is to get no answer.
    pub fn from_head(head: &Map<String, Value>) -> Result<Self, PeerError> {
        let text = |name| head.get(name).and_then(Value::as_str);
        let target = match (text("peer"), text("uri")) {
            (Some(name), _) => Target::Hashname(name.parse().map_err(|_| PeerError::Hashname)?),
            (None, Some(uri)) if uri.len() > MAX_ROUTER_URI => return Err(PeerError::UriTooLong),
            (None, Some(uri)) => Target::Uri(uri.to_string()),
            (None, None) => return Err(PeerError::NoTarget),
        };
        Ok(Self { target })
    }

    /// The header fields of the open, besides `type`.
    #[must_use]
    pub fn to_head(&self) -> Map<String, Value> {
        let mut head = Map::new();
        match &self.target {
            Target::Hashname(name) => head.insert("peer".into(), name.to_string().into()),
            Target::Uri(uri) => head.insert("uri".into(), uri.as_str().into()),
        };
        head
    }
}

/// Why an open asks for nothing that a router could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It names nobody.
    #[error("the request names no target")]
    NoTarget,
    /// What it names is no hashname.
    #[error("the target of the request is no hashname")]
    Hashname,
    /// The URI is longer than [`MAX_ROUTER_URI`].
    #[error("the URI of the request is too long")]
    UriTooLong,
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn head(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_target_is_a_hashname_or_a_uri() {
        let name = "jnedibrkqk6drxygktu7p7gpp5hncohldk5ix4erpddfxo352raa";
        for json in [
            format!(r#"{{"peer":"{name}"}}"#),
            r#"{"uri":"link://192.0.2.1/abc"}"#.into(),
        ] {
            let head = head(&json);
            assert_eq!(PeerOpen::from_head(&head).unwrap().to_head(), head);
        }
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for (json, error) in [
            ("{}", PeerError::NoTarget),
            (r#"{"peer":7}"#, PeerError::NoTarget),
            (r#"{"peer":"nobody"}"#, PeerError::Hashname),
            (r#"{"peer":"","uri":"link://x"}"#, PeerError::Hashname),
        ] {
            assert_eq!(PeerOpen::from_head(&head(json)), Err(error), "{json}");
        }
    }

    #[test]
    fn a_uri_of_the_longest_length_is_read_and_a_longer_one_refused() {
        let of_len = |len| head(&format!(r#"{{"uri":"{}"}}"#, "x".repeat(len)));
        assert!(PeerOpen::from_head(&of_len(MAX_ROUTER_URI)).is_ok());
        let longer = PeerOpen::from_head(&of_len(MAX_ROUTER_URI + 1));
        assert_eq!(longer, Err(PeerError::UriTooLong));
    }
}
