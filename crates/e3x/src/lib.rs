//! Telehash end-to-end encryption (E3X): cipher sets, identities, messages, exchanges and sessions.
//!
//! This crate implements cipher-sets.md. It moves no packets, reads no clock and draws no
//! randomness: bytes, an [`Instant`] and an RNG come in, bytes go out. When to send which handshake
//! is decided by `telehash-link`.
//!
//! - A [`CipherSet`] makes and loads keys; [`CipherSets`] are those an endpoint supports. [`Cs3a`]
//!   is one; `Cs1a` and `Cs1c` are others, behind their features.
//! - An [`Identity`] is our own keys, a [`LocalKey`] for each set. It opens messages from anyone.
//! - An [`Exchange`] is everything towards one other endpoint: it seals messages, opens them
//!   cheaply, proves their sender and derives sessions.
//! - A [`Session`] seals and opens channel packets in place, and refuses replays.
//! - [`message`] seals single messages without any of that.
//!
//! Two endpoints meet, and one sends a channel packet to the other:
//!
//! ```
//! # #[cfg(feature = "cs3a")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use telehash_e3x::{CipherSets, Identity, Instant, Outer, SessionContext};
//! use telehash_hashname::Csid;
//! # use rand_core::SeedableRng;
//! # let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
//!
//! let sets = CipherSets::default();
//! let alice = Identity::generate(&sets, &[Csid::CS3A], &mut rng)?;
//! let bob = Identity::generate(&sets, &[Csid::CS3A], &mut rng)?;
//! let (alice_key, bob_key) = (alice.local(Csid::CS3A).unwrap(), bob.local(Csid::CS3A).unwrap());
//!
//! // Alice knows Bob's key and sends a handshake. (Its inner packet is a LOB; see links.md.)
//! let mut to_bob = alice_key.exchange(bob_key.public(), &mut rng)?;
//! let hello = to_bob.seal(b"a handshake", &mut rng)?;
//!
//! // Bob decrypts it, learns from the inner packet who claims to have sent it, and makes sure.
//! let Some(Outer::Message { body, .. }) = Outer::parse(&hello) else { panic!("a message") };
//! let opened = bob_key.open(body)?;
//! let mut to_alice = bob_key.exchange(alice_key.public(), &mut rng)?;
//! to_alice.verify(body, &opened)?;
//! to_alice.adopt(&opened.remote)?;
//!
//! // He answers, and has all he needs for a session.
//! let answer = to_alice.seal(b"his handshake", &mut rng)?;
//! let context = SessionContext { local: bob.hashname(), remote: alice.hashname(), resume: None };
//! let mut bobs = to_alice.session(&opened.remote, &context, &mut rng)?;
//!
//! // So has Alice, once she has checked the answer.
//! let Some(Outer::Message { body, .. }) = Outer::parse(&answer) else { panic!("a message") };
//! let opened = to_bob.open(body)?;
//! to_bob.verify(body, &opened)?;
//! to_bob.adopt(&opened.remote)?;
//! let context = SessionContext { local: alice.hashname(), remote: bob.hashname(), resume: None };
//! let mut alices = to_bob.session(&opened.remote, &context, &mut rng)?;
//! assert_eq!(alices.session_id(), bobs.session_id());
//!
//! // A channel packet is sealed in the buffer it was written to, and opened where it was received.
//! let now = Instant::from_micros(0);
//! let overhead = alices.overhead();
//! let mut packet = vec![0; overhead.head];
//! packet.extend_from_slice(b"a channel packet");
//! packet.resize(packet.len() + overhead.tail, 0);
//! alices.seal(now, &mut packet)?;
//!
//! assert_eq!(Outer::parse(&packet), Some(Outer::Channel { token: bobs.local_token() }));
//! let mut replay = packet.clone();
//! let plaintext = bobs.open(now, &mut packet)?;
//! assert_eq!(&packet[plaintext], b"a channel packet");
//! assert!(bobs.open(now, &mut replay).is_err());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "cs3a"))]
//! # fn main() {}
//! ```
//!
//! # What it costs
//!
//! Public-key work in scalar multiplications, those with the base point (several times cheaper in
//! CS3a) apart, for CS1a, CS1c and CS3a. All results are kept, so that one session costs each side four and one with the
//! base point.
//!
//! | call | scalar multiplications | with the base point |
//! | --- | --- | --- |
//! | [`CipherSet::generate`], [`CipherSet::load`] | 0 | 1 |
//! | [`CipherSet::check_key`] | 0 | 0 |
//! | [`LocalKey::open`] | 1 | 0 |
//! | [`LocalKey::exchange`] | 0 | 1 |
//! | [`Exchange::seal`] | at first 2, or 1 after a `verify`; then 0 | 0 |
//! | [`Exchange::open`] | 0 for an adopted ephemeral, else 1 | 0 |
//! | [`Exchange::verify`] | at first 1, or 0 after a `seal`; then 0 | 0 |
//! | [`Exchange::adopt`] | 0 | 0 |
//! | [`Exchange::session`] | 1 | 0 |
//! | [`Exchange::fresh`] | 1, in the next `seal` | 1 |
//! | everything of [`Session`] | 0 | 0 |
//!
//! Where CS1a and CS1c take a public key or an unknown ephemeral, they also decode a point, which
//! is twenty times cheaper or more. On a Zen 4 a multiplication takes 0.14 ms in
//! either set, 0.025 ms in CS3a.
//! In CS2a RSA operations with the secret key outweigh all others (about a quarter of a millisecond,
//! where scalar multiplications and RSA operations with a public key take some ten microseconds): one
//! for a message from an ephemeral that was not adopted, and one for every message sealed, its
//! signature. That makes two for each side of a session. Generating a key takes a tenth of a second.
//!
//! CS42 costs what CS3a does, call by call, except that each session takes a [`fresh`](Exchange::fresh)
//! ephemeral: every one costs each side four scalar multiplications and one with the base point, or
//! three if the exchange is kept, which remembers what both identities agree on. Packets cost one pass
//! of AES-256-GCM. Every 2^20th packet, or one in two minutes, derives new keys, which takes as long as
//! a few packets do; forged ones make us do so eight times at most before an honest one arrives.
//!
//! # Features
//!
//! - `std` (default): lets the cipher sets detect what the CPU can do. Without it the crate needs
//!   `alloc` only.
//! - `cs1a`: `Cs1a`, for the smallest devices. The arithmetic of its curve is this crate's own.
//! - `cs1c`: `Cs1c`, for small devices.
//! - `cs2a`: `Cs2a`. Needs `std`; its library, aws-lc, is built with a C compiler, and draws RSA keys
//!   and the seeds of OAEP from the operating system.
//! - `cs3a` (default): [`Cs3a`]. Its library links `getrandom` without ever calling it from here;
//!   targets that `getrandom` does not know need its `custom` backend.
//! - `cs42`: `Cs42`. One of its libraries, ring, is built with a C compiler.
//! - `fuzzing`: bodies for fuzz targets. Not covered by semantic versioning.
#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod cipher_set;
#[cfg(any(feature = "cs1a", feature = "cs1c"))]
mod cs1;
#[cfg(feature = "cs2a")]
mod cs2a;
#[cfg(feature = "cs3a")]
mod cs3a;
#[cfg(feature = "cs42")]
mod cs42;
#[cfg(any(feature = "cs1a", feature = "cs1c", feature = "cs3a"))]
mod ephemerals;
mod exchange;
#[cfg(any(feature = "fuzzing", all(test, feature = "cs3a", feature = "std")))]
pub mod fuzzing;
mod identity;
pub mod message;
mod order;
mod outer;
mod registry;
mod replay;
mod session;
mod time;
mod token;
#[cfg(all(test, any(feature = "cs1a", feature = "cs1c", feature = "cs3a")))]
mod work;

pub use cipher_set::{CipherSet, KeyError, KeyPair, LocalKey};
#[cfg(feature = "cs1a")]
pub use cs1::Cs1a;
#[cfg(feature = "cs1c")]
pub use cs1::Cs1c;
#[cfg(feature = "cs2a")]
pub use cs2a::Cs2a;
#[cfg(feature = "cs3a")]
pub use cs3a::Cs3a;
#[cfg(feature = "cs42")]
pub use cs42::Cs42;
pub use exchange::{
    Exchange, ExchangeError, MessageError, Opened, RemoteEphemeral, Rounds, SessionContext,
};
pub use identity::{Identity, IdentityError};
pub use order::{Order, OwnKey};
pub use outer::{MESSAGE_HEAD_LEN, Outer, message_head};
pub use registry::CipherSets;
pub use replay::{RecentNonces, ReplayWindow};
pub use session::{OpenError, Overhead, Resumption, SealError, Session, SessionId};
pub use time::Instant;
pub use token::Token;
