//! Links through routers.

use std::collections::BTreeSet;

use telehash_hashname::{Hashname, LinkJson, Path};
use telehash_runtime::limits::SEEK_TIMEOUT;
use telehash_runtime::state::Trust;
use telehash_runtime::{
    Accept, Decision, Link, LinkError, Mesh, MeshEvent, Open, Packet, Share, Stranger,
};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, echo, endpoint, event};

/// A router, and two endpoints that use it; `bob` echoes.
struct Trio {
    network: MemoryNetwork,
    router: Mesh,
    ann: Mesh,
    bob: Mesh,
}

impl Trio {
    /// They tell nobody their own addresses unless `direct`.
    async fn new(direct: bool) -> Self {
        let network = MemoryNetwork::new(3);
        let share = if direct { Share::All } else { Share::Nothing };
        let router = endpoint(&network).accept(Accept::All).router(true);
        let router = router.build().await.unwrap();
        let ann = endpoint(&network).share_paths(share);
        let ann = ann.build().await.unwrap();
        let bob = endpoint(&network)
            .share_paths(share)
            .accept(Accept::All)
            .on_open("echo", echo)
            .build()
            .await
            .unwrap();
        for mesh in [&ann, &bob] {
            let link = mesh.use_router(router.local_link_json()).await.unwrap();
            link.wait_up(PATIENCE).await.unwrap();
        }
        Self {
            network,
            router,
            ann,
            bob,
        }
    }

    async fn close(self) {
        for mesh in [self.ann, self.bob, self.router] {
            mesh.close().await;
        }
    }
}

async fn echoes(link: &Link) {
    let mut channel = link.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new(vec![7; 900])).await.unwrap();
    channel.end().unwrap();
    let packet = channel.recv().await.unwrap().unwrap();
    assert_eq!(packet.body.len(), 900);
}

#[tokio::test(start_paused = true)]
async fn a_hashname_is_enough_where_a_router_knows_it() {
    let trio = Trio::new(false).await;
    let link = trio.ann.link(trio.bob.hashname()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(link.through(), Some(trio.router.hashname()));
    echoes(&link).await;
    let pipes = link.pipes();
    assert_eq!(pipes.len(), 1);
    assert_eq!(pipes[0].transport, "router");
    assert_eq!(pipes[0].path, Some(Path::peer(trio.router.hashname())));
    let stats = trio.router.stats().endpoint;
    assert!(stats.forwarded > 3 && stats.bridges > 0, "{stats:?}");
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn keys_without_a_direct_path_go_through_the_routers() {
    let trio = Trio::new(false).await;
    let mut target = LinkJson::named(trio.bob.hashname());
    target.keys = trio.bob.keys().clone();
    let link = trio.ann.link(target).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(link.through(), Some(trio.router.hashname()));
    echoes(&link).await;
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_path_through_a_router_works_for_one_that_is_no_default() {
    let trio = Trio::new(false).await;
    trio.ann.forget_router(&trio.router.hashname());
    assert!(trio.ann.routers().is_empty());
    let error = trio.ann.link(trio.bob.hashname()).await.unwrap_err();
    assert!(matches!(error, LinkError::KeysUnknown(_)), "{error}");
    let mut target = LinkJson::named(trio.bob.hashname());
    target.paths = vec![Path::peer(trio.router.hashname())];
    let link = trio.ann.link(target).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    echoes(&link).await;
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn traffic_moves_to_the_direct_way() {
    let trio = Trio::new(true).await;
    let mut events = trio.ann.events();
    let bob = trio.bob.hashname();
    let link = trio.ann.link(bob).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    let mut ways = Vec::new();
    while ways.len() < 2 {
        let way = event(&mut events, |event| match event {
            MeshEvent::PathSelected { hashname, path } if hashname == bob => Some(path),
            _ => None,
        });
        ways.push(way.await.unwrap());
    }
    let is_routed = |path: &Path| matches!(path, Path::Peer { .. });
    assert!(is_routed(&ways[0]) && !is_routed(&ways[1]), "{ways:?}");
    assert_eq!(link.through(), None);
    echoes(&link).await;
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn our_own_description_names_the_router() {
    let trio = Trio::new(true).await;
    let way = Path::peer(trio.router.hashname());
    assert!(trio.bob.local_link_json().paths.contains(&way));
    assert!(trio.bob.uri().link_json().unwrap().paths.contains(&way));
    assert!(!trio.router.local_link_json().paths.contains(&way));
    trio.bob.forget_router(&trio.router.hashname());
    assert!(!trio.bob.local_link_json().paths.contains(&way));
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_routed_for_unless_the_router_serves_one_of_them() {
    let trio = Trio::new(false).await;
    trio.router.router(false);
    let error = trio.ann.link(trio.bob.hashname()).await.unwrap_err();
    assert!(matches!(error, LinkError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("did not answer"), "{error}");
    trio.router.get(&trio.bob.hashname()).unwrap().router(true);
    let link = trio.ann.link(trio.bob.hashname()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    echoes(&link).await;
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_application_may_decide_about_each_request() {
    let trio = Trio::new(false).await;
    trio.router.router(false);
    let both = BTreeSet::from([trio.ann.hashname(), trio.bob.hashname()]);
    trio.router
        .on_route(move |from, to| both.contains(from) && both.contains(to));
    let link = trio.ann.link(trio.bob.hashname()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    echoes(&link).await;
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_deciding_about_a_request_refuses_it_and_harms_nobody() {
    let trio = Trio::new(false).await;
    trio.router.router(false);
    trio.router
        .on_route(|_, _| panic!("a fault of the application"));
    let mut events = trio.router.events();
    let error = trio.ann.link(trio.bob.hashname()).await.unwrap_err();
    assert!(matches!(error, LinkError::NotFound { .. }), "{error}");
    let refused = trio.router.stats().endpoint.not_relayed;
    assert!(refused > 0, "they count as requests that were refused");
    for mesh in [&trio.ann, &trio.bob] {
        let link = mesh.get(&trio.router.hashname()).unwrap();
        link.ping().await.unwrap();
    }
    trio.router.on_route(|_, _| true);
    let link = trio.ann.link(trio.bob.hashname()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    trio.router.close().await;
    while let Some(event) = events.next().await {
        assert!(!matches!(event, MeshEvent::LinkPanicked { .. }));
    }
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_looked_for_in_vain_is_given_up_after_a_while() {
    let trio = Trio::new(false).await;
    let start = tokio::time::Instant::now();
    let nobody = Hashname::from_bytes([9; 32]);
    let error = trio.ann.link(nobody).await.unwrap_err();
    assert!(matches!(error, LinkError::NotFound { routers: 1, .. }));
    assert!(start.elapsed() >= SEEK_TIMEOUT);
    let asked = trio.router.stats().endpoint.not_relayed;
    assert!((5..=2 * 6).contains(&asked), "{asked}");
    assert!(trio.ann.get(&nobody).is_none());
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_introduced_is_decided_about_and_discovered() {
    let trio = Trio::new(false).await;
    let (sender, mut asked) = tokio::sync::mpsc::channel(16);
    let carl = endpoint(&trio.network).accept(Accept::ask(move |stranger: Stranger| {
        let _ = sender.try_send(stranger);
        async { Decision::Refuse }
    }));
    let carl = carl.build().await.unwrap();
    let mut events = carl.events();
    let link = carl
        .use_router(trio.router.local_link_json())
        .await
        .unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    let error = trio.ann.link(carl.hashname()).await.unwrap_err();
    assert!(matches!(error, LinkError::NotFound { .. }), "{error}");
    let way = Path::peer(trio.router.hashname());
    let stranger = asked.recv().await.unwrap();
    assert!(stranger.introduced && stranger.hashname == trio.ann.hashname());
    assert_eq!(stranger.path, Some(way.clone()));
    let found = event(&mut events, |event| match event {
        MeshEvent::Discovered {
            hashname, paths, ..
        } => Some((hashname, paths)),
        _ => None,
    });
    assert_eq!(found.await, (trio.ann.hashname(), vec![way]));
    assert!(carl.get(&trio.ann.hashname()).is_none());
    carl.close().await;
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_has_itself_introduced_and_falls_silent_leaves_no_link_behind() {
    let trio = Trio::new(false).await;
    let carl = endpoint(&trio.network).build().await.unwrap();
    let (bob, name) = (trio.bob.hashname(), carl.hashname());
    let link = carl.use_router(trio.router.local_link_json()).await;
    link.unwrap().wait_up(PATIENCE).await.unwrap();
    // Nobody is answered whom one blocks: not even whom one asked for.
    carl.known().set_trust(bob, Trust::Blocked).unwrap();
    let mut events = trio.bob.events();
    let error = carl.link(bob).await.unwrap_err();
    assert!(matches!(error, LinkError::NotFound { .. }), "{error}");
    for wanted in [true, false] {
        event(&mut events, |event| match event {
            MeshEvent::LinkAdded { hashname, .. } if hashname == name && wanted => Some(()),
            MeshEvent::LinkRemoved { hashname } if hashname == name && !wanted => Some(()),
            _ => None,
        })
        .await;
    }
    assert!(trio.bob.get(&name).is_none());
    carl.close().await;
    trio.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_router_among_the_known_links_is_used_from_the_start() {
    let network = MemoryNetwork::new(5);
    let router = endpoint(&network).accept(Accept::All).router(true);
    let router = router.build().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let first = endpoint(&network).state_dir(directory.path());
    let first = first.build().await.unwrap();
    first.known().remember(router.local_link_json()).unwrap();
    first.known().set_router(router.hashname(), true).unwrap();
    first.close().await;
    let second = endpoint(&network).state_dir(directory.path());
    let second = second.build().await.unwrap();
    assert_eq!(second.routers(), [router.hashname()]);
    let link = second.get(&router.hashname()).unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    second.close().await;
    router.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_to_the_router_that_its_peer_names() {
    let trio = Trio::new(true).await;
    let newcomer = endpoint(&trio.network).accept(Accept::All).build();
    let newcomer = newcomer.await.unwrap();
    let mut direct = trio.bob.local_link_json();
    direct
        .paths
        .retain(|path| !matches!(path, Path::Peer { .. }));
    let link = newcomer.link(direct).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    let mut events = newcomer.events();
    let router = trio.router.hashname();
    let known: BTreeSet<_> = newcomer.links().iter().map(Link::hashname).collect();
    if !known.contains(&router) {
        event(&mut events, |event| match event {
            MeshEvent::LinkAdded { hashname, .. } if hashname == router => Some(()),
            _ => None,
        })
        .await;
    }
    let link = newcomer.get(&router).unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    newcomer.close().await;
    trio.close().await;
}
