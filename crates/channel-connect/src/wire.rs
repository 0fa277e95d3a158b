//! What a connect channel says (channel-types.md, "peer, connect").

use alloc::string::{String, ToString};

use serde_json::{Map, Value};
use telehash_hashname::Hashname;

/// The `type` that opens the channel.
pub const TYPE: &str = "connect";

/// The open: "this is from that endpoint". Its BODY is what that one sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectOpen {
    /// Who asked, as the router says. C's routers leave the target's name there.
    pub peer: Hashname,
}

impl ConnectOpen {
    /// What `peer` asked for.
    #[must_use]
    pub const fn from(peer: Hashname) -> Self {
        Self { peer }
    }

    /// Reads the header fields of an open; nothing if they name nobody.
    #[must_use]
    pub fn from_head(head: &Map<String, Value>) -> Option<Self> {
        let peer = head.get("peer")?.as_str()?.parse().ok()?;
        Some(Self { peer })
    }

    /// The header fields of the open, besides `type`.
    #[must_use]
    pub fn to_head(&self) -> Map<String, Value> {
        let mut head = Map::new();
        head.insert("peer".into(), self.peer.to_string().into());
        head
    }
}
