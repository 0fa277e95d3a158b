//! What runs on a node.

use telehash_e3x::Instant;
use telehash_link::{Event, Incoming, Link, LinkKey};

/// An application of a [`World`](super::World): decides about strangers and works on channels.
///
/// All methods have defaults, so `()` is an application that accepts everybody and does nothing.
pub trait App: Send {
    /// Whether to accept this stranger.
    fn accept(&mut self, now: Instant, incoming: &Incoming) -> bool {
        let _ = (now, incoming);
        true
    }

    /// News of a link. Channels may be worked on right here.
    fn on_event(&mut self, now: Instant, key: LinkKey, link: &mut Link, event: Event) {
        let _ = (now, key, link, event);
    }

    /// When [`on_timeout`](Self::on_timeout) wants to be called for the links of this node.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Time passed; called for each link of the node.
    fn on_timeout(&mut self, now: Instant, key: LinkKey, link: &mut Link) {
        let _ = (now, key, link);
    }
}

impl App for () {}
