//! What a path channel says (channel-types.md, "path").

use alloc::{string::String, vec::Vec};

use serde_json::{Map, Value};
use telehash_hashname::{Hashname, Path};

/// The `type` that opens the channel.
pub const TYPE: &str = "path";

/// Limit: paths read from one open, and probed for one link; the ones after that are ignored.
pub const MAX_OFFERED_PATHS: usize = 16;

/// Limit: bytes of the URI that a router gives to its peer; a longer one is neither told nor read.
pub const MAX_TOLD_URI: usize = 448;

/// The open: "answer on every pipe you know, and on these paths of mine".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathOpen {
    /// Where the opener may be reached. Empty in a mere ping, as C sends it.
    pub paths: Vec<Path>,
    /// The URI that the opener, a router, gives to whom it tells: others may share it (uri.md, "Router
    /// URI").
    pub uri: Option<RouterUri>,
}

/// `{"type":"peer","hn":router,"uri":…}` among the paths of an open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterUri {
    /// The router.
    pub router: Hashname,
    /// The URI, which has a session of that router and no fragment.
    pub uri: String,
}

impl RouterUri {
    /// Reads one; nothing if the path has no URI, or one beyond [`MAX_TOLD_URI`].
    fn from_json(json: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let uri = text("uri").filter(|uri| uri.len() <= MAX_TOLD_URI)?;
        let router = text("hn").filter(|_| text("type") == Some("peer"))?;
        Some(Self {
            router: router.parse().ok()?,
            uri: uri.into(),
        })
    }

    /// As a path among others.
    #[must_use]
    pub fn to_path(&self) -> Path {
        let mut json = Path::peer(self.router).to_json();
        json.insert("uri".into(), self.uri.as_str().into());
        Path::Unknown(json)
    }
}

impl PathOpen {
    /// An open that offers these paths.
    #[must_use]
    pub const fn offering(paths: Vec<Path>) -> Self {
        Self { paths, uri: None }
    }

    /// Reads the header fields of an open. Whatever is no path is skipped, and everything beyond
    /// [`MAX_OFFERED_PATHS`].
    ///
    /// ```
    /// use telehash_channel_path::PathOpen;
    ///
    /// let head = r#"{"paths":[{"type":"udp4","ip":"192.0.2.2","port":53646},7]}"#;
    /// let open = PathOpen::from_head(&serde_json::from_str(head)?);
    /// assert_eq!(open.paths.len(), 1);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn from_head(head: &Map<String, Value>) -> Self {
        let offered = head.get("paths").and_then(Value::as_array);
        let offered = offered.into_iter().flatten().take(MAX_OFFERED_PATHS);
        let mut open = Self::default();
        for offer in offered {
            let uri = offer.as_object().and_then(RouterUri::from_json);
            match uri {
                Some(uri) => open.uri = open.uri.or(Some(uri)),
                None => open.paths.extend(path(offer)),
            }
        }
        open
    }

    /// The header fields of the open, besides `type`.
    #[must_use]
    pub fn to_head(&self) -> Map<String, Value> {
        let mut head = Map::new();
        let uri = self.uri.as_ref().map(RouterUri::to_path);
        if !self.paths.is_empty() || uri.is_some() {
            let paths = uri.iter().chain(&self.paths);
            let paths = paths.map(|path| Value::Object(path.to_json()));
            head.insert("paths".into(), paths.collect());
        }
        head
    }
}

/// The answer: "this packet goes to that path", which tells the opener how it is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathAnswer {
    /// Where the answer was sent. C does not say.
    pub path: Option<Path>,
}

impl PathAnswer {
    /// An answer that goes to `path`.
    #[must_use]
    pub const fn to(path: Option<Path>) -> Self {
        Self { path }
    }

    /// Reads the header fields of an answer. A path that cannot be understood is none.
    #[must_use]
    pub fn from_head(head: &Map<String, Value>) -> Self {
        Self {
            path: head.get("path").and_then(path),
        }
    }

    /// The header fields of the answer.
    #[must_use]
    pub fn to_head(&self) -> Map<String, Value> {
        let mut head = Map::new();
        if let Some(path) = &self.path {
            head.insert("path".into(), Value::Object(path.to_json()));
        }
        head
    }
}

fn path(json: &Value) -> Option<Path> {
    Path::from_json(json.as_object()?).ok()
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString as _};

    use super::*;

    const ROUTER: &str = "jnedibrkqk6drxygktu7p7gpp5hncohldk5ix4erpddfxo352raa";

    fn open(paths: &str) -> PathOpen {
        PathOpen::from_head(&serde_json::from_str(&format!(r#"{{"paths":[{paths}]}}"#)).unwrap())
    }

    #[test]
    fn the_uri_of_a_router_is_read_and_written_beside_its_paths() {
        let udp = r#"{"type":"udp4","ip":"192.0.2.2","port":53646}"#;
        let told = format!(r#"{{"type":"peer","hn":"{ROUTER}","uri":"link://192.0.2.1/?sid=a"}}"#);
        let open = open(&format!("{udp},{told},{told}"));
        assert_eq!(open.paths.len(), 1);
        let uri = open.uri.clone().unwrap();
        assert_eq!(uri.uri, "link://192.0.2.1/?sid=a");
        assert_eq!(uri.router.to_string(), ROUTER);
        assert_eq!(PathOpen::from_head(&open.to_head()), open);
    }

    #[test]
    fn a_uri_of_the_longest_length_is_read_and_a_longer_one_is_a_path_like_others() {
        let of_len = |len| {
            let uri = "x".repeat(len);
            open(&format!(
                r#"{{"type":"peer","hn":"{ROUTER}","uri":"{uri}"}}"#
            ))
        };
        assert!(of_len(MAX_TOLD_URI).uri.is_some());
        let longer = of_len(MAX_TOLD_URI + 1);
        assert!(longer.uri.is_none() && longer.paths.len() == 1);
    }
}
