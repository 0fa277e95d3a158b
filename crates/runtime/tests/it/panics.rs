//! A fault while handling one link closes that link and no other.

use std::sync::Arc;

use telehash_runtime::{Accept, ChannelError, Mesh, MeshEvent, Open, Packet, WaitError};
use telehash_transport::Remote;
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, echo, endpoint, event};
use crate::hooked::{Hooked, Hooks};

#[tokio::test(start_paused = true)]
async fn a_panic_while_handling_one_link_closes_that_link_only() {
    let network = MemoryNetwork::new(1);
    let victim = network.endpoint();
    let victim_at = Remote::Socket(victim.address());
    let hooks = Arc::new(Hooks::default());
    let transport = Hooked {
        inner: network.endpoint(),
        hooks: hooks.clone(),
    };
    let server = Mesh::builder()
        .transport(transport)
        .accept(Accept::All)
        .on_open("echo", echo)
        .build()
        .await
        .unwrap();
    let unlucky = Mesh::builder()
        .transport(victim)
        .on_open("echo", echo)
        .build()
        .await
        .unwrap();
    let lucky = endpoint(&network).build().await.unwrap();
    let doomed = unlucky.link(server.local_link_json()).await.unwrap();
    let sound = lucky.link(server.local_link_json()).await.unwrap();
    doomed.wait_up(PATIENCE).await.unwrap();
    sound.wait_up(PATIENCE).await.unwrap();
    doomed.ping().await.unwrap();

    let back = server.get(&unlucky.hashname()).unwrap();
    let mut open = back.open(Open::reliable("echo")).await.unwrap();
    open.opened().await.unwrap();
    let mut events = server.events();
    *hooks.panic_at.lock().unwrap() = Some(victim_at);
    assert!(doomed.ping().await.is_err());

    let panicked = event(&mut events, |event| match event {
        MeshEvent::LinkPanicked { hashname } => Some(hashname),
        _ => None,
    });
    assert_eq!(panicked.await, unlucky.hashname());
    assert!(back.is_closed());
    assert_eq!(open.recv().await.unwrap_err(), ChannelError::LinkDown);
    assert!(matches!(
        back.wait_up(PATIENCE).await,
        Err(WaitError::Closed(_))
    ));

    let mut channel = sound.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new("unharmed")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "unharmed");

    *hooks.panic_at.lock().unwrap() = None;
    doomed.close();
    let again = unlucky.link(server.local_link_json()).await.unwrap();
    again.wait_up(PATIENCE).await.unwrap();
}
