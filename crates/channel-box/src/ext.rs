//! Boxes for meshes.

use std::sync::Arc;

use telehash_e3x::Identity;
use telehash_runtime::{Link, LinkState, Mesh};

use crate::cache::{BoxCache, Cache, Quota};
use crate::error::BoxError;
use crate::handler::BoxHandler;
use crate::mailbox::{Mailbox, MailboxOptions};

/// Adds boxes to [`Mesh`].
pub trait MeshBoxExt {
    /// Opens the mailbox of this endpoint, whose identity it takes to open letters and to seal them; in
    /// place of an earlier one.
    ///
    /// # Errors
    /// The identity is another one, the program handles these channels by itself, or there is no
    /// randomness.
    fn mailbox(&self, identity: Identity) -> Result<Mailbox, BoxError>;

    /// The same with options.
    ///
    /// # Errors
    /// As [`mailbox`](Self::mailbox), or the file that is to remember what was taken cannot be used.
    fn mailbox_with(
        &self,
        identity: Identity,
        options: &MailboxOptions,
    ) -> Result<Mailbox, BoxError>;

    /// Keeps letters of everybody who may link to us for everybody else, in memory, and hands them to
    /// whom they are for; in place of an earlier cache, whose letters are lost.
    ///
    /// Call it within a tokio runtime.
    ///
    /// # Errors
    /// The program handles these channels by itself.
    fn cache_boxes(&self, quota: Quota) -> Result<BoxCache, BoxError>;
}

impl MeshBoxExt for Mesh {
    fn mailbox(&self, identity: Identity) -> Result<Mailbox, BoxError> {
        self.mailbox_with(identity, &MailboxOptions::new())
    }

    fn mailbox_with(
        &self,
        identity: Identity,
        options: &MailboxOptions,
    ) -> Result<Mailbox, BoxError> {
        Mailbox::open(self, identity, options)
    }

    fn cache_boxes(&self, quota: Quota) -> Result<BoxCache, BoxError> {
        let handler = BoxHandler::of(self)?;
        let cache = Cache::start(quota);
        handler.keep_in(cache.clone());
        let watching = Arc::downgrade(&cache);
        self.on_link(move |link, state| {
            if let Some(cache) = watching.upgrade() {
                cache.link_changed(&link, state);
            }
        });
        Cache::watch(&cache, self.events());
        for link in self.links().into_iter().filter(Link::is_up) {
            cache.link_changed(&link, LinkState::Up);
        }
        Ok(BoxCache(cache))
    }
}
