//! Endpoints to test with.

use std::future::Future;
use std::time::Duration;

use telehash_channel_box::{BoxCache, Mailbox, MeshBoxExt as _, Quota};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::{Csid, LinkJson};
use telehash_runtime::{Accept, Builder, Link, Mesh, generate_identity};
use telehash_transport::memory::MemoryNetwork;

/// No test takes so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Someone with a mailbox.
pub(crate) struct Person {
    pub(crate) mesh: Mesh,
    pub(crate) mailbox: Mailbox,
}

impl Person {
    pub(crate) async fn new(network: &MemoryNetwork, identity: &Identity) -> Self {
        Self::over(Mesh::builder().transport(network.endpoint()), identity).await
    }

    pub(crate) async fn over(builder: Builder, identity: &Identity) -> Self {
        let builder = builder.identity(identity.clone()).accept(Accept::All);
        let mesh = builder.build().await.unwrap();
        let mailbox = mesh.mailbox(identity.clone()).unwrap();
        Self { mesh, mailbox }
    }

    /// A link that is up.
    pub(crate) async fn link(&self, to: &Mesh) -> Link {
        self.link_to(to.local_link_json()).await
    }

    pub(crate) async fn link_to(&self, to: LinkJson) -> Link {
        let link = self.mesh.link(to).await.unwrap();
        link.wait_up(LIMIT).await.unwrap();
        link
    }

    /// What the next letter says.
    pub(crate) async fn next(&self) -> Vec<u8> {
        let letter = within(self.mailbox.recv()).await.expect("a letter");
        letter.body.to_vec()
    }
}

/// Someone who keeps letters.
pub(crate) struct Server {
    pub(crate) mesh: Mesh,
    pub(crate) cache: BoxCache,
}

impl Server {
    pub(crate) async fn new(network: &MemoryNetwork, quota: Quota) -> Self {
        Self::over(Mesh::builder().transport(network.endpoint()), quota).await
    }

    pub(crate) async fn over(builder: Builder, quota: Quota) -> Self {
        let mesh = builder.accept(Accept::All).build().await.unwrap();
        let cache = mesh.cache_boxes(quota).unwrap();
        Self { mesh, cache }
    }

    /// Until it keeps nothing any more.
    pub(crate) async fn emptied(&self) {
        self.down_to(0).await;
    }

    /// Until it keeps so many messages.
    pub(crate) async fn down_to(&self, messages: usize) {
        let empty = async {
            while self.cache.stats().messages > messages {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(empty).await;
    }
}

pub(crate) fn identity() -> Identity {
    generate_identity(&CipherSets::default(), [Csid::CS3A]).unwrap()
}

/// Bytes that show where they belong.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let word = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..len as u64).map(|at| (word(at) >> 56) as u8).collect()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, what).await;
    done.expect("it takes too long")
}
