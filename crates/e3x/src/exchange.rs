//! Exchanges: messages with one other endpoint, and the sessions that grow out of them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use telehash_hashname::{Csid, Hashname};
use zeroize::Zeroizing;

use crate::{KeyError, Order, OwnKey, SealError, Session, Token};

/// Everything cryptographic towards one other endpoint in one cipher set: our ephemeral key, the
/// messages sealed with it, and the agreements that have been computed so far (links.md,
/// Handshake).
///
/// The order of events when a message comes in is [`open`](Self::open), find out from the inner
/// packet whose it is, [`verify`](Self::verify), decide whether to believe it,
/// [`adopt`](Self::adopt), and [`session`](Self::session) once both sides agree.
///
/// # One session for one pair of ephemerals
///
/// A handshake round with the same two ephemeral keys leads to the same channel keys, so it must
/// never lead to another session: that would start nonces and replay filters anew under the same
/// keys. Keep the [`Session`] for as long as the exchange keeps its ephemeral. Whoever erases a
/// session calls [`fresh`](Self::fresh) before the next message. An exchange refuses to make a
/// second session from the same pair ([`ExchangeError::NeedsFresh`]).
pub trait Exchange: fmt::Debug + Send + Sync {
    /// The cipher set of this exchange.
    fn csid(&self) -> Csid;

    /// Our token: channel packets to us carry it. Changes with [`fresh`](Self::fresh).
    fn token(&self) -> Token;

    /// Our second token, for channel packets to us that are only cloaked at their head. Changes
    /// with [`fresh`](Self::fresh).
    fn head_only_token(&self) -> Token;

    /// Our side of the exchange.
    fn order(&self) -> Order;

    /// The public key of the other endpoint.
    fn remote_public(&self) -> &[u8];

    /// How this set's ephemeral keys live.
    fn rounds(&self) -> Rounds;

    /// Whether the MACs of this set are short enough to be guessed over the network (CS1a, CS1c:
    /// four bytes).
    ///
    /// A message with a guessed MAC is full impersonation. Whoever calls
    /// [`verify`](Self::verify) for messages from the network limits how often it may fail for one
    /// claimed identity, and leaves messages out of it that carry the ephemeral of a live session
    /// (cipher-sets.md, Nonces, replay and failures). Failures of channel packets are counted by
    /// [`Session::exhausted`].
    fn weak_mac(&self) -> bool {
        false
    }

    /// Seals an inner packet (the bytes of a LOB) into a complete outer message packet, `LOB(HEAD =
    /// csid, BODY)`.
    ///
    /// Every call uses new randomness; for a resend that must be the same bytes, keep them.
    ///
    /// # Errors
    ///
    /// [`SealError::Exhausted`] when this ephemeral has sealed all it may;
    /// [`SealError::RemoteKey`].
    fn seal(&mut self, inner: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError>;

    /// Decrypts the BODY of a message that may be from this endpoint.
    ///
    /// As [`LocalKey::open`](crate::LocalKey::open), but without public-key work when the message
    /// carries the ephemeral key that was [adopted](Self::adopt), and refusing messages that carry
    /// our own.
    ///
    /// # Errors
    ///
    /// [`MessageError`]; no state changes.
    fn open(&self, body: &[u8]) -> Result<Opened, MessageError>;

    /// Proves that the endpoint of this exchange made a message: checks its MAC or signature.
    /// `body` is the BODY that `opened` came from.
    ///
    /// # Errors
    ///
    /// [`MessageError`]; no state changes.
    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError>;

    /// Remembers an ephemeral key of the other side, so that later messages with it need no
    /// public-key work. The last few that were adopted are remembered. Only call it with one from a
    /// message that [`verify`](Self::verify) passed.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::OwnEphemeral`], [`ExchangeError::OtherSet`].
    fn adopt(&mut self, remote: &RemoteEphemeral) -> Result<(), ExchangeError>;

    /// Derives the session of our present ephemeral key and the other side's.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::NeedsFresh`] if this pair had its session already,
    /// [`ExchangeError::OwnEphemeral`], [`ExchangeError::OtherSet`],
    /// [`ExchangeError::WeakAgreement`].
    fn session(
        &mut self,
        remote: &RemoteEphemeral,
        context: &SessionContext<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Session>, ExchangeError>;

    /// Erases our ephemeral key, and whatever was computed with it, now: its round gave up. Nothing
    /// can be sealed or derived until [`fresh`](Self::fresh); messages can still be
    /// [opened](Self::open) and [verified](Self::verify).
    ///
    /// A set that keeps its ephemeral for the life of a session needs no such thing and does
    /// nothing.
    fn erase(&mut self) {}

    /// Replaces our ephemeral key, and with it our token, by a new one and erases the old; sessions
    /// that were derived go on. See [`rounds`](Self::rounds) for when to call it.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::RemoteKey`] if a set's library fails to make a key.
    fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ExchangeError>;
}

/// When an exchange needs a new ephemeral key ([`Exchange::fresh`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rounds {
    /// One ephemeral serves all handshake rounds of a session. A new one is due when that session
    /// is erased (CS1a, CS1c, CS2a, CS3a).
    KeptEphemeral,
    /// Every handshake round has a new ephemeral and leads to a new session (CS42).
    FreshEphemeral,
}

/// A decrypted message whose sender is not yet proved.
#[non_exhaustive]
pub struct Opened {
    /// The inner packet: the bytes of a LOB.
    pub inner: Vec<u8>,
    /// The ephemeral key of the sender.
    pub remote: RemoteEphemeral,
    proof: Vec<u8>,
}

impl Opened {
    /// What a cipher set hands out after decrypting a message.
    #[must_use]
    pub const fn new(inner: Vec<u8>, remote: RemoteEphemeral) -> Self {
        Self {
            inner,
            remote,
            proof: Vec::new(),
        }
    }

    /// Adds what the set decrypted beside the inner packet and needs again to
    /// [verify](Exchange::verify) the sender, such as a signature.
    #[must_use]
    pub fn with_proof(mut self, proof: Vec<u8>) -> Self {
        self.proof = proof;
        self
    }

    /// What [`with_proof`](Self::with_proof) added; empty without it.
    #[must_use]
    pub fn proof(&self) -> &[u8] {
        &self.proof
    }

    /// The token of the sender: what channel packets to it carry.
    #[must_use]
    pub fn token(&self) -> Token {
        self.remote.token()
    }
}

impl fmt::Debug for Opened {
    /// Shows the sender's ephemeral and the length of what was decrypted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("remote", &self.remote)
            .field("inner_len", &self.inner.len())
            .finish_non_exhaustive()
    }
}

/// The ephemeral key of the sender of a message, together with what decrypting the message computed
/// from it.
///
/// A cheap clone; the secret part is erased with the last one.
#[derive(Clone)]
pub struct RemoteEphemeral(Arc<Ephemeral>);

struct Ephemeral {
    csid: Csid,
    prefix: [u8; Token::LEN],
    key: Vec<u8>,
    secret: Zeroizing<Vec<u8>>,
}

impl RemoteEphemeral {
    /// For implementations of cipher sets: `key` is the KEY (or KEYS) field exactly as the message
    /// BODY begins with it, `secret` whatever the set needs to know about it later.
    ///
    /// # Errors
    ///
    /// [`MessageError::Malformed`] if `key` is shorter than the 16 bytes that make a token.
    pub fn new(csid: Csid, key: &[u8], secret: Zeroizing<Vec<u8>>) -> Result<Self, MessageError> {
        let prefix = *key.first_chunk().ok_or(MessageError::Malformed)?;
        Ok(Self(Arc::new(Ephemeral {
            csid,
            prefix,
            key: key.to_vec(),
            secret,
        })))
    }

    /// The cipher set of the message.
    #[must_use]
    pub fn csid(&self) -> Csid {
        self.0.csid
    }

    /// The KEY (or KEYS) field of the message.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0.key
    }

    /// For implementations of cipher sets: the secret given to [`new`](Self::new).
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.0.secret
    }

    /// The token that goes with this key.
    #[must_use]
    pub fn token(&self) -> Token {
        Token::of_prefix(&self.0.prefix)
    }

    /// The second token that goes with this key, for packets that are only cloaked at their head.
    #[must_use]
    pub fn head_only_token(&self) -> Token {
        Token::head_only_of_prefix(&self.0.prefix)
    }

    /// Whether a message with this BODY carries this key.
    #[must_use]
    pub fn sent(&self, body: &[u8]) -> bool {
        body.starts_with(self.key())
    }
}

impl fmt::Debug for RemoteEphemeral {
    /// Shows the cipher set and the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteEphemeral")
            .field("csid", &self.csid())
            .field("token", &self.token())
            .finish_non_exhaustive()
    }
}

/// What the session of a cipher set may depend on beside the keys. Only CS42 uses it.
#[derive(Clone, Copy)]
pub struct SessionContext<'a> {
    /// Our hashname.
    pub local: Hashname,
    /// The hashname of the other endpoint.
    pub remote: Hashname,
    /// The resumption secret of the session that this one continues ([`Session::resume`]), if both
    /// sides said so.
    pub resume: Option<&'a [u8; 32]>,
}

impl fmt::Debug for SessionContext<'_> {
    /// Shows whether there is a resumption secret, not which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionContext")
            .field("local", &self.local)
            .field("remote", &self.remote)
            .field("resume", &self.resume.is_some())
            .finish()
    }
}

/// Why a message was not accepted. It says no more than this on purpose: never answer a peer with
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Too short, or not made the way this cipher set makes messages.
    #[error("the message is malformed: it was cut off, or is of another cipher set")]
    Malformed,
    /// It does not decrypt, or its sender is not who it claims to be.
    #[error(
        "the message does not authenticate: it was changed on the way, is for somebody else, or is a forgery"
    )]
    Forged,
    /// It carries our own ephemeral key: somebody sent us our own message.
    #[error("the message is one of our own, sent back to us")]
    OwnEphemeral,
}

/// Why an exchange cannot do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The other endpoint's key is ours.
    #[error(transparent)]
    OwnKey(#[from] OwnKey),
    /// The other endpoint's key cannot be used.
    #[error("the other endpoint's key cannot be used: {0}")]
    RemoteKey(#[from] KeyError),
    /// The other side's ephemeral key is the one we made ourselves.
    #[error("the other side uses our own ephemeral key, which only a replay or a forgery can")]
    OwnEphemeral,
    /// The other side's ephemeral key gives a secret that everybody knows.
    #[error("the other side's ephemeral key was made to be weak; its message must be dropped")]
    WeakAgreement,
    /// The ephemeral key comes from a message of another cipher set.
    #[error(
        "the ephemeral key is of another cipher set than this exchange; use the exchange of that set"
    )]
    OtherSet,
    /// This pair of ephemeral keys has had its session.
    #[error(
        "this ephemeral key has had its session; go on with that one, or make a fresh ephemeral first"
    )]
    NeedsFresh,
}
