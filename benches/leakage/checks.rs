//! What is measured. Inputs of both classes are made beforehand and copied to one place before the time
//! starts, without a branch: or else places and branches would be compared.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_benches::{Ends, Pair, body, open};
use telehash_e3x::{CipherSets, LocalKey, MessageError};
use telehash_hashname::Csid;

use crate::welch::Class;

/// One comparison of two classes of input.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) classes: &'static str,
    pub(crate) samples: usize,
    pub(crate) expected: Expected,
    /// Prepares an input of the class, then times what is done with it.
    pub(crate) run: Box<dyn FnMut(Class) -> Duration>,
}

/// What is right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// No difference.
    Constant,
    /// A difference: or the method finds nothing.
    Leak,
}

/// Samples where one takes tens of microseconds or more.
const SLOW: usize = 40_000;
/// Samples where one takes about a microsecond.
const FAST: usize = 400_000;
/// Inputs of each class, so that neither is the better cached one.
const POOL: usize = 64;
/// Bytes that the control compares.
const CONTROL: usize = 256;

pub(crate) fn all() -> Vec<Check> {
    let multiplications = [Csid::CS1A, Csid::CS1C, Csid::CS3A, Csid::CS42];
    let macs = [Csid::CS1A, Csid::CS1C, Csid::CS3A, Csid::CS42];
    let tags = [Csid::CS1A, Csid::CS1C, Csid::CS2A, Csid::CS3A, Csid::CS42];
    let mut all = vec![control()];
    all.extend(multiplications.map(multiplication));
    all.push(padding());
    all.extend(macs.map(message_mac));
    all.extend(tags.map(channel_tag));
    all
}

fn time<R>(work: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    let result = black_box(work());
    let took = start.elapsed();
    drop(result);
    took
}

/// Takes the members of two pools in turn.
struct Pools<T> {
    pools: [Vec<T>; 2],
    next: usize,
}

impl<T> Pools<T> {
    fn new(mut make: impl FnMut(Class) -> T) -> Self {
        let pools = [Class::A, Class::B].map(|class| (0..POOL).map(|_| make(class)).collect());
        Self { pools, next: 0 }
    }

    fn draw(&mut self, class: Class) -> &T {
        self.next = (self.next + 1) % POOL;
        &self.pools[class as usize][self.next]
    }
}

/// What is right at this range, but for the first byte there, or the last.
fn wrong(right: &[u8], at: &Range<usize>) -> [Vec<u8>; 2] {
    [at.start, at.end - 1].map(|wrong| {
        let mut copy = right.to_vec();
        copy[wrong] ^= 0x80;
        copy
    })
}

/// A comparison that stops at the first difference.
fn control() -> Check {
    fn early_exit(a: &[u8], b: &[u8]) -> bool {
        a.iter().zip(b).all(|(a, b)| black_box(*a) == black_box(*b))
    }
    let right = vec![7; CONTROL];
    let wrong = wrong(&right, &(0..CONTROL));
    let mut scratch = right.clone();
    Check {
        name: "control: a comparison that stops early".into(),
        classes: "first byte wrong, last byte wrong",
        samples: FAST,
        expected: Expected::Leak,
        run: Box::new(move |class| {
            scratch.copy_from_slice(&wrong[class as usize]);
            time(|| early_exit(black_box(&scratch), black_box(&right)))
        }),
    }
}

/// Agreement of an identity key with the ephemeral of one message: a scalar multiplication.
fn multiplication(csid: Csid) -> Check {
    let mut ends = Ends::new(csid);
    let [mut to_bob, _] = ends.exchanges();
    let message = ends.seal(to_bob.as_mut());
    let set = CipherSets::default().get(csid).expect("enabled").clone();
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut new = || set.generate(&mut rng).expect("the set works");
    let fixed = new();
    // The fixed key is loaded as often as there are others: it lies in as many places.
    let mut keys: Pools<Arc<dyn LocalKey>> = Pools::new(|class| {
        let other = new();
        let pair = if class == Class::A { &fixed } else { &other };
        set.load(&pair.public, &pair.secret).expect("a pair")
    });
    Check {
        name: format!("CS{csid} scalar multiplication"),
        classes: "one secret key, random ones",
        samples: SLOW,
        expected: Expected::Constant,
        run: Box::new(move |class| {
            let key = keys.draw(class);
            time(|| key.open(body(&message)))
        }),
    }
}

/// KEYS decrypts and what it holds does not fit, or KEYS does not even decrypt.
fn padding() -> Check {
    const KEYS: usize = 256;
    let mut ends = Ends::new(Csid::CS2A);
    let mut messages = Pools::new(|class| {
        let [mut to_bob, _] = ends.exchanges();
        let mut body = body(&ends.seal(to_bob.as_mut())).to_vec();
        let last = body.len() - 1;
        // The tag is wrong in both: only the padding differs.
        body[last] ^= 1;
        if class == Class::B {
            body[KEYS - 1] ^= 1;
        }
        body
    });
    let bob = ends.bob().clone();
    let mut scratch = messages.draw(Class::A).clone();
    Check {
        name: "CS2a OAEP failure".into(),
        classes: "good padding and wrong tag, broken KEYS",
        samples: SLOW / 2,
        expected: Expected::Constant,
        run: Box::new(move |class| {
            scratch.copy_from_slice(messages.draw(class));
            time(|| assert_eq!(bob.open(&scratch).err(), Some(MessageError::Forged)))
        }),
    }
}

/// The static MAC of messages, behind cached agreements.
fn message_mac(csid: Csid) -> Check {
    let mut ends = Ends::new(csid);
    let [mut to_bob, mut to_alice] = ends.exchanges();
    let message = ends.seal(to_bob.as_mut());
    let opened = open(to_alice.as_ref(), &message);
    let mac = if matches!(csid, Csid::CS1A | Csid::CS1C) {
        4
    } else {
        16
    };
    let right = body(&message).to_vec();
    let wrong = wrong(&right, &(right.len() - mac..right.len()));
    let mut scratch = right;
    Check {
        name: format!("CS{csid} message MAC"),
        classes: "first byte wrong, last byte wrong",
        samples: FAST,
        expected: Expected::Constant,
        run: Box::new(move |class| {
            scratch.copy_from_slice(&wrong[class as usize]);
            time(|| assert!(to_alice.verify(&scratch, &opened).is_err()))
        }),
    }
}

/// The MAC or tag of channel packets.
fn channel_tag(csid: Csid) -> Check {
    let mut pair = Pair::new(csid);
    let packet = pair.packet(64);
    // CS3a is the one set that has it first: 00 00 TOKEN(16) NONCE(24) MAC(16).
    let mac = match csid {
        Csid::CS1A | Csid::CS1C => packet.len() - 4..packet.len(),
        Csid::CS3A => 42..58,
        _ => packet.len() - 16..packet.len(),
    };
    let wrong = wrong(&packet, &mac);
    let mut scratch = packet;
    Check {
        name: format!("CS{csid} channel packet"),
        classes: "first byte of the MAC wrong, last byte wrong",
        samples: FAST,
        expected: Expected::Constant,
        run: Box::new(move |class| {
            scratch.copy_from_slice(&wrong[class as usize]);
            time(|| assert!(!pair.accepts(&mut scratch)))
        }),
    }
}
