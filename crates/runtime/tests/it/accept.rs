//! Who may link, and that nobody else hears from us.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use telehash_runtime::state::Trust;
use telehash_runtime::{Accept, Decision, Mesh, MeshEvent, Stranger};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, endpoint, event};

/// Long enough for all the resends of a handshake.
const GIVE_UP: Duration = Duration::from_secs(35);

async fn server(network: &MemoryNetwork, policy: Accept) -> Mesh {
    endpoint(network).accept(policy).build().await.unwrap()
}

async fn links(client: &Mesh, server: &Mesh) -> bool {
    let link = client.link(server.local_link_json()).await.unwrap();
    let up = link.wait_up(GIVE_UP).await.is_ok();
    link.close();
    up
}

#[tokio::test(start_paused = true)]
async fn a_stranger_gets_no_answer_at_all() {
    let network = MemoryNetwork::new(1);
    let quiet = network.endpoint_at("10.9.9.9:1".parse().unwrap()).unwrap();
    let server = Mesh::builder().transport(quiet).build().await.unwrap();
    let at = network.endpoint_at("10.9.9.8:1".parse().unwrap()).unwrap();
    let client = Mesh::builder().transport(at).build().await.unwrap();
    assert!(!links(&client, &server).await);
    let counters = network.counters("10.9.9.9:1".parse().unwrap(), "10.9.9.8:1".parse().unwrap());
    assert_eq!(counters.sent, 0, "{counters:?}");
    assert!(server.stats().endpoint.packets > 0);
    assert_eq!(server.stats().links, 0);
}

#[tokio::test(start_paused = true)]
async fn known_links_are_accepted_once_they_are_trusted_and_no_longer_when_blocked() {
    let network = MemoryNetwork::new(1);
    let server = server(&network, Accept::Known).await;
    let client = endpoint(&network).build().await.unwrap();
    assert!(!links(&client, &server).await);
    server
        .known()
        .set_trust(client.hashname(), Trust::Trusted)
        .unwrap();
    assert!(links(&client, &server).await);
    server.get(&client.hashname()).unwrap().close();
    server
        .known()
        .set_trust(client.hashname(), Trust::Blocked)
        .unwrap();
    assert!(!links(&client, &server).await);
}

#[tokio::test(start_paused = true)]
async fn the_allow_list_is_open_to_additions() {
    let network = MemoryNetwork::new(1);
    let server = server(&network, Accept::None).await;
    let client = endpoint(&network).build().await.unwrap();
    assert!(!links(&client, &server).await);
    server.allow(client.hashname());
    assert!(links(&client, &server).await);
}

#[tokio::test(start_paused = true)]
async fn the_application_decides_when_asked() {
    let network = MemoryNetwork::new(1);
    let welcome = endpoint(&network).build().await.unwrap();
    let unwelcome = endpoint(&network).build().await.unwrap();
    let guest = welcome.hashname();
    let decide = move |stranger: Stranger| async move {
        assert!(stranger.path.is_some() && stranger.keys.hashname() == Some(stranger.hashname));
        if stranger.hashname == guest {
            Decision::Accept
        } else {
            Decision::Refuse
        }
    };
    let server = server(&network, Accept::ask(decide)).await;
    let mut events = server.events();
    assert!(links(&welcome, &server).await);
    assert!(!links(&unwelcome, &server).await);
    let refused = event(&mut events, |event| match event {
        MeshEvent::StrangerRefused { hashname } => Some(hashname),
        _ => None,
    });
    assert_eq!(refused.await, unwelcome.hashname());
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_panics_or_takes_too_long_refuses_and_harms_nobody_else() {
    let network = MemoryNetwork::new(1);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let decide = move |_: Stranger| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                0 => panic!("the application is broken"),
                1 => std::future::pending().await,
                _ => Decision::Accept,
            }
        }
    };
    let server = server(&network, Accept::ask(decide)).await;
    let client = endpoint(&network).build().await.unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert!(asked.load(Ordering::Relaxed) >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_full_table_forgets_whom_nobody_asked_for_and_keeps_live_links() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network)
        .accept(Accept::All)
        .max_links(2)
        .build()
        .await
        .unwrap();
    let first = endpoint(&network).build().await.unwrap();
    let second = endpoint(&network).build().await.unwrap();
    let third = endpoint(&network).build().await.unwrap();
    let link = first.link(server.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    second
        .link(server.local_link_json())
        .await
        .unwrap()
        .wait_up(PATIENCE)
        .await
        .unwrap();
    assert!(
        !links(&third, &server).await,
        "two live links are the limit"
    );

    let mut events = server.events();
    first.close().await;
    event(&mut events, |event| match event {
        MeshEvent::LinkState {
            hashname,
            reason: Some(_),
            ..
        } => (hashname == first.hashname()).then_some(()),
        _ => None,
    })
    .await;
    assert!(links(&third, &server).await);
    assert!(
        server.get(&first.hashname()).is_none(),
        "the one that was down made room"
    );
    assert!(server.get(&second.hashname()).is_some());
}
