//! Linking, and what can be seen of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use telehash_e3x::CipherSets;
use telehash_hashname::{Csid, KeySet, LinkJson, Path};
use telehash_runtime::limits::MAX_TRANSPORTS;
use telehash_runtime::{
    Accept, BuildError, IntoLinkTarget, LinkError, LinkState, Mesh, MeshEvent, WaitError,
    generate_identity,
};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, Pair, endpoint, event};

#[tokio::test(start_paused = true)]
async fn both_ends_see_the_link_come_up() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network)
        .accept(Accept::All)
        .build()
        .await
        .unwrap();
    let client = endpoint(&network).build().await.unwrap();
    let mut seen = server.events();
    let link = client.link(server.local_link_json()).await.unwrap();
    let mut watch = link.watch();
    assert_eq!(watch.state(), LinkState::Down);
    assert_eq!(watch.changed().await, Some(LinkState::Up));
    assert!(link.is_up());
    assert_eq!(link.csid(), Some(Csid::CS42));
    let from = event(&mut seen, |event| match event {
        MeshEvent::LinkState {
            hashname,
            state: LinkState::Up,
            ..
        } => Some(hashname),
        _ => None,
    });
    assert_eq!(from.await, client.hashname());
    let back = server.get(&client.hashname()).unwrap();
    // Of the set that was not agreed on the handshake tells the intermediate: enough for the hashname.
    assert_eq!(back.keys().hashname(), Some(client.hashname()));
    assert_eq!((client.stats().links, client.stats().links_up), (1, 1));
    assert!(link.stats().handshakes_received > 0);
}

#[tokio::test(start_paused = true)]
async fn a_uri_is_enough_to_link() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network)
        .accept(Accept::All)
        .build()
        .await
        .unwrap();
    let client = endpoint(&network).build().await.unwrap();
    let link = client.link(server.uri().to_string()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(link.hashname(), server.hashname());
}

#[tokio::test(start_paused = true)]
async fn linking_to_oneself_is_refused() {
    let network = MemoryNetwork::new(1);
    let mesh = endpoint(&network).build().await.unwrap();
    let error = mesh.link(mesh.local_link_json()).await.unwrap_err();
    assert!(matches!(error, LinkError::OwnHashname), "{error}");
    let error = mesh.link(mesh.hashname()).await.unwrap_err();
    assert!(matches!(error, LinkError::OwnHashname), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_for_a_link_is_said() {
    let network = MemoryNetwork::new(1);
    let mesh = endpoint(&network).build().await.unwrap();
    let other = endpoint(&network).build().await.unwrap().local_link_json();

    let error = mesh.link(other.hashname).await.unwrap_err();
    assert!(matches!(error, LinkError::KeysUnknown(_)), "{error}");

    let mut elsewhere = other.clone();
    elsewhere.paths = vec![Path::http("http://192.0.2.1/")];
    let error = mesh.link(elsewhere).await.unwrap_err().to_string();
    assert!(
        error.contains("it has http, this endpoint speaks memory"),
        "{error}"
    );

    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS1A, vec![1; 21]).unwrap();
    let error = mesh.link((keys, other.paths.clone())).await.unwrap_err();
    assert!(matches!(error, LinkError::NoCommonCipherSet(_)), "{error}");

    let mut stranger = LinkJson::named(other.hashname);
    stranger.keys = mesh.keys().clone();
    stranger.paths = other.paths;
    let error = mesh.link(stranger).await.unwrap_err();
    assert!(matches!(error, LinkError::WrongKeys(_)), "{error}");

    let error = mesh.link("nobody-i-know").await.unwrap_err().to_string();
    assert!(
        error.contains("no known link is called `nobody-i-know`"),
        "{error}"
    );
    assert_eq!(mesh.stats().links, 0);
}

#[tokio::test(start_paused = true)]
async fn a_known_link_is_found_by_its_alias() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network)
        .accept(Accept::All)
        .build()
        .await
        .unwrap();
    let client = endpoint(&network).build().await.unwrap();
    client.known().remember(server.local_link_json()).unwrap();
    client
        .known()
        .set_alias(server.hashname(), Some("home"))
        .unwrap();
    let link = client.link("home").await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(link.hashname(), server.hashname());
    let prefix = &server.hashname().to_string()[..8];
    assert_eq!(client.link(prefix).await.unwrap(), link);
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_an_error_after_the_given_time() {
    let network = MemoryNetwork::new(1);
    let mesh = endpoint(&network).build().await.unwrap();
    let gone = endpoint(&network).build().await.unwrap();
    let target = gone.local_link_json();
    gone.close().await;
    let link = mesh.link(target).await.unwrap();
    let error = link.wait_up(Duration::from_secs(40)).await.unwrap_err();
    assert!(matches!(error, WaitError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("within 40 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn linking_twice_gives_the_same_link() {
    let pair = Pair::new().await;
    let again = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    assert_eq!(again, pair.link);
    assert_eq!(pair.client.links(), [again]);
}

#[tokio::test(start_paused = true)]
async fn both_may_link_to_each_other_at_once() {
    let network = MemoryNetwork::new(1);
    let ann = endpoint(&network).build().await.unwrap();
    let bob = endpoint(&network).build().await.unwrap();
    let to_bob = ann.link(bob.local_link_json()).await.unwrap();
    let to_ann = bob.link(ann.local_link_json()).await.unwrap();
    to_bob.wait_up(PATIENCE).await.unwrap();
    to_ann.wait_up(PATIENCE).await.unwrap();
    assert_eq!((ann.links().len(), bob.links().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_leaves_the_link_up() {
    let Pair {
        server,
        client,
        link,
        ..
    } = Pair::new().await;
    drop(link);
    let again = client.get(&server.hashname()).unwrap();
    assert!(again.is_up());
}

#[tokio::test(start_paused = true)]
async fn a_closed_link_is_gone_for_its_holders() {
    let pair = Pair::new().await;
    let mut watch = pair.link.watch();
    pair.link.close();
    assert!(pair.link.is_closed());
    assert_eq!(watch.changed().await, Some(LinkState::Down));
    assert_eq!(watch.changed().await, None);
    assert!(matches!(
        pair.link.wait_up(PATIENCE).await,
        Err(WaitError::Closed(_))
    ));
    assert!(pair.client.get(&pair.server.hashname()).is_none());
    assert!(pair.link.pipes().is_empty());

    let anew = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    anew.wait_up(PATIENCE).await.unwrap();
    assert!(pair.link != anew);
}

#[tokio::test(start_paused = true)]
async fn callbacks_hear_of_links_going_up_and_down() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network)
        .accept(Accept::All)
        .build()
        .await
        .unwrap();
    let client = endpoint(&network).build().await.unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (said, mut news) = tokio::sync::mpsc::channel(8);
    let log = heard.clone();
    client.on_link(move |link, state| {
        log.lock().unwrap().push((link.hashname(), state));
        said.try_send(()).unwrap();
    });
    client.link(server.local_link_json()).await.unwrap();
    news.recv().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [(server.hashname(), LinkState::Up)]);
}

#[tokio::test(start_paused = true)]
async fn a_host_name_is_looked_up() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network).build().await.unwrap();
    let mesh = endpoint(&network).build().await.unwrap();
    let mut link = server.local_link_json();
    link.paths.clear();
    let uri = telehash_uri::LinkUri::for_link(&link).unwrap().to_string();
    let uri = uri.replacen("link:///", "link://localhost:9/", 1);
    assert!(uri.as_str().into_link_target().is_ok());
    // Its addresses are found, but this mesh speaks no UDP.
    let error = mesh.link(uri).await.unwrap_err().to_string();
    assert!(error.contains("it has udp"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_mesh_without_a_transport_or_with_too_many_is_not_built() {
    let error = Mesh::builder().build().await.unwrap_err();
    assert!(matches!(error, BuildError::NoTransport), "{error}");
    let network = MemoryNetwork::new(1);
    let with_transports = |count: usize| {
        let builder = Mesh::builder();
        (0..count).fold(builder, |builder, _| builder.transport(network.endpoint()))
    };
    with_transports(MAX_TRANSPORTS).build().await.unwrap();
    let error = with_transports(MAX_TRANSPORTS + 1)
        .build()
        .await
        .unwrap_err();
    assert!(
        matches!(error, BuildError::TooManyTransports { count: 65 }),
        "{error}"
    );
}

#[test]
fn a_mesh_outside_of_a_runtime_is_not_built() {
    let build = endpoint(&MemoryNetwork::new(1)).build();
    let error = futures::executor::block_on(build).unwrap_err();
    assert!(matches!(error, BuildError::NoRuntime), "{error}");
}

#[tokio::test]
async fn a_peer_that_was_restarted_is_told_of() {
    let network = MemoryNetwork::new(1);
    let server = Mesh::builder()
        .transport(network.endpoint())
        .accept(Accept::All);
    let server = server.build().await.unwrap();
    let identity = generate_identity(&CipherSets::default(), [Csid::CS3A]).unwrap();
    let start = async || {
        let builder = Mesh::builder().identity(identity.clone());
        let client = builder.transport(network.endpoint()).build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(Duration::from_secs(30)).await.unwrap();
        client
    };
    let first = start().await;
    let mut events = server.events();
    first.close().await;
    let _again = start().await;
    let told = async {
        loop {
            if let MeshEvent::LinkRestarted { hashname } = events.next().await.unwrap() {
                return hashname;
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(30), told).await;
    assert_eq!(told.unwrap(), identity.hashname());
}
