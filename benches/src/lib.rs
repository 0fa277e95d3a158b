//! What the micro-benchmarks and instruction counts measure with: packets of typical sizes, two ends that
//! send each other messages, a pair of sessions, of flows and of links.
//!
//! ```
//! use telehash_benches::Pair;
//! use telehash_hashname::Csid;
//!
//! let mut pair = Pair::new(Csid::CS3A);
//! let mut packet = pair.packet(64);
//! let plaintext = pair.open(&mut packet);
//! assert_eq!(plaintext.len(), 64);
//! ```

mod flows;
mod links;

use std::ops::Range;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_e3x::{
    CipherSets, Exchange, Identity, Instant, LocalKey, Opened, Outer, RemoteEphemeral, Session,
    SessionContext,
};
use telehash_hashname::Csid;
use telehash_lob::ChannelHeader;

pub use self::flows::Flows;
pub use self::links::Links;

/// Bytes of the packets: a small one, one that fits every path, and one that fits most.
pub const SIZES: [usize; 3] = [64, 1200, 1400];

/// Bytes of the content of a message: a handshake of an endpoint with one key.
pub const MESSAGE: usize = 200;

/// Every cipher set there is.
pub const SETS: [Csid; 5] = [Csid::CS1A, Csid::CS1C, Csid::CS2A, Csid::CS3A, Csid::CS42];

/// The head of a data packet in the middle of a reliable channel.
#[must_use]
pub fn header() -> ChannelHeader<'static> {
    let mut header = ChannelHeader::new(3);
    header.seq = Some(78_231);
    header.ack = Some(78_200);
    header
}

/// `length` bytes of content.
#[must_use]
pub fn content(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}

/// Two endpoints that know each other's key in one cipher set.
pub struct Ends {
    alice: Identity,
    bob: Identity,
    csid: Csid,
    rng: ChaCha20Rng,
}

/// Both ends' exchanges, and the ephemeral that each received: ready for a session.
pub struct Handshake {
    exchanges: [Box<dyn Exchange>; 2],
    received: [RemoteEphemeral; 2],
    names: [Identity; 2],
    rng: ChaCha20Rng,
}

impl Ends {
    /// Two new identities.
    ///
    /// # Panics
    ///
    /// If the cipher set does not work at all.
    #[must_use]
    pub fn new(csid: Csid) -> Self {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sets = CipherSets::default();
        let mut identity =
            || Identity::generate(&sets, &[csid], &mut rng).expect("the set is enabled");
        let (alice, bob) = (identity(), identity());
        Self {
            alice,
            bob,
            csid,
            rng,
        }
    }

    /// Bob's key, which opens messages from anyone.
    ///
    /// # Panics
    ///
    /// Never: it was generated.
    #[must_use]
    pub fn bob(&self) -> &Arc<dyn LocalKey> {
        self.bob.local(self.csid).expect("it was generated")
    }

    /// Exchanges of Alice with Bob and of Bob with Alice, each with a fresh ephemeral.
    ///
    /// # Panics
    ///
    /// If the cipher set does not work at all.
    pub fn exchanges(&mut self) -> [Box<dyn Exchange>; 2] {
        let alice = self.alice.local(self.csid).expect("it was generated");
        let bob = self.bob.local(self.csid).expect("it was generated");
        [(alice, bob), (bob, alice)].map(|(ours, theirs)| {
            ours.exchange(theirs.public(), &mut self.rng)
                .expect("an honest key")
        })
    }

    /// A message of `MESSAGE` bytes that `exchange` seals.
    ///
    /// # Panics
    ///
    /// If the exchange is used up.
    pub fn seal(&mut self, exchange: &mut dyn Exchange) -> Vec<u8> {
        exchange
            .seal(&[b'{'; MESSAGE], &mut self.rng)
            .expect("it has an ephemeral")
    }

    /// A handshake up to the point where both ends derive their session.
    ///
    /// # Panics
    ///
    /// If the cipher set does not work at all.
    pub fn handshake(&mut self) -> Handshake {
        let [mut to_bob, mut to_alice] = self.exchanges();
        let hello = self.seal(to_bob.as_mut());
        let answer = self.seal(to_alice.as_mut());
        let of_alice = receive(to_alice.as_mut(), &hello);
        let of_bob = receive(to_bob.as_mut(), &answer);
        Handshake {
            exchanges: [to_bob, to_alice],
            received: [of_bob, of_alice],
            names: [self.alice.clone(), self.bob.clone()],
            rng: self.rng.clone(),
        }
    }
}

impl Handshake {
    /// The session of Alice (0) or Bob (1). There is one for each.
    ///
    /// # Panics
    ///
    /// When it is asked for again.
    pub fn session(&mut self, end: usize) -> Box<dyn Session> {
        let context = SessionContext {
            local: self.names[end].hashname(),
            remote: self.names[1 - end].hashname(),
            resume: None,
        };
        self.exchanges[end]
            .session(&self.received[end], &context, &mut self.rng)
            .expect("both ephemerals are known")
    }
}

/// The BODY of a message packet.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn body(message: &[u8]) -> &[u8] {
    let Some(Outer::Message { body, .. }) = Outer::parse(message) else {
        panic!("not a message")
    };
    body
}

/// What an exchange makes of a message to it.
///
/// # Panics
///
/// If it is not.
#[must_use]
pub fn open(exchange: &dyn Exchange, message: &[u8]) -> Opened {
    exchange.open(body(message)).expect("it is for us")
}

/// Two ends of one session.
pub struct Pair {
    sender: Box<dyn Session>,
    receiver: Box<dyn Session>,
    now: Instant,
}

impl Pair {
    /// Two new identities whose handshakes are done.
    ///
    /// # Panics
    ///
    /// If the cipher set does not work at all.
    #[must_use]
    pub fn new(csid: Csid) -> Self {
        let mut handshake = Ends::new(csid).handshake();
        Self {
            sender: handshake.session(0),
            receiver: handshake.session(1),
            now: Instant::from_micros(0),
        }
    }

    /// Room for a packet of `length` bytes of plaintext, to be sealed.
    #[must_use]
    pub fn room(&self, length: usize) -> Vec<u8> {
        vec![0x5a; length + self.sender.overhead().total()]
    }

    /// Seals what is in `packet`; see [`room`](Self::room).
    ///
    /// # Panics
    ///
    /// If the packet has no room for it.
    pub fn seal(&mut self, packet: &mut [u8]) {
        self.sender.seal(self.now, packet).expect("it has room");
    }

    /// A sealed packet of `length` bytes of plaintext, which can be opened once.
    #[must_use]
    pub fn packet(&mut self, length: usize) -> Vec<u8> {
        let mut packet = self.room(length);
        self.seal(&mut packet);
        packet
    }

    /// Whether the other end believes a packet.
    pub fn accepts(&mut self, packet: &mut [u8]) -> bool {
        self.receiver.open(self.now, packet).is_ok()
    }

    /// Opens a packet and says where in it the plaintext is.
    ///
    /// # Panics
    ///
    /// If it is not the other end's, or was opened before.
    pub fn open(&mut self, packet: &mut [u8]) -> Range<usize> {
        self.receiver
            .open(self.now, packet)
            .expect("the other end sealed it")
    }
}

fn receive(exchange: &mut dyn Exchange, message: &[u8]) -> RemoteEphemeral {
    let (body, opened) = (body(message), open(exchange, message));
    exchange
        .verify(body, &opened)
        .expect("it is from the other end");
    exchange.adopt(&opened.remote).expect("it is not ours");
    opened.remote
}
