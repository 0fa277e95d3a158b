//! Who takes the channels that peers open.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tracing::Instrument as _;

use crate::channel::IncomingChannel;
use crate::driver::{LinkDriver, Opened};
use crate::events::MeshEvent;
use crate::shared::Shared;

/// What a handler's error may be.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// Takes the channels of one type that peers open; see [`Mesh::on_open`](crate::Mesh::on_open).
///
/// A closure `|channel: IncomingChannel| async move { … }` is one, whether it returns nothing or a
/// `Result`.
///
/// What happens when:
/// - **Nobody handles the type**: the opener gets `err` `unknown type`.
/// - **The handler returns or drops the channel without accepting it**: the opener gets `refused`.
/// - **It takes longer than the opener waits** (10 s by default): the channel has failed; accepting
///   it is an error then.
/// - **It returns an error**: the channel fails unless it was ended, subscribers see
///   [`MeshEvent::HandlerFailed`].
/// - **It panics**: its channel fails, subscribers see [`MeshEvent::HandlerPanicked`], nothing else
///   is touched.
/// - **The link goes down**: the channel's operations fail; the handler ends by itself.
/// - **The mesh closes**: [`shutdown`](Self::shutdown) is called; then the handler's future is
///   dropped at its next await.
pub trait ChannelHandler: Send + Sync + 'static {
    /// Handles one channel, in a task of its own. As many run at once as peers open channels, which
    /// the link bounds.
    fn open(
        &self,
        channel: IncomingChannel,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// The mesh closes: ends what goes on in good order, within
    /// [`DRAIN_TIMEOUT`](crate::limits::DRAIN_TIMEOUT).
    fn shutdown(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

impl<F, Fut> ChannelHandler for F
where
    F: Fn(IncomingChannel) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutcome> + Send,
{
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        self(channel).await.into_result()
    }
}

/// What a closure that handles channels may return.
pub trait HandlerOutcome: Send {
    /// The same as a `Result`.
    ///
    /// # Errors
    /// What the handler ran into.
    fn into_result(self) -> Result<(), HandlerError>;
}

impl HandlerOutcome for () {
    fn into_result(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: Into<HandlerError> + Send> HandlerOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), HandlerError> {
        self.map_err(Into::into)
    }
}

/// [`ChannelHandler`] behind a pointer.
trait DynHandler: Any + Send + Sync {
    fn open(
        self: Arc<Self>,
        channel: IncomingChannel,
    ) -> BoxFuture<'static, Result<(), HandlerError>>;
    fn shutdown(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

impl<H: ChannelHandler> DynHandler for H {
    fn open(
        self: Arc<Self>,
        channel: IncomingChannel,
    ) -> BoxFuture<'static, Result<(), HandlerError>> {
        Box::pin(async move { ChannelHandler::open(&*self, channel).await })
    }

    fn shutdown(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { ChannelHandler::shutdown(&*self).await })
    }
}

/// The handlers of a mesh, by channel type.
#[derive(Default)]
pub(crate) struct Handlers {
    by_kind: RwLock<HashMap<String, Arc<dyn DynHandler>>>,
}

impl Handlers {
    pub(crate) fn insert(&self, kind: String, handler: impl ChannelHandler) {
        self.by_kind
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind, Arc::new(handler));
    }

    /// The handler of this type if it is an `H`, or a new one where there is none.
    pub(crate) fn get_or_insert<H: ChannelHandler>(
        &self,
        kind: &str,
        new: impl FnOnce() -> H,
    ) -> Option<Arc<H>> {
        let mut by_kind = self.by_kind.write().unwrap_or_else(PoisonError::into_inner);
        let Some(handler) = by_kind.get(kind).cloned() else {
            let handler = Arc::new(new());
            by_kind.insert(kind.to_owned(), handler.clone());
            return Some(handler);
        };
        let handler: Arc<dyn Any + Send + Sync> = handler;
        handler.downcast().ok()
    }

    pub(crate) fn remove(&self, kind: &str) -> bool {
        self.by_kind
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(kind)
            .is_some()
    }

    fn get(&self, kind: &str) -> Option<Arc<dyn DynHandler>> {
        self.by_kind
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(kind)
            .cloned()
    }

    /// Takes no more channels, and lets each handler end its own in order.
    pub(crate) async fn shutdown(&self) {
        let handlers =
            std::mem::take(&mut *self.by_kind.write().unwrap_or_else(PoisonError::into_inner));
        let ends = handlers.into_values().map(|handler| {
            // A panic here is that handler's own affair.
            AssertUnwindSafe(handler.shutdown()).catch_unwind()
        });
        futures::future::join_all(ends).await;
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handlers(..)")
    }
}

impl Shared {
    /// A peer opened a channel: its handler gets it, in a task of its own.
    pub(crate) fn channel_opened(self: &Arc<Self>, driver: &Arc<LinkDriver>, opened: Opened) {
        let (hashname, kind) = (driver.hashname(), opened.kind.clone());
        if self.lifecycle.is_closing() {
            return self.refuse_opened(driver, opened, "closed");
        }
        let Some(handler) = self.handlers.get(&kind) else {
            return self.refuse_opened(driver, opened, "unknown type");
        };
        let Some(place) = driver.start_handler() else {
            return self.refuse_opened(driver, opened, "busy");
        };
        let span = tracing::info_span!("channel", peer = %hashname.short(), kind, id = %opened.id);
        span.in_scope(|| tracing::debug!("opened by the peer"));
        self.events.publish(MeshEvent::ChannelOpened {
            hashname,
            kind: kind.clone(),
        });
        let channel = IncomingChannel::new(self.clone(), driver.clone(), opened);
        let shared = self.clone();
        let task = async move {
            let _place = place;
            let outcome = AssertUnwindSafe(handler.open(channel)).catch_unwind().await;
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let error = error.to_string();
                    tracing::debug!(error, "handler failed");
                    shared.events.publish(MeshEvent::HandlerFailed {
                        hashname,
                        kind,
                        error,
                    });
                }
                Err(_panic) => {
                    tracing::error!("handler panicked");
                    shared
                        .events
                        .publish(MeshEvent::HandlerPanicked { hashname, kind });
                }
            }
        };
        self.spawn(task.instrument(span));
    }

    fn refuse_opened(self: &Arc<Self>, driver: &Arc<LinkDriver>, opened: Opened, error: &str) {
        let _ = driver.run(self, |core, now| core.refuse(now, opened.id, error));
        let (hashname, kind) = (driver.hashname(), opened.kind);
        tracing::debug!(peer = %hashname.short(), kind, error, "channel refused");
        self.events
            .publish(MeshEvent::ChannelRefused { hashname, kind });
    }
}
