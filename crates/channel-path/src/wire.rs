//! What a path channel says (channel-types.md, "path").

use alloc::{string::String, vec::Vec};

use serde_json::{Map, Value};
use telehash_hashname::Path;

/// The `type` that opens the channel.
pub const TYPE: &str = "path";

/// Limit: paths read from one open, and probed for one link; the ones after that are ignored.
pub const MAX_OFFERED_PATHS: usize = 16;

/// The open: "answer on every pipe you know, and on these paths of mine".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathOpen {
    /// Where the opener may be reached. Empty in a mere ping, as C sends it.
    pub paths: Vec<Path>,
}

impl PathOpen {
    /// An open that offers these paths.
    #[must_use]
    pub const fn offering(paths: Vec<Path>) -> Self {
        Self { paths }
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
        let paths = offered
            .into_iter()
            .flatten()
            .take(MAX_OFFERED_PATHS)
            .filter_map(path);
        Self {
            paths: paths.collect(),
        }
    }

    /// The header fields of the open, besides `type`.
    #[must_use]
    pub fn to_head(&self) -> Map<String, Value> {
        let mut head = Map::new();
        if !self.paths.is_empty() {
            let paths = self.paths.iter().map(|path| Value::Object(path.to_json()));
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
