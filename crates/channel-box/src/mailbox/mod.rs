//! Letters to us, and from us.

mod fetch;
mod post;
mod send;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use telehash_e3x::Identity;
use telehash_hashname::KeySet;
use telehash_runtime::Mesh;
use tokio::sync::mpsc;

pub(crate) use self::post::Post;
pub use self::send::{SendOptions, Sent};
use crate::error::BoxError;
use crate::handler::BoxHandler;
use crate::letter::{self, Letter, SealError};
use crate::limits::QUEUE_CAPACITY;

/// Sends and receives letters; made by [`MeshBoxExt::mailbox`](crate::MeshBoxExt::mailbox).
///
/// It holds the mesh: keep it for as long as letters are to be taken.
pub struct Mailbox {
    mesh: Mesh,
    sealer: Arc<Sealer>,
    letters: tokio::sync::Mutex<mpsc::Receiver<post::Waiting>>,
}

/// Seals and opens messages.
pub(crate) struct Sealer {
    identity: Identity,
    rng: Mutex<ChaCha20Rng>,
}

impl Mailbox {
    pub(crate) fn open(mesh: &Mesh, identity: Identity) -> Result<Self, BoxError> {
        if identity.hashname() != mesh.hashname() {
            return Err(BoxError::OtherIdentity);
        }
        let handler = BoxHandler::of(mesh)?;
        let sealer = Arc::new(Sealer::new(identity)?);
        let (queue, letters) = mpsc::channel(QUEUE_CAPACITY);
        handler.deliver_to(Arc::new(Post::new(sealer.clone(), queue)));
        Ok(Self {
            mesh: mesh.clone(),
            sealer,
            letters: tokio::sync::Mutex::new(letters),
        })
    }

    /// The next letter, each once, whichever way and however often it comes. From now on it counts as
    /// taken: caches drop it, and a sender who delivers it directly is told. `None` when the mesh is
    /// closed, or another mailbox took the place of this one.
    ///
    /// Cancel-safe.
    pub async fn recv(&self) -> Option<Letter> {
        let waiting = self.letters.lock().await.recv().await?;
        Some(waiting.take())
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

    pub(super) fn post() -> (Post, mpsc::Receiver<post::Waiting>) {
        let (queue, letters) = mpsc::channel(QUEUE_CAPACITY);
        (Post::new(Arc::new(sealer(2)), queue), letters)
    }
}
