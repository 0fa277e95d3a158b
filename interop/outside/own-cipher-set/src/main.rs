//! A cipher set of one's own, csid 0x10, with nothing but the public interface: X25519, HMAC-SHA256,
//! ChaCha20-Poly1305. Two endpoints have it beside CS3a. They agree on the highest set both have, which is 3a
//! here, so the csid decides how a set of one's own is ranked; two that have nothing else use it.
//!
//! Start reading at [`Cs10`]. It is an example to learn from, not a protocol that anybody reviewed.

mod crypto;
mod exchange;
mod keys;
mod session;

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_e3x::{
    CipherSets, Exchange, ExchangeError, Identity, Instant, OpenError, Outer, RemoteEphemeral,
    SessionContext,
};
use telehash_hashname::Csid;

use crate::keys::{CSID, Cs10};

type Error = Box<dyn core::error::Error>;

fn main() -> Result<(), Error> {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let sets = CipherSets::default().with(Arc::new(Cs10));

    // Beside another set.
    let both = Identity::generate(&sets, &[CSID, Csid::CS3A], &mut rng)?;
    let alice = Identity::generate(&sets, &[CSID], &mut rng)?;
    let bob = Identity::generate(&sets, &[CSID], &mut rng)?;
    assert_eq!(both.keys().agreed(both.keys()), Some(Csid::CS3A));
    assert_eq!(both.keys().agreed(alice.keys()), Some(CSID));

    // Handshakes both ways, and a session.
    let (alice_key, bob_key) = (
        alice.local(CSID).ok_or("no key")?,
        bob.local(CSID).ok_or("no key")?,
    );
    let mut to_bob = alice_key.exchange(bob_key.public(), &mut rng)?;
    let mut to_alice = bob_key.exchange(alice_key.public(), &mut rng)?;
    let hello = to_bob.seal(b"hello", &mut rng)?;
    let answer = to_alice.seal(b"hello to you", &mut rng)?;
    let of_alice = receive(to_alice.as_mut(), &hello)?;
    let of_bob = receive(to_bob.as_mut(), &answer)?;
    let ours = SessionContext {
        local: alice.hashname(),
        remote: bob.hashname(),
        resume: None,
    };
    let theirs = SessionContext {
        local: bob.hashname(),
        remote: alice.hashname(),
        resume: None,
    };
    let mut sender = to_bob.session(&of_bob, &ours, &mut rng)?;
    let mut receiver = to_alice.session(&of_alice, &theirs, &mut rng)?;
    assert_eq!(sender.session_id(), receiver.session_id());
    let again = to_bob.session(&of_bob, &ours, &mut rng);
    assert!(
        matches!(again, Err(ExchangeError::NeedsFresh)),
        "one session for one pair of ephemerals"
    );

    // A stranger who claims to be Alice is found out.
    let mallory = Identity::generate(&sets, &[CSID], &mut rng)?;
    let mallory = mallory.local(CSID).ok_or("no key")?;
    let forged = mallory
        .exchange(bob_key.public(), &mut rng)?
        .seal(b"hello", &mut rng)?;
    assert!(receive(to_alice.as_mut(), &forged).is_err());

    // A channel packet arrives, once, and not when it was changed.
    let overhead = sender.overhead();
    let mut packet = vec![0; overhead.head];
    packet.extend_from_slice(b"a channel packet");
    packet.resize(packet.len() + overhead.tail, 0);
    let now = Instant::from_micros(0);
    sender.seal(now, &mut packet)?;
    assert_eq!(
        Outer::parse(&packet),
        Some(Outer::Channel {
            token: receiver.local_token()
        })
    );
    for at in 0..packet.len() {
        let mut changed = packet.clone();
        changed[at] ^= 1;
        assert!(receiver.open(now, &mut changed).is_err(), "byte {at}");
        assert!(
            receiver.open(now, &mut packet[..at].to_vec()).is_err(),
            "cut at {at}"
        );
    }
    let mut replay = packet.clone();
    let plaintext = receiver.open(now, &mut packet)?;
    assert_eq!(&packet[plaintext], b"a channel packet");
    assert_eq!(receiver.open(now, &mut replay), Err(OpenError::Replayed));
    println!(
        "a packet of {} bytes arrived in a session of cipher set {CSID}",
        packet.len()
    );
    Ok(())
}

/// Opens a message, makes sure who sent it, and keeps the sender's ephemeral key.
fn receive(exchange: &mut dyn Exchange, message: &[u8]) -> Result<RemoteEphemeral, Error> {
    let Some(Outer::Message { body, .. }) = Outer::parse(message) else {
        return Err("not a message".into());
    };
    let opened = exchange.open(body)?;
    exchange.verify(body, &opened)?;
    exchange.adopt(&opened.remote)?;
    Ok(opened.remote)
}
