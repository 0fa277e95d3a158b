//! Looking names up.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::limits::MAX_LOOK_UPS;

type LookUp = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// By the system, or by the application.
#[derive(Clone)]
pub(crate) enum Resolve {
    /// One look-up each takes a thread, for as long as the system's resolver likes.
    System(Arc<Semaphore>),
    Application(Arc<LookUp>),
}

impl Default for Resolve {
    fn default() -> Self {
        Self::System(Arc::new(Semaphore::new(MAX_LOOK_UPS)))
    }
}

impl Resolve {
    pub(crate) fn by<F, Fut>(look_up: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self::Application(Arc::new(move |name| look_up(name).boxed()))
    }

    pub(crate) async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let name = name.to_owned();
        match self {
            Self::Application(look_up) => look_up(name).await,
            Self::System(under_way) => in_turn(under_way, by_system(name)).await,
        }
    }
}

async fn by_system(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// Keeps its place until the work is done, whether or not anybody still waits for that: the system's
/// resolver cannot be stopped.
async fn in_turn<T: Send + 'static>(
    places: &Arc<Semaphore>,
    work: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<T> {
    let place = places.clone().acquire_owned().await;
    let place = place.map_err(io::Error::other)?;
    let work = tokio::spawn(async move {
        let done = work.await;
        drop(place);
        done
    });
    work.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn look_ups_that_nobody_waits_for_keep_their_places() {
        let places = Arc::new(Semaphore::new(MAX_LOOK_UPS));
        let mut ends = Vec::new();
        for _ in 0..MAX_LOOK_UPS {
            let (end, ended) = oneshot::channel::<()>();
            let work = async { ended.await.map_err(io::Error::other) };
            let waited = timeout(Duration::from_secs(8), in_turn(&places, work)).await;
            assert!(waited.is_err(), "it does not end");
            ends.push(end);
        }
        let next = timeout(Duration::from_secs(8), in_turn(&places, async { Ok(()) })).await;
        assert!(next.is_err(), "one too many waits");
        ends.pop().unwrap().send(()).unwrap();
        let next = timeout(Duration::from_secs(8), in_turn(&places, async { Ok(()) })).await;
        assert!(matches!(next, Ok(Ok(()))));
    }
}
