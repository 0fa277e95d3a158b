//! Letters to us, and from us.

mod fetch;
mod memory;
mod post;
mod send;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use telehash_e3x::Identity;
use telehash_hashname::KeySet;
use telehash_runtime::{Link, Mesh};
use tokio::sync::mpsc;

pub use self::memory::Arrived;
use self::memory::Memory;
pub(crate) use self::post::{Fate, Post};
pub use self::send::{SendOptions, Sent};
use crate::error::BoxError;
use crate::handler::BoxHandler;
use crate::letter::{self, Letter, SealError};
use crate::limits::QUEUE_CAPACITY;

/// Sends and receives letters; made by [`MeshBoxExt::mailbox`](crate::MeshBoxExt::mailbox).
///
/// It holds the mesh: keep it for as long as letters are to be taken. Once it is dropped, those that
/// senders deliver directly are refused, and those at caches stay there.
pub struct Mailbox {
    mesh: Mesh,
    sealer: Arc<Sealer>,
    handler: Arc<BoxHandler>,
    post: Weak<Post>,
    letters: tokio::sync::Mutex<mpsc::Receiver<Arrived>>,
}

/// How a mailbox works.
#[derive(Clone, Debug, Default)]
pub struct MailboxOptions {
    file: Option<PathBuf>,
    send_only: bool,
}

/// Seals and opens messages.
pub(crate) struct Sealer {
    identity: Identity,
    rng: Mutex<ChaCha20Rng>,
}

impl MailboxOptions {
    /// It remembers which letters it took until the program ends.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and remembers them in this file for the programs that come after it: a cache cannot
    /// hand over a letter once more. The file is made if it does not exist, and belongs to one mailbox
    /// at a time. Each letter is written there, to the disk, before it counts as taken.
    #[must_use]
    pub fn remember_in(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same, to send letters only: it takes none, and takes the place of no other.
    #[must_use]
    pub fn send_only(mut self) -> Self {
        self.send_only = true;
        self
    }
}

impl Mailbox {
    pub(crate) fn open(
        mesh: &Mesh,
        identity: Identity,
        options: &MailboxOptions,
    ) -> Result<Self, BoxError> {
        if identity.hashname() != mesh.hashname() {
            return Err(BoxError::OtherIdentity);
        }
        let handler = BoxHandler::of(mesh)?;
        let memory = match &options.file {
            Some(file) if !options.send_only => {
                Memory::in_file(file).map_err(|error| BoxError::Memory {
                    file: file.clone(),
                    error,
                })?
            }
            _ => Memory::default(),
        };
        let sealer = Arc::new(Sealer::new(identity)?);
        let (queue, letters) = mpsc::channel(QUEUE_CAPACITY);
        let post = Arc::new(Post::new(sealer.clone(), queue, memory));
        let weak = Arc::downgrade(&post);
        if !options.send_only {
            handler.deliver_to(&post);
        }
        Ok(Self {
            mesh: mesh.clone(),
            sealer,
            handler,
            post: weak,
            letters: tokio::sync::Mutex::new(letters),
        })
    }

    /// The next letter, each once, whichever way and however often it comes. From now on it counts as
    /// taken: caches drop it, and a sender who delivers it directly is told. `None` when the mesh is
    /// closed, or another mailbox took the place of this one.
    ///
    /// If the letter cannot be [remembered in the file](MailboxOptions::remember_in) it comes anyway,
    /// and the log says so.
    ///
    /// Cancel-safe without such a file.
    pub async fn recv(&self) -> Option<Letter> {
        let arrived = self.next().await?;
        let letter = arrived.letter().clone();
        if let Err(error) = arrived.take().await {
            tracing::warn!(%error, "a letter is not remembered on disk");
        }
        Some(letter)
    }

    /// The same, but the letter counts as taken only once the application [says so](Arrived::take):
    /// when it is written where it belongs, say. Until then it stays where it is.
    ///
    /// Cancel-safe.
    pub async fn next(&self) -> Option<Arrived> {
        self.letters.lock().await.recv().await
    }

    /// Asks a cache for the letters that it has, and completes once all of them were taken, or left;
    /// how many senders they are of. A cache tells of letters by itself when a link comes up and when
    /// one comes; this is for whoever was not ready to take them then, or wants to know when there are
    /// no more.
    ///
    /// # Errors
    /// The cache was not reached, keeps no letters for anybody, or was lost meanwhile.
    pub async fn fetch(&self, cache: &Link) -> Result<usize, BoxError> {
        match self.post.upgrade() {
            Some(post) => post.fetch_asked(cache).await,
            None => Ok(0),
        }
    }

    /// Completes once our own cache, if there is one, has handed over what it had for us.
    pub async fn handed_over(&self) {
        if let Some(post) = self.post.upgrade() {
            post.idle_at(Some(&self.mesh.hashname())).await;
        }
    }

    /// How often so far a letter was left where it is because of the time at which it says that it was sent: that is
    /// [too far ahead](crate::limits::MAX_AHEAD), or so far back that it [may be a replay](crate::limits::MAX_REMEMBERED).
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.post.upgrade().map_or(0, |post| post.refused())
    }

    /// Completes once nothing is being fetched any more, from any cache, also our own.
    pub async fn idle(&self) {
        if let Some(post) = self.post.upgrade() {
            post.idle_at(None).await;
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.handler.retire(&self.post);
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("hashname", &self.mesh.hashname())
            .finish_non_exhaustive()
    }
}

impl Sealer {
    fn new(identity: Identity) -> Result<Self, BoxError> {
        let mut seed = [0; 32];
        let filled = getrandom::fill(&mut seed);
        filled.map_err(|error| BoxError::Randomness(error.to_string()))?;
        Ok(Self {
            identity,
            rng: Mutex::new(ChaCha20Rng::from_seed(seed)),
        })
    }

    fn seal(&self, to: &KeySet, body: &[u8]) -> Result<Bytes, SealError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        letter::seal(&self.identity, to, now(), body, &mut *rng)
    }

    fn open(&self, message: &[u8]) -> Option<Letter> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        letter::open(&self.identity, message, &mut *rng)
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use telehash_e3x::CipherSets;
    use telehash_hashname::Csid;

    use super::*;

    pub(super) fn sealer(seed: u8) -> Sealer {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let sets = CipherSets::default();
        Sealer::new(Identity::generate(&sets, &[Csid::CS3A], &mut rng).unwrap()).unwrap()
    }

    pub(super) fn post() -> (Post, mpsc::Receiver<Arrived>) {
        let (queue, letters) = mpsc::channel(QUEUE_CAPACITY);
        let post = Post::new(Arc::new(sealer(2)), queue, Memory::default());
        (post, letters)
    }
}
