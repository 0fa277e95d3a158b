//! Bodies of the fuzz targets: they panic if a property does not hold.

use std::boxed::Box;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::vec::Vec;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_hashname::Csid;

use crate::{
    CipherSets, Exchange, Identity, Instant, MESSAGE_HEAD_LEN, Outer, Session, SessionContext,
};

/// Two endpoints with an exchange each, both of which have adopted the other's ephemeral.
struct World {
    recipient: Identity,
    sender: Box<dyn Exchange>,
    receiver: Box<dyn Exchange>,
    outgoing: Box<dyn Session>,
    incoming: Box<dyn Session>,
    rng: ChaCha20Rng,
}

/// Kept from one run to the next, because making keys takes longer than all the rest.
static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new()));

impl World {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(42);
        let sets = CipherSets::default();
        let [a, b] = [(); 2]
            .map(|()| Identity::generate(&sets, &[Csid::CS3A], &mut rng).expect("a supported set"));
        let mut sender = exchange(&a, &b, &mut rng);
        let mut receiver = exchange(&b, &a, &mut rng);
        Self {
            outgoing: session(&mut *sender, &mut *receiver, &mut rng),
            incoming: session(&mut *receiver, &mut *sender, &mut rng),
            recipient: b,
            sender,
            receiver,
            rng,
        }
    }
}

fn exchange(ours: &Identity, theirs: &Identity, rng: &mut ChaCha20Rng) -> Box<dyn Exchange> {
    let local = ours.local(Csid::CS3A).expect("generated with it");
    let remote = theirs.keys().key(Csid::CS3A).expect("generated with it");
    local.exchange(remote, rng).expect("an honest key")
}

/// The session of `ours` with the ephemeral of `theirs`.
fn session(
    ours: &mut dyn Exchange,
    theirs: &mut dyn Exchange,
    rng: &mut ChaCha20Rng,
) -> Box<dyn Session> {
    let packet = theirs.seal(b"", rng).expect("a message");
    let remote = ours
        .open(&packet[MESSAGE_HEAD_LEN..])
        .expect("a message to us")
        .remote;
    ours.adopt(&remote).expect("an honest ephemeral");
    let hashname = telehash_hashname::Hashname::from_bytes([0; 32]);
    let context = SessionContext {
        local: hashname,
        remote: hashname,
        resume: None,
    };
    ours.session(&remote, &context, rng)
        .expect("their first session")
}

/// No bytes are a message by chance, a sealed message opens to what was sealed and proves its
/// sender, and one that differs from it in any way does not.
pub fn message_open(data: &[u8]) {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let world = &mut *world;
    let local = world
        .recipient
        .local(Csid::CS3A)
        .expect("generated with it");

    if let Some(Outer::Message { body, .. }) = Outer::parse(data) {
        assert!(local.open(body).is_err(), "a message by chance");
        assert!(world.receiver.open(body).is_err(), "a message by chance");
    }

    let packet = world.sender.seal(data, &mut world.rng).expect("a message");
    let body = &packet[MESSAGE_HEAD_LEN..];
    let opened = world.receiver.open(body).expect("a message to us");
    assert_eq!(opened.inner, data, "inner packet");
    assert_eq!(world.receiver.verify(body, &opened), Ok(()), "sender");

    let altered = altered(body, data);
    if altered != body
        && let Ok(opened) = world.receiver.open(&altered)
    {
        assert!(
            world.receiver.verify(&altered, &opened).is_err(),
            "an altered message"
        );
    }
}

/// No bytes are a channel packet by chance, a sealed packet opens once to what was sealed, and one
/// that differs from it in any way does not open and spoils nothing.
pub fn channel_open(data: &[u8]) {
    let now = Instant::from_micros(0);
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let World {
        outgoing, incoming, ..
    } = &mut *world;

    // The keys are the same in every run, so bytes that carry our token may be a packet that an
    // earlier run sealed and its fuzzer kept; those that are forged are tried below.
    let token = incoming.local_token();
    if data.get(2..18) != Some(token.as_bytes().as_slice()) {
        assert!(
            incoming.open(now, &mut data.to_vec()).is_err(),
            "a packet by chance"
        );
    }

    let overhead = outgoing.overhead();
    let mut packet = std::vec![0; overhead.head];
    packet.extend_from_slice(data);
    packet.resize(data.len() + overhead.total(), 0);
    outgoing.seal(now, &mut packet).expect("room");

    let mut altered = altered(&packet, data);
    if altered != packet {
        assert!(
            incoming.open(now, &mut altered).is_err(),
            "an altered packet"
        );
    }
    let mut replay = packet.clone();
    let plaintext = incoming.open(now, &mut packet).expect("a packet to us");
    assert_eq!(&packet[plaintext], data, "plaintext");
    assert!(incoming.open(now, &mut replay).is_err(), "a replay");
}

/// The packet as a forger makes another of it: the first byte of `data` says where to begin, the
/// others are added to what is there, and go on beyond its end if there are enough.
fn altered(packet: &[u8], data: &[u8]) -> Vec<u8> {
    let mut altered = packet.to_vec();
    let Some((&start, changes)) = data.split_first() else {
        altered.pop();
        return altered;
    };
    let start = usize::from(start) % packet.len();
    altered.resize(altered.len().max(start + changes.len()), 0);
    for (byte, change) in altered[start..].iter_mut().zip(changes) {
        *byte ^= change;
    }
    altered
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    /// Inputs that are short, long, all zeros (which alter nothing) and random.
    fn inputs() -> Vec<Vec<u8>> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut inputs: Vec<_> = (0..100).map(|len| std::vec![0; len]).collect();
        for len in 0..200 {
            let mut input = std::vec![0; len];
            rng.fill_bytes(&mut input);
            inputs.push(input);
        }
        for head in [&[0, 1, 0x3a][..], &[0, 0]] {
            let mut input = head.to_vec();
            input.resize(150, 7);
            inputs.push(input);
        }
        inputs
    }

    #[test]
    fn messages_hold_their_properties() {
        inputs().iter().for_each(|input| message_open(input));
    }

    #[test]
    fn channel_packets_hold_their_properties() {
        inputs().iter().for_each(|input| channel_open(input));
    }

    #[test]
    fn altering_alters() {
        let packet = [1, 2, 3];
        assert_eq!(altered(&packet, &[]), [1, 2]);
        assert_eq!(altered(&packet, &[4, 1]), [1, 3, 3]);
        assert_eq!(altered(&packet, &[2, 1, 5]), [1, 2, 2, 5]);
        assert_eq!(altered(&packet, &[0, 0]), packet);
    }
}
