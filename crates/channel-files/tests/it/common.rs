//! Endpoints to test with.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use telehash_channel_files::{
    BuilderFilesExt as _, FilesError, Folder, IncomingFiles, Outcome, PARTS_FOLDER, Sending,
};
use telehash_runtime::{Accept, Builder, Link, Mesh};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::{Mutex, mpsc};

/// No test takes so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Where files come from, and where they go to.
pub(crate) struct Disks {
    pub(crate) here: tempfile::TempDir,
    pub(crate) there: tempfile::TempDir,
}

impl Disks {
    pub(crate) fn new() -> Self {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Self { here, there }
    }

    /// A file to send.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.here.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    pub(crate) async fn sending(&self, name: &str) -> Sending {
        Sending::new([self.here.path().join(name)]).await.unwrap()
    }

    pub(crate) fn there(&self, name: &str) -> PathBuf {
        self.there.path().join(name)
    }

    pub(crate) fn received(&self, name: &str) -> Vec<u8> {
        fs::read(self.there(name)).unwrap()
    }

    pub(crate) fn folder(&self) -> Folder {
        Folder::open(self.there.path()).unwrap()
    }

    /// What is not complete.
    pub(crate) fn parts(&self) -> Vec<String> {
        let parts = fs::read_dir(self.there(PARTS_FOLDER)).unwrap();
        let names = parts.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
        names.sort();
        names
    }
}

/// Two endpoints that are linked; one receives.
pub(crate) struct Pair {
    pub(crate) network: MemoryNetwork,
    pub(crate) server: Mesh,
    pub(crate) client: Mesh,
    pub(crate) link: Link,
    /// How transfers ended at the receiver.
    pub(crate) ended: Arc<Mutex<mpsc::Receiver<Result<Outcome, FilesError>>>>,
}

impl Pair {
    /// Over memory.
    pub(crate) async fn new(folder: Folder) -> Self {
        Self::receiving(move |incoming| {
            let folder = folder.clone();
            async move { incoming.receive(&folder).await }
        })
        .await
    }

    /// Over memory, with this receiver.
    pub(crate) async fn receiving<F, Fut>(receive: F) -> Self
    where
        F: Fn(IncomingFiles) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome, FilesError>> + Send + 'static,
    {
        let network = MemoryNetwork::new(3);
        let (one, other) = (network.endpoint(), network.endpoint());
        let server = Mesh::builder().transport(one);
        let client = Mesh::builder().transport(other);
        Self::over(network, server, client, receive).await
    }

    pub(crate) async fn over<F, Fut>(
        network: MemoryNetwork,
        server: Builder,
        client: Builder,
        receive: F,
    ) -> Self
    where
        F: Fn(IncomingFiles) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome, FilesError>> + Send + 'static,
    {
        let (tell, ended) = mpsc::channel(64);
        let server = server.accept(Accept::All).on_files(move |incoming| {
            let (received, tell) = (receive(incoming), tell.clone());
            async move { tell.send(received.await).await }
        });
        let server = server.build().await.unwrap();
        let client = client.build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(LIMIT).await.unwrap();
        let ended = Arc::new(Mutex::new(ended));
        Self {
            network,
            server,
            client,
            link,
            ended,
        }
    }

    /// How the next transfer ends at the receiver.
    pub(crate) async fn ended(&self) -> Result<Outcome, FilesError> {
        let ended = async { self.ended.lock().await.recv().await };
        within(ended).await.expect("one ends")
    }

    pub(crate) async fn close(self) {
        self.client.close().await;
        self.server.close().await;
    }
}

/// Bytes that show where they belong.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let word = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    (0..len as u64).map(|n| word(n) as u8).collect()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, what).await;
    done.expect("it takes too long")
}

/// Everything below a folder, with its contents; folders end with a slash.
pub(crate) fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut all, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if name == PARTS_FOLDER {
                continue;
            }
            match path.is_dir() {
                true => {
                    all.push((format!("{name}/"), Vec::new()));
                    folders.push(path);
                }
                false => all.push((name, fs::read(path).unwrap())),
            }
        }
    }
    all.sort();
    all
}
