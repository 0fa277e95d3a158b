//! Two endpoints agree on a session with CS3a and exchange one packet, without links, sockets or `std` features.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Exchange, Identity, Instant, Outer, RemoteEphemeral, SessionContext};
use telehash_hashname::Csid;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let sets = CipherSets::default();
    let alice = Identity::generate(&sets, &[Csid::CS3A], &mut rng)?;
    let bob = Identity::generate(&sets, &[Csid::CS3A], &mut rng)?;
    let alice_key = alice.local(Csid::CS3A).ok_or("alice has the set")?;
    let bob_key = bob.local(Csid::CS3A).ok_or("bob has the set")?;

    let mut to_bob = alice_key.exchange(bob_key.public(), &mut rng)?;
    let mut to_alice = bob_key.exchange(alice_key.public(), &mut rng)?;
    let hello = to_bob.seal(b"hello", &mut rng)?;
    let answer = to_alice.seal(b"hello to you", &mut rng)?;
    let of_alice = receive(to_alice.as_mut(), &hello)?;
    let of_bob = receive(to_bob.as_mut(), &answer)?;

    let ours = SessionContext { local: alice.hashname(), remote: bob.hashname(), resume: None };
    let theirs = SessionContext { local: bob.hashname(), remote: alice.hashname(), resume: None };
    let mut sender = to_bob.session(&of_bob, &ours, &mut rng)?;
    let mut receiver = to_alice.session(&of_alice, &theirs, &mut rng)?;

    let overhead = sender.overhead();
    let mut packet = vec![0; overhead.head];
    packet.extend_from_slice(b"a channel packet");
    packet.resize(packet.len() + overhead.tail, 0);
    let now = Instant::from_micros(0);
    sender.seal(now, &mut packet)?;
    let plaintext = receiver.open(now, &mut packet)?;
    assert_eq!(&packet[plaintext], b"a channel packet");
    println!("a packet of {} bytes arrived in the session", packet.len());
    Ok(())
}

/// Opens a message, makes sure who sent it, and keeps the sender's ephemeral key.
fn receive(exchange: &mut dyn Exchange, message: &[u8]) -> Result<RemoteEphemeral, Box<dyn core::error::Error>> {
    let Some(Outer::Message { body, .. }) = Outer::parse(message) else {
        return Err("not a message".into());
    };
    let opened = exchange.open(body)?;
    exchange.verify(body, &opened)?;
    exchange.adopt(&opened.remote)?;
    Ok(opened.remote)
}
