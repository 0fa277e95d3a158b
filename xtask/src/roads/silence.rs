//! An endpoint that accepts nobody says nothing to strangers: neither to noise nor to somebody who speaks the protocol.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};

use super::endpoint::{Endpoint, accept};
use super::net::{Host, join};
use super::watch::Watch;
use super::world::World;
use crate::endtoend::mesh::pattern;
use crate::process;

/// Packets of noise, and the longest.
const PACKETS: usize = 200;
const LONGEST: usize = 1400;

/// Connections with noise.
const CONNECTIONS: usize = 20;

/// Seconds that a stranger tries to link.
const WAIT: &str = "3";

/// What a command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Bytes in a row of a name or key that count as that name or key.
const TELLING: usize = 12;

/// What packets and messages begin with: a handshake in the clear, with and without its cipher set; a channel packet
/// with a JSON header; TLS; QUIC.
const BEGINNINGS: [&[u8]; 7] = [
    b"",
    &[0x00, 0x00],
    &[0x00, 0x01, 0x3a],
    &[0x00, 0x01, 0x42],
    b"\x00\x14{\"type\":\"link\",\"c\":1}",
    &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
    &[0xc3, 0x00, 0x00, 0x00, 0x01, 0x08],
];

/// Asks for the certificate of a TLS server.
const CERTIFICATE: &str = "
import socket, ssl, sys
context = ssl._create_unverified_context()
context.set_alpn_protocols(['telehash/3'])
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as tcp:
    with context.wrap_socket(tcp) as tls:
        print(tls.getpeercert(True).hex())
";

pub(super) fn udp(world: &World) -> Result<String> {
    mute(world, "udp", datagrams)
}

pub(super) fn tcp(world: &World) -> Result<String> {
    mute(world, "tcp", connections)
}

pub(super) fn tls(world: &World) -> Result<String> {
    let figures = anonymous(world, "tls", connections)?;
    Ok(format!("{figures}; nor does its certificate"))
}

pub(super) fn quic(world: &World) -> Result<String> {
    anonymous(world, "quic", datagrams)
}

type Noise = fn(SocketAddr) -> Result<()>;

/// Not a byte comes back.
fn mute(world: &World, transport: &str, noise: Noise) -> Result<String> {
    let server = closed(world, transport)?;
    let heard = disturb(world, &server, transport, noise)?;
    ensure!(
        heard.is_empty(),
        "strangers got {} answers; the first is {} bytes long: {}",
        heard.len(),
        heard[0].len(),
        HEXLOWER_PERMISSIVE.encode(&heard[0])
    );
    server.stop()?;
    let control = control(world, transport)?;
    Ok(format!("not a byte in answer to a stranger; {control}"))
}

/// The transport itself answers, and it does not say who is there.
fn anonymous(world: &World, transport: &str, noise: Noise) -> Result<String> {
    let server = closed(world, transport)?;
    let heard = disturb(world, &server, transport, noise)?;
    let bytes = heard.concat();
    ensure!(!bytes.is_empty(), "nothing at all came from {transport}");
    let secrets = secrets(&server)?;
    silent_about(&secrets, &bytes).context("what came over the network")?;
    if transport == "tls" {
        let certificate = certificate(&world.net.stranger, server.address(transport)?)?;
        silent_about(&secrets, &certificate).context("the certificate")?;
    }
    server.stop()?;
    let control = control(world, transport)?;
    Ok(format!(
        "{} bytes of {transport} in answer to strangers name nobody; {control}",
        bytes.len()
    ))
}

fn closed(world: &World, transport: &str) -> Result<Endpoint> {
    let host = &world.net.listener;
    Endpoint::start(
        &world.place,
        &host.namespace,
        "closed",
        &[transport],
        &accept("none"),
    )
}

/// Noise, then a link from an identity that nobody knows; returns what came back.
fn disturb(
    world: &World,
    server: &Endpoint,
    transport: &str,
    noise: Noise,
) -> Result<Vec<Vec<u8>>> {
    let net = &world.net;
    let address = server.address(transport)?;
    let watch = Watch::start(&net.stranger, net.listener.address())?;
    join(net.stranger.namespace.inside(move || noise(address)))?;
    let linked = link(world, server)?;
    ensure!(!linked, "a stranger could link");
    watch.finish()
}

/// The same stranger and the same watch, with an endpoint that accepts everybody.
fn control(world: &World, transport: &str) -> Result<String> {
    let net = &world.net;
    let server = Endpoint::accepting(world, &net.listener, &[transport])?;
    let watch = Watch::start(&net.stranger, net.listener.address())?;
    ensure!(link(world, &server)?, "nobody can link to an open endpoint");
    let bytes = watch.finish()?.concat().len();
    ensure!(
        bytes > 0,
        "the watch sees nothing of an open endpoint either"
    );
    server.stop()?;
    Ok(format!("{bytes} bytes from an open endpoint"))
}

fn link(world: &World, server: &Endpoint) -> Result<bool> {
    let mut link = world.net.stranger.command(&world.place.program);
    link.arg("link")
        .arg("--id")
        .arg(world.place.path("stranger.json"));
    link.arg(server.target()).args(["--wait", WAIT]);
    Ok(process::finish(&mut link, LIMIT)?.code == Some(0))
}

fn datagrams(to: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    for message in messages() {
        socket.send_to(&message, to)?;
        // Not faster than they can be looked at: those that are lost disturb nobody.
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn connections(to: SocketAddr) -> Result<()> {
    for message in messages().step_by(PACKETS / CONNECTIONS) {
        let mut connection = TcpStream::connect(to)?;
        // It may close it whenever it likes.
        let _closed = connection.write_all(&message);
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn messages() -> impl Iterator<Item = Vec<u8>> {
    (0..PACKETS).map(|number| {
        let mut message = BEGINNINGS[number % BEGINNINGS.len()].to_vec();
        let more = number * LONGEST / PACKETS;
        message.extend(pattern(more, number as u64 + 1));
        message
    })
}

/// What tells who somebody is: hashname and keys, as text and as bytes.
fn secrets(server: &Endpoint) -> Result<Vec<Vec<u8>>> {
    let mut secrets = Vec::new();
    for text in server.keys().into_iter().chain([server.hashname()?]) {
        secrets.push(text.as_bytes().to_vec());
        secrets.push(BASE32_NOPAD.decode(text.to_uppercase().as_bytes())?);
    }
    Ok(secrets)
}

fn silent_about(secrets: &[Vec<u8>], bytes: &[u8]) -> Result<()> {
    for secret in secrets {
        let mut parts = secret.windows(TELLING);
        let told = parts.find(|part| bytes.windows(TELLING).any(|window| window == *part));
        if let Some(part) = told {
            bail!("tells who is there: {}", HEXLOWER_PERMISSIVE.encode(part));
        }
    }
    Ok(())
}

fn certificate(host: &Host, server: SocketAddr) -> Result<Vec<u8>> {
    let IpAddr::V4(ip) = server.ip() else {
        bail!("{server} is not of IPv4");
    };
    let mut python: Command = host.command("python3");
    python.args([
        "-c",
        CERTIFICATE,
        &ip.to_string(),
        &server.port().to_string(),
    ]);
    let done = process::finish(&mut python, LIMIT)?;
    ensure!(
        done.code == Some(0),
        "no certificate: {}",
        done.last_error_line()
    );
    let certificate = HEXLOWER_PERMISSIVE.decode(done.stdout.trim().as_bytes())?;
    ensure!(!certificate.is_empty(), "an empty certificate");
    Ok(certificate)
}
