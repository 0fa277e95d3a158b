//! What the micro-benchmarks measure with: packets of typical sizes and a pair of sessions.
//!
//! ```
//! use telehash_benches::Pair;
//!
//! let mut pair = Pair::new();
//! let mut packet = pair.packet(64);
//! let plaintext = pair.open(&mut packet);
//! assert_eq!(plaintext.len(), 64);
//! ```

use std::ops::Range;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_e3x::{
    CipherSets, Exchange, Identity, Instant, Outer, RemoteEphemeral, Session, SessionContext,
};
use telehash_hashname::Csid;
use telehash_lob::ChannelHeader;

/// Bytes of the packets: a small one, one that fits every path, and one that fits most.
pub const SIZES: [usize; 3] = [64, 1200, 1400];

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

/// Two ends of one CS3a session.
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
    pub fn new() -> Self {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sets = CipherSets::default();
        let mut identity =
            || Identity::generate(&sets, &[Csid::CS3A], &mut rng).expect("CS3a is on");
        let (alice, bob) = (identity(), identity());
        let alice_key = alice.local(Csid::CS3A).expect("it was generated");
        let bob_key = bob.local(Csid::CS3A).expect("it was generated");
        let mut to_bob = alice_key
            .exchange(bob_key.public(), &mut rng)
            .expect("a valid key");
        let mut to_alice = bob_key
            .exchange(alice_key.public(), &mut rng)
            .expect("a valid key");
        let hello = to_bob.seal(b"hello", &mut rng).expect("a fresh ephemeral");
        let answer = to_alice
            .seal(b"hello", &mut rng)
            .expect("a fresh ephemeral");
        let of_alice = receive(to_alice.as_mut(), &hello);
        let of_bob = receive(to_bob.as_mut(), &answer);
        let context = |local: &Identity, remote: &Identity| (local.hashname(), remote.hashname());
        let (ours, theirs) = (context(&alice, &bob), context(&bob, &alice));
        let ours = SessionContext {
            local: ours.0,
            remote: ours.1,
            resume: None,
        };
        let theirs = SessionContext {
            local: theirs.0,
            remote: theirs.1,
            resume: None,
        };
        Self {
            sender: to_bob
                .session(&of_bob, &ours, &mut rng)
                .expect("both are known"),
            receiver: to_alice
                .session(&of_alice, &theirs, &mut rng)
                .expect("both are known"),
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

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

fn receive(exchange: &mut dyn Exchange, message: &[u8]) -> RemoteEphemeral {
    let Some(Outer::Message { body, .. }) = Outer::parse(message) else {
        panic!("a message was sealed")
    };
    let opened = exchange.open(body).expect("it is for us");
    exchange
        .verify(body, &opened)
        .expect("it is from the other end");
    exchange.adopt(&opened.remote).expect("it is not ours");
    opened.remote
}
