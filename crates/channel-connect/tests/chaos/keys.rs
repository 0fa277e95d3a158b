//! Cipher sets that write down which keys and nonces they use: none may be used twice.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use rand_chacha::rand_core::CryptoRng;
use telehash_e3x::{
    CipherSet, CipherSets, Cs3a, Cs42, Exchange, ExchangeError, Instant, KeyError, KeyPair,
    LocalKey, MessageError, OpenError, Opened, Order, Overhead, RemoteEphemeral, Rounds, SealError,
    Session, SessionContext, SessionId, Token,
};
use telehash_hashname::Csid;

/// Where the nonce of a channel packet begins: after LENGTH and TOKEN.
const NONCE_AT: usize = 18;

/// Where KEY begins in a message: after LENGTH and the csid.
const KEY_AT: usize = 3;

/// What all endpoints of a world used so far.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// Pairs of ephemerals that had a session: our token, theirs, what it continued.
    sessions: HashSet<(Token, Token, Option<[u8; 32]>)>,
    /// KEY and salt or nonce of every message.
    messages: HashSet<Vec<u8>>,
}

type Shared = Arc<Mutex<Used>>;

/// Cipher sets 3a and 42 that panic when a key or a nonce is used again. Clones of them share what
/// they know.
pub(crate) fn watched_sets() -> CipherSets {
    let used = Shared::default();
    let watched = |set: Arc<dyn CipherSet>| Watched {
        inner: set,
        used: Arc::clone(&used),
    };
    CipherSets::empty()
        .with(Arc::new(watched(Arc::new(Cs3a))))
        .with(Arc::new(watched(Arc::new(Cs42))))
}

/// Something of a cipher set, and what was used of all of them.
#[derive(Debug)]
struct Watched<T> {
    inner: T,
    used: Shared,
}

impl<T> Watched<T> {
    fn note(&self, with: impl FnOnce(&mut Used) -> bool, what: &str) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(with(&mut used), "{what} was used twice");
    }
}

fn nonce_len(csid: Csid) -> usize {
    if csid == Csid::CS42 { 8 } else { 24 }
}

impl CipherSet for Watched<Arc<dyn CipherSet>> {
    fn csid(&self) -> Csid {
        self.inner.csid()
    }

    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        self.inner.generate(rng)
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        self.inner.check_key(public)
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        let inner = self.inner.load(public, secret)?;
        let used = Arc::clone(&self.used);
        Ok(Arc::new(Watched { inner, used }))
    }
}

impl LocalKey for Watched<Arc<dyn LocalKey>> {
    fn csid(&self) -> Csid {
        self.inner.csid()
    }

    fn public(&self) -> &[u8] {
        self.inner.public()
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        self.inner.open(body)
    }

    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError> {
        let inner = self.inner.exchange(remote_public, rng)?;
        let used = Arc::clone(&self.used);
        Ok(Box::new(Watched { inner, used }))
    }
}

impl Exchange for Watched<Box<dyn Exchange>> {
    fn csid(&self) -> Csid {
        self.inner.csid()
    }

    fn token(&self) -> Token {
        self.inner.token()
    }

    fn head_only_token(&self) -> Token {
        self.inner.head_only_token()
    }

    fn order(&self) -> Order {
        self.inner.order()
    }

    fn remote_public(&self) -> &[u8] {
        self.inner.remote_public()
    }

    fn rounds(&self) -> Rounds {
        self.inner.rounds()
    }

    fn weak_mac(&self) -> bool {
        self.inner.weak_mac()
    }

    fn seal(&mut self, inner: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let packet = self.inner.seal(inner, rng)?;
        let salt = if self.csid() == Csid::CS42 { 16 } else { 24 };
        let used = packet[KEY_AT..KEY_AT + 32 + salt].to_vec();
        self.note(|all| all.messages.insert(used), "the nonce of a message");
        Ok(packet)
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        self.inner.open(body)
    }

    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        self.inner.verify(body, opened)
    }

    fn adopt(&mut self, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
        self.inner.adopt(remote)
    }

    fn session(
        &mut self,
        remote: &RemoteEphemeral,
        context: &SessionContext<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Session>, ExchangeError> {
        let keys = (self.token(), remote.token(), context.resume.copied());
        let inner = self.inner.session(remote, context, rng)?;
        self.note(|all| all.sessions.insert(keys), "a pair of ephemerals");
        Ok(Box::new(WatchedSession {
            inner,
            sealed: HashSet::new(),
            opened: HashSet::new(),
        }))
    }

    fn erase(&mut self) {
        self.inner.erase();
    }

    fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ExchangeError> {
        self.inner.fresh(rng)
    }
}

/// A session, and the nonces of the packets that it sealed and opened.
#[derive(Debug)]
struct WatchedSession {
    inner: Box<dyn Session>,
    sealed: HashSet<u128>,
    opened: HashSet<u128>,
}

impl WatchedSession {
    /// The counter in a nonce, and what of its beginning there is room for.
    fn nonce(&self, packet: &[u8]) -> u128 {
        let nonce = packet.get(NONCE_AT..NONCE_AT + nonce_len(self.csid()));
        let bytes = nonce.unwrap_or_default().iter();
        bytes.fold(0, |all, byte| (all << 8) | u128::from(*byte))
    }
}

impl Session for WatchedSession {
    fn csid(&self) -> Csid {
        self.inner.csid()
    }

    fn session_id(&self) -> SessionId {
        self.inner.session_id()
    }

    fn overhead(&self) -> Overhead {
        self.inner.overhead()
    }

    fn local_token(&self) -> Token {
        self.inner.local_token()
    }

    fn remote_token(&self) -> Token {
        self.inner.remote_token()
    }

    fn set_remote_token(&mut self, token: Token) {
        self.inner.set_remote_token(token);
    }

    fn seal(&mut self, now: Instant, packet: &mut [u8]) -> Result<(), SealError> {
        self.inner.seal(now, packet)?;
        let nonce = self.nonce(packet);
        assert!(self.sealed.insert(nonce), "a nonce was used twice");
        Ok(())
    }

    fn open(&mut self, now: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let nonce = self.nonce(packet);
        let range = self.inner.open(now, packet)?;
        assert!(self.opened.insert(nonce), "a packet was opened twice");
        Ok(range)
    }

    fn exhausted(&self) -> bool {
        self.inner.exhausted()
    }

    fn resume(&self) -> Option<&[u8; 32]> {
        self.inner.resume()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.inner.handle_timeout(now);
    }
}

#[test]
fn a_pair_of_ephemerals_that_is_used_twice_is_noticed() {
    let watched = Watched {
        inner: (),
        used: Shared::default(),
    };
    let token = Token::from_bytes([1; 16]);
    let twice = || watched.note(|all| all.sessions.insert((token, token, None)), "a pair");
    twice();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(twice)).unwrap_err();
}
