//! An application's own cipher set, made with nothing but the public API. It differs from CS3a
//! where other sets do: its proof of the sender is inside the encrypted part, and its MAC comes
//! last.
//!
//! It is a toy: every "agreement" is the exclusive or of two keys, which anybody can compute.

use std::ops::Range;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use sha2::{Digest, Sha256};
use telehash_e3x::{
    CipherSet, CipherSets, Exchange, ExchangeError, Identity, Instant, KeyError, KeyPair, LocalKey,
    MESSAGE_HEAD_LEN, MessageError, OpenError, Opened, Order, Outer, Overhead, RemoteEphemeral,
    ReplayWindow, Rounds, SealError, Session, SessionContext, SessionId, Token, message,
    message_head,
};
use telehash_hashname::Csid;
use zeroize::Zeroizing;

type Key = [u8; 32];

fn toy() -> Csid {
    Csid::new(0x01).expect("not zero")
}

fn random(rng: &mut dyn CryptoRng) -> Key {
    let mut key = [0; 32];
    rng.fill_bytes(&mut key);
    key
}

/// Public key of a secret one, and the other way round.
fn other_half(key: &Key) -> Key {
    key.map(|byte| byte ^ 0x55)
}

fn agree(secret: &Key, public: &Key) -> Key {
    std::array::from_fn(|i| secret[i] ^ public[i] ^ 0x55)
}

fn mac(key: &Key, data: &[&[u8]]) -> [u8; 16] {
    let hash = data
        .iter()
        .fold(Sha256::new().chain_update(key), |hash, part| {
            hash.chain_update(part)
        });
    hash.finalize()[..16].try_into().expect("16 of 32")
}

fn mask(key: &Key, data: &mut [u8]) {
    data.iter_mut()
        .zip(key.iter().cycle())
        .for_each(|(byte, key)| *byte ^= key);
}

fn parse(key: &[u8]) -> Result<Key, KeyError> {
    key.try_into().map_err(|_| KeyError::Length {
        expected: 32,
        actual: key.len(),
    })
}

#[derive(Debug)]
struct Toy;

impl CipherSet for Toy {
    fn csid(&self) -> Csid {
        toy()
    }

    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        let secret = random(rng);
        Ok(KeyPair {
            public: other_half(&secret).to_vec(),
            secret: Zeroizing::new(secret.to_vec()),
        })
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        parse(public).map(|_| ())
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        let (public, secret) = (parse(public)?, parse(secret)?);
        if other_half(&secret) != public {
            return Err(KeyError::Mismatch);
        }
        Ok(Arc::new(ToyKey { public, secret }))
    }
}

#[derive(Clone, Debug)]
struct ToyKey {
    public: Key,
    secret: Key,
}

impl LocalKey for ToyKey {
    fn csid(&self) -> Csid {
        toy()
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    /// BODY = KEY(32) masked(inner || PROOF(16))
    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let (key, rest) = body.split_first_chunk().ok_or(MessageError::Malformed)?;
        let agreement = agree(&self.secret, key);
        let mut plain = rest.to_vec();
        mask(&agreement, &mut plain);
        let (inner, proof) = plain
            .split_last_chunk::<16>()
            .ok_or(MessageError::Malformed)?;
        let remote = RemoteEphemeral::new(toy(), key, Zeroizing::new(agreement.to_vec()))?;
        Ok(Opened::new(inner.to_vec(), remote).with_proof(proof.to_vec()))
    }

    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError> {
        let order = Order::of(&self.public, remote_public)?;
        let remote = parse(remote_public)?;
        let ephemeral = random(rng);
        Ok(Box::new(ToyExchange {
            local: self.clone(),
            remote,
            order,
            ephemeral,
        }))
    }
}

#[derive(Debug)]
struct ToyExchange {
    local: ToyKey,
    remote: Key,
    order: Order,
    ephemeral: Key,
}

impl ToyExchange {
    fn proof(&self, key: &[u8], inner: &[u8]) -> [u8; 16] {
        mac(&agree(&self.local.secret, &self.remote), &[key, inner])
    }
}

impl Exchange for ToyExchange {
    fn csid(&self) -> Csid {
        toy()
    }

    fn token(&self) -> Token {
        Token::of_body(&other_half(&self.ephemeral)).expect("32 bytes")
    }

    fn head_only_token(&self) -> Token {
        Token::head_only_of_body(&other_half(&self.ephemeral)).expect("32 bytes")
    }

    fn order(&self) -> Order {
        self.order
    }

    fn remote_public(&self) -> &[u8] {
        &self.remote
    }

    fn rounds(&self) -> Rounds {
        Rounds::FreshEphemeral
    }

    fn seal(&mut self, inner: &[u8], _: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let key = other_half(&self.ephemeral);
        let mut text = [inner, &self.proof(&key, inner)].concat();
        mask(&agree(&self.ephemeral, &self.remote), &mut text);
        let mut packet = message_head(toy(), key.len() + text.len());
        packet.extend_from_slice(&key);
        packet.append(&mut text);
        Ok(packet)
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        self.local.open(body)
    }

    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        let proof = self.proof(opened.remote.key(), &opened.inner);
        let fits = opened.remote.sent(body) && opened.proof() == proof;
        if fits {
            Ok(())
        } else {
            Err(MessageError::Forged)
        }
    }

    fn adopt(&mut self, _: &RemoteEphemeral) -> Result<(), ExchangeError> {
        Ok(())
    }

    fn session(
        &mut self,
        remote: &RemoteEphemeral,
        _: &SessionContext<'_>,
        _: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Session>, ExchangeError> {
        let theirs = remote
            .key()
            .try_into()
            .map_err(|_| ExchangeError::OtherSet)?;
        let key = agree(&self.ephemeral, &theirs);
        let (local, remote) = (self.token(), remote.token());
        Ok(Box::new(ToySession {
            key,
            local,
            remote,
            next: 0,
            window: ReplayWindow::new(),
        }))
    }

    fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ExchangeError> {
        self.ephemeral = random(rng);
        Ok(())
    }
}

#[derive(Debug)]
struct ToySession {
    key: Key,
    local: Token,
    remote: Token,
    next: u64,
    window: ReplayWindow,
}

/// Bytes before the plaintext: `00 00 TOKEN(16) COUNTER(8)`.
const HEAD: usize = 26;

impl Session for ToySession {
    fn csid(&self) -> Csid {
        toy()
    }

    fn session_id(&self) -> SessionId {
        SessionId::from_bytes(mac(&self.key, &[]))
    }

    fn overhead(&self) -> Overhead {
        Overhead {
            head: HEAD,
            tail: 16,
        }
    }

    fn local_token(&self) -> Token {
        self.local
    }

    fn remote_token(&self) -> Token {
        self.remote
    }

    fn set_remote_token(&mut self, token: Token) {
        self.remote = token;
    }

    fn seal(&mut self, _: Instant, packet: &mut [u8]) -> Result<(), SealError> {
        let needed = self.overhead().total();
        let no_room = SealError::NoRoom {
            needed,
            actual: packet.len(),
        };
        let (rest, tag) = packet.split_last_chunk_mut::<16>().ok_or(no_room)?;
        let (head, text) = rest.split_first_chunk_mut::<HEAD>().ok_or(no_room)?;
        head[..2].fill(0);
        head[2..18].copy_from_slice(self.remote.as_bytes());
        head[18..].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        mask(&self.key, text);
        *tag = mac(&self.key, &[head, text]);
        Ok(())
    }

    fn open(&mut self, _: Instant, packet: &mut [u8]) -> Result<Range<usize>, OpenError> {
        let end = packet.len().saturating_sub(16);
        let (rest, tag) = packet
            .split_last_chunk_mut::<16>()
            .ok_or(OpenError::Malformed)?;
        let (head, text) = rest
            .split_first_chunk_mut::<HEAD>()
            .ok_or(OpenError::Malformed)?;
        if *tag != mac(&self.key, &[head, text]) {
            return Err(OpenError::Forged);
        }
        let counter = u64::from_be_bytes(head[18..].try_into().expect("8 bytes"));
        if !self.window.accept(counter) {
            return Err(OpenError::Replayed);
        }
        mask(&self.key, text);
        Ok(HEAD..end)
    }

    fn exhausted(&self) -> bool {
        false
    }
}

fn sets() -> CipherSets {
    CipherSets::default().with(Arc::new(Toy))
}

fn identities(csids: &[Csid]) -> (Identity, Identity, ChaCha20Rng) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let [a, b] = [(); 2].map(|()| Identity::generate(&sets(), csids, &mut rng).expect("supported"));
    (a, b, rng)
}

fn sessions() -> (Box<dyn Session>, Box<dyn Session>) {
    let (a, b, mut rng) = identities(&[toy()]);
    let (a_key, b_key) = (
        a.local(toy()).expect("its key"),
        b.local(toy()).expect("its key"),
    );
    let mut at_a = a_key
        .exchange(b_key.public(), &mut rng)
        .expect("an honest key");
    let mut at_b = b_key
        .exchange(a_key.public(), &mut rng)
        .expect("an honest key");
    let context = SessionContext {
        local: a.hashname(),
        remote: b.hashname(),
        resume: None,
    };
    let mut session = |ours: &mut Box<dyn Exchange>, theirs: &mut Box<dyn Exchange>| {
        let packet = theirs.seal(b"hello", &mut rng).expect("a message");
        let remote = ours
            .open(&packet[MESSAGE_HEAD_LEN..])
            .expect("a message to us")
            .remote;
        ours.session(&remote, &context, &mut rng)
            .expect("a session")
    };
    (session(&mut at_a, &mut at_b), session(&mut at_b, &mut at_a))
}

#[test]
fn a_set_of_ones_own_stands_beside_the_others() {
    let others = CipherSets::default();
    let expected: Vec<_> = [toy()].into_iter().chain(others.csids()).collect();
    assert_eq!(sets().csids().collect::<Vec<_>>(), expected);
    let (a, b, _) = identities(&[toy(), Csid::CS3A]);
    assert_eq!(a.keys().agreed(b.keys()), Some(Csid::CS3A));
    assert_eq!(a.csids().collect::<Vec<_>>(), [toy(), Csid::CS3A]);
}

#[test]
fn messages_in_it_prove_their_sender() {
    let (a, b, mut rng) = identities(&[toy()]);
    let packet = message::seal(&a, b.keys(), b"hello", &mut rng).expect("a message");
    let opened = message::open(&b, &packet).expect("a message to b");
    assert_eq!((opened.csid(), opened.inner()), (toy(), &b"hello"[..]));
    assert_eq!(opened.verify(&b, a.keys(), &mut rng), Ok(()));
    let stranger = Identity::generate(&sets(), &[toy()], &mut rng).expect("supported");
    let forged = Err(message::Error::Message(MessageError::Forged));
    assert_eq!(opened.verify(&b, stranger.keys(), &mut rng), forged);
}

#[test]
fn packets_with_a_tail_can_be_sealed_in_batches() {
    let (mut a, mut b) = sessions();
    assert_eq!(a.session_id(), b.session_id());
    let now = Instant::from_micros(0);
    let segment = 8 + a.overhead().total() + 10;
    let mut batch = vec![7; 2 * segment + 8 + a.overhead().total()];
    a.seal_batch(now, &mut batch, segment, 8).expect("room");
    for (datagram, len) in batch.chunks_mut(segment).zip([10, 10, 0]) {
        let packet = &mut datagram[8..];
        assert_eq!(
            Outer::parse(packet),
            Some(Outer::Channel {
                token: b.local_token()
            })
        );
        let plaintext = b.open(now, packet).expect("a packet to b");
        assert_eq!(packet[plaintext], vec![7; len]);
    }
}

#[test]
fn a_session_that_says_nothing_of_time_and_resumption_has_none() {
    let (mut a, _) = sessions();
    assert_eq!(a.poll_timeout(), None);
    a.handle_timeout(Instant::from_micros(u64::MAX));
    assert_eq!(a.resume(), None);
}
