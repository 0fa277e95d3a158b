//! Silence is the default, over a real socket: strangers, garbage and replays get nothing back.
#![cfg(all(feature = "udp", feature = "stream"))]

use std::{io::ErrorKind, net::SocketAddr, sync::Arc, sync::Mutex, time::Duration};

use mesh::prelude::*;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::Csid;
use telehash_link::HandshakeMessage;
use telehash_lob::cloak;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
    time::timeout,
};

/// Packets of each kind.
const PACKETS: usize = 2_000;

/// Packets that are sent before the victim is waited for: a socket's buffer holds them.
const BURST: usize = 50;

const PATIENCE: Duration = Duration::from_secs(30);

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Makes the nth datagram of an attack.
type Attack<'a> = Box<dyn Fn(usize, &mut ChaCha20Rng) -> Vec<u8> + 'a>;

/// Datagrams that went through a [`relay`].
type Recording = Arc<Mutex<Vec<Vec<u8>>>>;

#[tokio::test]
async fn strangers_garbage_and_replays_get_no_answer_over_udp() -> Outcome {
    let here: SocketAddr = "127.0.0.1:0".parse()?;
    let friend = mesh::builder()
        .udp(here)
        .accept(Accept::None)
        .build()
        .await?;
    let victim = mesh::builder()
        .udp(here)
        .accept(Accept::None)
        .allow(friend.hashname())
        .on_stream(|stream: IncomingStream| async move {
            let (mut reader, mut writer) = stream.accept()?.into_split();
            tokio::io::copy(&mut reader, &mut writer).await?;
            writer.shutdown().await
        })
        .build()
        .await?;
    let address = victim.local_paths()[0].socket_addr().ok_or("no address")?;
    let (front, recording) = relay(address).await?;
    let mut target = victim.local_link_json();
    target.paths = vec![telehash_hashname::Path::udp(front)];
    let link = friend.link(target).await?;
    link.wait_up(PATIENCE).await?;
    echo(&link).await?;
    let history = recording.lock().expect("no panics while recording").clone();
    assert!(
        history.len() > 4,
        "handshakes and channel packets were recorded"
    );

    let attacker = UdpSocket::bind(here).await?;
    attacker.connect(address).await?;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let handshakes = handshakes(&victim, &mut rng)?;
    let attacks: [(&str, Attack<'_>); 4] = [
        ("valid handshakes", Box::new(|n, _| handshakes[n].clone())),
        ("garbage", Box::new(garbage)),
        (
            "damaged packets",
            Box::new(|n, _| damaged(n, &history[n % history.len()])),
        ),
        (
            "replays",
            Box::new(|n, _| history[n % history.len()].clone()),
        ),
    ];
    for (kind, make) in attacks {
        for burst in 0..PACKETS / BURST {
            let before = victim.stats().endpoint.packets;
            for n in 0..BURST {
                attacker.send(&make(burst * BURST + n, &mut rng)).await?;
            }
            let all = before + BURST as u64;
            let arrived = async {
                while victim.stats().endpoint.packets < all {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(PATIENCE, arrived)
                .await
                .map_err(|_| format!("{kind} did not arrive"))?;
        }
        let answer = attacker.try_recv(&mut [0; 2048]);
        let silent = matches!(&answer, Err(error) if error.kind() == ErrorKind::WouldBlock);
        assert!(silent, "{kind} got an answer: {answer:?}");
    }
    assert!(
        victim.stats().endpoint.agreements > 10,
        "handshakes were looked at"
    );
    assert_eq!(victim.stats().links, 1);
    echo(&link).await?;
    friend.close().await;
    victim.close().await;
    Ok(())
}

/// The live link carries a stream there and back.
async fn echo(link: &Link) -> Outcome {
    let mut stream = link.stream(StreamOptions::new()).await?;
    stream.write_all(b"still here").await?;
    stream.shutdown().await?;
    let mut back = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut back)).await??;
    assert_eq!(back, b"still here");
    Ok(())
}

/// Passes datagrams on to `target` and back, and records those to it.
async fn relay(target: SocketAddr) -> std::io::Result<(SocketAddr, Recording)> {
    let front = UdpSocket::bind("127.0.0.1:0").await?;
    let back = UdpSocket::bind("127.0.0.1:0").await?;
    back.connect(target).await?;
    let (address, recording) = (front.local_addr()?, Recording::default());
    let record = recording.clone();
    tokio::spawn(async move {
        let (mut outward, mut inward) = ([0; 2048], [0; 2048]);
        let mut friend = None;
        loop {
            tokio::select! {
                received = front.recv_from(&mut outward) => {
                    let (len, from) = received?;
                    friend = Some(from);
                    let datagram = outward[..len].to_vec();
                    record.lock().expect("no panics while recording").push(datagram);
                    back.send(&outward[..len]).await?;
                }
                received = back.recv(&mut inward) => {
                    let len = received?;
                    if let Some(friend) = friend {
                        front.send_to(&inward[..len], friend).await?;
                    }
                }
            }
        }
        #[expect(unreachable_code, reason = "names the error type of the task")]
        std::io::Result::Ok(())
    });
    Ok((address, recording))
}

/// A stranger's handshakes: all valid, from many ephemerals.
fn handshakes(
    victim: &Mesh,
    rng: &mut ChaCha20Rng,
) -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
    let stranger = Identity::generate(&CipherSets::default(), &[Csid::CS3A], rng)?;
    let local = stranger.local(Csid::CS3A).ok_or("no key")?.clone();
    let remote = victim.keys().key(Csid::CS3A).ok_or("no key")?.to_vec();
    let unix = std::time::UNIX_EPOCH.elapsed()?.as_secs();
    let mut exchange = local.exchange(&remote, rng)?;
    let mut packets = Vec::with_capacity(PACKETS);
    for n in 0..PACKETS as u64 {
        if n % 20 == 0 {
            exchange = local.exchange(&remote, rng)?;
        }
        let inner =
            HandshakeMessage::link(unix + n, stranger.keys().clone()).to_bytes(Csid::CS3A)?;
        packets.push(cloaked(&exchange.seal(&inner, rng)?, rng));
    }
    Ok(packets)
}

fn garbage(n: usize, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut datagram = vec![0; 1 + n % 1400];
    rng.fill_bytes(&mut datagram);
    match n % 4 {
        // Uncloaked: the beginning of a handshake, or of a channel packet.
        0 => [&[0, 1, 0x3a][..], &datagram].concat(),
        1 => [&[0, 0][..], &datagram].concat(),
        2 => cloaked(&datagram, rng),
        _ => datagram,
    }
}

fn damaged(n: usize, datagram: &[u8]) -> Vec<u8> {
    let mut datagram = datagram.to_vec();
    let at = n / 2 % datagram.len();
    if n.is_multiple_of(2) {
        datagram.truncate(at.max(1));
    } else {
        datagram[at] ^= 1 << (n % 8);
    }
    datagram
}

fn cloaked(packet: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut nonce = [0; cloak::NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let mut datagram = cloak::make_nonce(nonce).to_vec();
    datagram.extend_from_slice(packet);
    cloak::cloak_in_place(&mut datagram);
    datagram
}
