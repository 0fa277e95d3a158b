//! LAN discovery: who announces itself when, and what becomes of announcements that are heard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use telehash_hashname::LinkJson;
use telehash_link::Announcement;
use telehash_runtime::limits::MIN_ANNOUNCE_INTERVAL;
use telehash_runtime::{Accept, BuildError, Builder, DiscoverError, Mesh, MeshEvent};
use telehash_transport::memory::{MemoryNetwork, MemoryTransport};
use telehash_transport::{Remote, Transmit, Transport as _};
use tokio::time::{Instant, sleep};

use crate::common::{PATIENCE, endpoint, event};
use crate::hooked::{Hooked, Hooks};

const INTERVAL: Duration = Duration::from_secs(10);

/// An endpoint whose announcements reach `audience`.
fn announcer(network: &MemoryNetwork, audience: &[SocketAddr]) -> (Builder, Arc<Hooks>) {
    let hooks = Arc::new(Hooks::default());
    let audience = audience.iter().copied().map(Remote::Socket).collect();
    *hooks.audience.lock().unwrap() = Some(audience);
    let transport = Hooked {
        inner: network.endpoint(),
        hooks: hooks.clone(),
    };
    (Mesh::builder().transport(transport), hooks)
}

fn announcements(hooks: &Hooks) -> usize {
    hooks.announced.lock().unwrap().len()
}

/// The address of an endpoint with one transport in memory.
fn address(mesh: &Mesh, network: &MemoryNetwork) -> SocketAddr {
    let somebody = network.endpoint();
    let path = &mesh.local_paths()[0];
    match futures::executor::block_on(somebody.dial(path)) {
        Ok(Remote::Socket(address)) => address,
        other => panic!("{other:?}"),
    }
}

fn send(from: &MemoryTransport, to: SocketAddr, packet: &[u8]) {
    from.try_send(&Transmit::packet(Remote::Socket(to), packet))
        .unwrap();
}

async fn discovered(events: &mut telehash_runtime::Events) -> LinkJson {
    event(events, |event| match event {
        MeshEvent::Discovered {
            hashname,
            keys,
            paths,
        } => {
            let mut link = LinkJson::named(hashname);
            (link.keys, link.paths) = (keys, paths);
            Some(link)
        }
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn nothing_is_announced_unless_that_is_asked_for() {
    let (builder, hooks) = announcer(&MemoryNetwork::new(1), &[]);
    let mesh = builder.build().await.unwrap();
    sleep(10 * INTERVAL).await;
    assert_eq!(announcements(&hooks), 0);
    assert!(!mesh.is_discoverable());
    mesh.close().await;
    assert_eq!(announcements(&hooks), 0);
}

#[tokio::test(start_paused = true)]
async fn announcements_leave_at_once_then_every_ten_seconds_and_stop_at_once() {
    let (builder, hooks) = announcer(&MemoryNetwork::new(1), &[]);
    let mesh = builder.build().await.unwrap();
    mesh.discover(true).await.unwrap();
    assert_eq!(announcements(&hooks), 1);
    sleep(INTERVAL - Duration::from_millis(10)).await;
    assert_eq!(announcements(&hooks), 1);
    sleep(2 * INTERVAL).await;
    assert_eq!(announcements(&hooks), 3);

    // Asking again changes nothing.
    mesh.discover(true).await.unwrap();
    assert_eq!(announcements(&hooks), 3);

    mesh.discover(false).await.unwrap();
    sleep(10 * INTERVAL).await;
    assert_eq!(announcements(&hooks), 3);
    mesh.discover(true).await.unwrap();
    assert_eq!(announcements(&hooks), 4);
    mesh.close().await;
    sleep(10 * INTERVAL).await;
    assert_eq!(announcements(&hooks), 4);
}

#[tokio::test(start_paused = true)]
async fn who_announces_for_a_while_stops_nobody_else() {
    let (builder, hooks) = announcer(&MemoryNetwork::new(1), &[]);
    let mesh = builder.build().await.unwrap();
    let first = mesh.announce().unwrap();
    let second = mesh.announce().unwrap();
    assert_eq!(announcements(&hooks), 1);
    drop(first);
    assert!(mesh.is_discoverable());
    sleep(INTERVAL + Duration::from_millis(10)).await;
    assert_eq!(announcements(&hooks), 2);

    // Neither does the switch, nor does it stop with them.
    mesh.discover(true).await.unwrap();
    mesh.discover(false).await.unwrap();
    assert!(mesh.is_discoverable());
    mesh.discover(true).await.unwrap();
    drop(second);
    assert!(mesh.is_discoverable());
    mesh.discover(false).await.unwrap();
    assert!(!mesh.is_discoverable());
    sleep(10 * INTERVAL).await;
    assert_eq!(announcements(&hooks), 2);

    mesh.close().await;
    assert!(matches!(mesh.announce(), Err(DiscoverError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn both_forms_leave_one_after_the_other() {
    let (builder, hooks) = announcer(&MemoryNetwork::new(1), &[]);
    let mesh = builder.discover(true).build().await.unwrap();
    let ours = Announcement::new(mesh.keys().clone()).unwrap();
    let expected = ours.packets().unwrap().to_vec();
    assert_eq!(hooks.announced.lock().unwrap()[..], [expected]);
    mesh.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_interval_is_shorter_than_the_limit() {
    let (builder, hooks) = announcer(&MemoryNetwork::new(1), &[]);
    let builder = builder.announce_every(Duration::from_nanos(1));
    let mesh = builder.discover(true).build().await.unwrap();
    sleep(10 * MIN_ANNOUNCE_INTERVAL + Duration::from_millis(50)).await;
    let announced = announcements(&hooks);
    assert!((2..=11).contains(&announced), "{announced}");
    mesh.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_heard_can_be_linked() {
    let network = MemoryNetwork::new(1);
    let alice = endpoint(&network).build().await.unwrap();
    let mut events = alice.events();
    let (bob, _hooks) = announcer(&network, &[address(&alice, &network)]);
    let bob = bob.accept(Accept::All).discover(true).build();
    let bob = bob.await.unwrap();

    let heard = discovered(&mut events).await;
    assert_eq!(heard.hashname, bob.hashname());
    assert_eq!(heard.keys, *bob.keys());
    assert_eq!(heard.paths, bob.local_paths());
    assert_eq!(alice.discovered(), std::slice::from_ref(&heard));
    let link = alice.link((heard.keys, heard.paths)).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    alice.close().await;
    bob.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_callback_hears_each_endpoint_once_for_a_while() {
    let network = MemoryNetwork::new(1);
    let alice = endpoint(&network).build().await.unwrap();
    let (heard, mut calls) = tokio::sync::mpsc::channel(8);
    let start = Instant::now();
    alice.on_discover(move |from| {
        let _ = heard.try_send((from.hashname, start.elapsed().as_secs()));
    });
    let (bob, _hooks) = announcer(&network, &[address(&alice, &network)]);
    let bob = bob.discover(true).build().await.unwrap();
    sleep(Duration::from_secs(305)).await;
    assert_eq!(calls.recv().await, Some((bob.hashname(), 0)));
    assert_eq!(calls.recv().await, Some((bob.hashname(), 300)));
    assert!(calls.try_recv().is_err());
    alice.close().await;
    bob.close().await;
}

/// An announcement of `mesh` whose head has at least 256 bytes, and so looks cloaked.
fn long_announcement(mesh: &Mesh) -> Vec<u8> {
    let keys = serde_json::Value::Object(mesh.keys().to_json());
    let hashname = mesh.hashname();
    let padding = "x".repeat(256);
    let head = format!(r#"{{"hashname":"{hashname}","keys":{keys},"padding":"{padding}"}}"#);
    let length = u16::try_from(head.len()).unwrap().to_be_bytes();
    [&length[..], head.as_bytes()].concat()
}

#[tokio::test(start_paused = true)]
async fn an_announcement_that_looks_cloaked_is_understood() {
    let network = MemoryNetwork::new(1);
    let alice = endpoint(&network).build().await.unwrap();
    let mut events = alice.events();
    let bob = endpoint(&network).build().await.unwrap();
    let packet = long_announcement(&bob);
    assert_ne!(packet[0], 0);
    send(&network.endpoint(), address(&alice, &network), &packet);
    assert_eq!(discovered(&mut events).await.hashname, bob.hashname());
    alice.close().await;
    bob.close().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_a_packet_for_an_announcement() {
    let network = MemoryNetwork::new(1);
    let accept = endpoint(&network).accept(Accept::All);
    let alice = accept.build().await.unwrap();
    let mut events = alice.events();
    let bob = endpoint(&network).build().await.unwrap();
    let stranger = network.endpoint();
    let alice_at = address(&alice, &network);
    let announcement = Announcement::new(bob.keys().clone()).unwrap();
    for packet in announcement.packets().unwrap() {
        send(&stranger, alice_at, &packet);
    }
    let heard = discovered(&mut events).await;
    sleep(10 * INTERVAL).await;
    let Ok(Remote::Socket(stranger_at)) = stranger.dial(&heard.paths[0]).await else {
        panic!("the stranger has an address")
    };
    assert_eq!(network.counters(alice_at, stranger_at), Default::default());
    assert!(alice.links().is_empty());
    alice.close().await;
    bob.close().await;
}

#[tokio::test(start_paused = true)]
async fn own_and_hostile_announcements_are_no_news() {
    let network = MemoryNetwork::new(1);
    let alice = endpoint(&network).build().await.unwrap();
    let bob = endpoint(&network).build().await.unwrap();
    let mut events = alice.events();
    let (stranger, to) = (network.endpoint(), address(&alice, &network));
    let own = Announcement::new(alice.keys().clone()).unwrap();
    for packet in own.packets().unwrap() {
        send(&stranger, to, &packet);
    }
    let mut lie = long_announcement(&bob);
    let name = bob.hashname().to_string();
    let at = lie.windows(52).position(|text| text == name.as_bytes());
    let at = at.unwrap();
    lie[at..at + 52].copy_from_slice(alice.hashname().to_string().as_bytes());
    send(&stranger, to, &lie);
    send(&stranger, to, b"\x00\x09{\"a\":[[[]");
    // The one that is true comes last and is all there is.
    send(&stranger, to, &long_announcement(&bob));
    assert_eq!(discovered(&mut events).await.hashname, bob.hashname());
    assert_eq!(alice.discovered().len(), 1);
    alice.close().await;
    bob.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_names_is_cut_off() {
    let network = MemoryNetwork::new(1);
    let alice = endpoint(&network).build().await.unwrap();
    let (stranger, to) = (network.endpoint(), address(&alice, &network));
    for number in 0..1000_u32 {
        let mut keys = telehash_hashname::KeySet::new();
        let key = number.to_be_bytes().repeat(8);
        keys.insert_key(telehash_hashname::Csid::CS3A, key).unwrap();
        let [packet, _] = Announcement::new(keys).unwrap().packets().unwrap();
        send(&stranger, to, &packet);
    }
    sleep(Duration::from_millis(1)).await;
    let heard = alice.discovered().len() as u32;
    let at_once = 8 * telehash_link::ANNOUNCEMENTS_PER_SOURCE;
    assert_eq!(heard, at_once);
    alice.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_cannot_be_announced_says_so() {
    let network = MemoryNetwork::new(1);
    let mesh = endpoint(&network).build().await.unwrap();
    let refused = mesh.discover(true).await;
    assert!(
        matches!(refused, Err(DiscoverError::Unsupported)),
        "{refused:?}"
    );
    assert!(!mesh.is_discoverable());
    mesh.discover(false).await.unwrap();
    mesh.close().await;
    assert!(matches!(
        mesh.discover(true).await,
        Err(DiscoverError::Closed)
    ));

    let built = endpoint(&network).discover(true).build().await;
    assert!(matches!(built, Err(BuildError::Discover(_))));
}
