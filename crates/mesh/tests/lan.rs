//! LAN discovery over real sockets, in network namespaces.
#![cfg(all(target_os = "linux", feature = "udp"))]

mod namespace;

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use mesh::prelude::*;
use mesh::transport::{Transport as _, TransportExt as _};
use mesh::{Builder, Csid, Events, LinkJson, UdpConfig, UdpTransport};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Runtime;

/// Long enough for whatever should happen.
const PATIENCE: Duration = Duration::from_secs(40);

/// The shortest interval that there is.
const INTERVAL: Duration = Duration::from_millis(100);

/// Datagrams of another endpoint that a test waits for, to be sure that there were none of ours: each
/// announcement is two packets to a broadcast address and two groups, seen once or twice.
const WHILE: usize = 8 * 12;

/// ETH_P_ALL.
const EVERYTHING: u16 = 3;

async fn built(builder: Builder) -> Mesh {
    builder.announce_every(INTERVAL).build().await.unwrap()
}

async fn discovered(events: &mut Events) -> LinkJson {
    loop {
        if let Some(MeshEvent::Discovered {
            hashname,
            keys,
            paths,
        }) = events.next().await
        {
            let mut link = LinkJson::named(hashname);
            (link.keys, link.paths) = (keys, paths);
            return link;
        }
    }
}

/// Its port, which its announcements leave from.
fn port(mesh: &Mesh) -> u16 {
    mesh.local_paths()[0].socket_addr().unwrap().port()
}

/// Alice, on `address`, is found by Bob, on all addresses, who links to her.
fn found_and_linked(address: &str) {
    Runtime::new().unwrap().block_on(async {
        let bob = built(mesh::builder().udp("[::]:0".parse().unwrap())).await;
        let mut events = bob.events();
        // With a key of CS2a the head is long, and looks cloaked.
        let alice = mesh::builder()
            .udp(address.parse().unwrap())
            .new_identity([Csid::CS2A, Csid::CS3A])
            .accept(Accept::All);
        let alice = built(alice.discover(true)).await;

        let heard = discovered(&mut events).await;
        assert_eq!(heard.hashname, alice.hashname());
        assert_eq!(heard.keys, *alice.keys());
        let from = heard.paths[0].socket_addr().unwrap();
        assert_eq!(from.port(), port(&alice));
        let link = bob.link(heard).await.unwrap();
        link.wait_up(PATIENCE).await.unwrap();
        alice.close().await;
        bob.close().await;
    });
}

#[test]
fn endpoints_of_a_network_find_each_other_and_link() {
    let name = "endpoints_of_a_network_find_each_other_and_link";
    namespace::in_its_own(name, || found_and_linked("[::]:0"));
}

#[test]
fn an_endpoint_of_one_address_is_found() {
    let name = "an_endpoint_of_one_address_is_found";
    namespace::in_its_own(name, || found_and_linked("10.42.42.1:0"));
}

#[test]
fn an_endpoint_of_ipv6_alone_is_found() {
    namespace::in_its_own("an_endpoint_of_ipv6_alone_is_found", || {
        if std::net::UdpSocket::bind("[fd42::1]:0").is_err() {
            eprintln!("SKIPPED: this system has no IPv6");
            return;
        }
        found_and_linked("[fd42::1]:0");
    });
}

#[test]
fn announcements_arrive_on_the_main_port_too() {
    namespace::in_its_own("announcements_arrive_on_the_main_port_too", || {
        Runtime::new().unwrap().block_on(async {
            // Neither takes part in discovery, so nothing but the main ports is there.
            let quiet = || UdpConfig::at("10.42.42.1:0".parse().unwrap()).discovery(false);
            let bob =
                mesh::builder().open_transport(async move { UdpTransport::bind(&quiet()).await });
            let bob = built(bob).await;
            let mut events = bob.events();
            let alice = UdpTransport::bind(&quiet()).await.unwrap();
            let to_bob = alice.dial(&bob.local_paths()[0]).await.unwrap();
            let identity =
                mesh::generate_identity(&mesh::CipherSets::default(), [Csid::CS2A, Csid::CS3A]);
            let keys = identity.unwrap().keys().clone();
            let announcement = telehash_link::Announcement::new(keys).unwrap();
            for packet in announcement.packets().unwrap() {
                assert!(packet[0] != 0, "it looks cloaked");
                let packet = mesh::transport::Transmit::packet(to_bob, &packet);
                alice.send(&packet).await.unwrap();
            }
            let heard = discovered(&mut events).await;
            assert_eq!(heard.hashname, announcement.hashname());
            assert_eq!(heard.paths, alice.local_paths());
            bob.close().await;
        });
    });
}

/// Sees every datagram that leaves or arrives on any interface, loopback included.
struct Watcher(Socket);

/// A datagram that was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    from: u16,
    to: SocketAddr,
}

impl Watcher {
    fn new() -> Self {
        let protocol = Protocol::from(i32::from(EVERYTHING.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next UDP datagram.
    fn next(&self) -> Seen {
        let mut frame = [0; 2048];
        loop {
            let length = (&self.0).read(&mut frame).unwrap();
            if let Some(seen) = udp(&frame[..length]) {
                return seen;
            }
        }
    }

    /// What was seen until `count` came from this port.
    fn until(&self, count: usize, from: u16) -> Vec<Seen> {
        let mut all = Vec::new();
        while all.iter().filter(|seen: &&Seen| seen.from == from).count() < count {
            all.push(self.next());
        }
        all
    }

    /// Forgets what was seen so far.
    fn drain(&self) {
        self.0.set_nonblocking(true).unwrap();
        let mut frame = [0; 2048];
        loop {
            match (&self.0).read(&mut frame) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.0.set_nonblocking(false).unwrap();
    }
}

/// Ports and destination, if an IP packet holds UDP.
fn udp(packet: &[u8]) -> Option<Seen> {
    let (protocol, header, to) = match packet.first()? >> 4 {
        4 => {
            let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            (
                packet.get(9)?,
                usize::from(packet[0] & 15) * 4,
                IpAddr::from(to),
            )
        }
        6 => {
            let to: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            (packet.get(6)?, 40, IpAddr::from(to))
        }
        _ => return None,
    };
    let port = |at: usize| {
        let bytes: [u8; 2] = packet.get(header + at..header + at + 2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    };
    (*protocol == 17).then_some(())?;
    Some(Seen {
        from: port(0)?,
        to: SocketAddr::new(to, port(2)?),
    })
}

#[test]
fn nothing_is_sent_while_discovery_is_off() {
    namespace::in_its_own("nothing_is_sent_while_discovery_is_off", || {
        let runtime = Runtime::new().unwrap();
        let watcher = Watcher::new();
        let everywhere = || mesh::builder().udp("[::]:0".parse().unwrap());
        let subject = runtime.block_on(built(everywhere().accept(Accept::All)));
        // As long as this one announces itself several times: the subject hears it, and stays silent.
        let other = runtime.block_on(built(everywhere().discover(true)));
        let (ours, theirs) = (port(&subject), port(&other));
        let sent = |seen: &[Seen]| seen.iter().filter(|seen| seen.from == ours).count();

        let seen = watcher.until(WHILE, theirs);
        assert_eq!(sent(&seen), 0, "before it is on: {seen:?}");

        runtime.block_on(subject.discover(true)).unwrap();
        let seen = watcher.until(WHILE, ours);
        let reached = |address: &str| {
            let address: SocketAddr = address.parse().unwrap();
            seen.iter()
                .any(|seen| seen.from == ours && seen.to == address)
        };
        assert!(reached("10.42.42.255:42420"), "{seen:?}");
        assert!(reached("239.42.42.42:42420"), "{seen:?}");

        runtime.block_on(subject.discover(false)).unwrap();
        watcher.drain();
        let seen = watcher.until(WHILE, theirs);
        assert_eq!(sent(&seen), 0, "after it is off: {seen:?}");
        runtime.block_on(async {
            subject.close().await;
            other.close().await;
        });
    });
}

/// Whether the discovery group is joined on this interface.
fn has_joined(interface: &str) -> bool {
    let groups = std::fs::read_to_string("/proc/net/igmp").unwrap();
    let mut lines = groups.lines();
    let of_interface = |line: &&str| line.split_whitespace().nth(1) == Some(interface);
    lines.by_ref().find(of_interface).is_some()
        && lines
            .take_while(|line| line.starts_with(char::is_whitespace))
            .any(|line| line.trim_start().starts_with("2A2A2AEF"))
}

#[test]
#[ignore = "long: interfaces are looked at every ten seconds"]
fn the_group_is_joined_on_an_interface_that_comes_later() {
    let name = "the_group_is_joined_on_an_interface_that_comes_later";
    namespace::in_its_own(name, || {
        let runtime = Runtime::new().unwrap();
        let udp = "0.0.0.0:0".parse().unwrap();
        let mesh = runtime.block_on(built(mesh::builder().udp(udp)));
        assert!(has_joined("lan0"));
        let ip = |arguments: &str| {
            let status = Command::new("ip").args(arguments.split(' ')).status();
            assert!(status.unwrap().success(), "ip {arguments}");
        };
        ip("link add late0 type veth peer name late1");
        ip("address add 10.43.43.1/24 dev late0");
        ip("link set late0 up");
        let deadline = std::time::Instant::now() + PATIENCE;
        while !has_joined("late0") {
            assert!(std::time::Instant::now() < deadline, "it was not joined");
            std::thread::sleep(INTERVAL);
        }
        runtime.block_on(mesh.close());
    });
}
