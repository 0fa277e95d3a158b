//! Looking names up.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

type LookUp = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// By the system, or by the application.
#[derive(Clone, Default)]
pub(crate) struct Resolve(Option<Arc<LookUp>>);

impl Resolve {
    pub(crate) fn by<F, Fut>(look_up: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Some(Arc::new(move |name| look_up(name).boxed())))
    }

    pub(crate) async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match &self.0 {
            Some(look_up) => look_up(name.to_owned()).await,
            None => {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            }
        }
    }
}
