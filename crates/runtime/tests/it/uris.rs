//! URIs that lead through a router: they reach whoever shared them and nobody else, as long and as
//! often as they are good; whatever else is tried meets silence.

use std::net::SocketAddr;
use std::time::Duration;

use telehash_hashname::Hashname;
use telehash_runtime::state::Trust;
use telehash_runtime::{Accept, InviteOptions, LinkError, Mesh, MeshEvent, ShareError};
use telehash_transport::memory::MemoryNetwork;
use telehash_uri::{Fragment, LinkUri, Secret};

use crate::common::{PATIENCE, endpoint, event};

/// A router that knows only whom it trusts, and one that shares URIs of it.
struct Scene {
    network: MemoryNetwork,
    router: Mesh,
    bob: Mesh,
}

impl Scene {
    async fn new() -> Self {
        let network = MemoryNetwork::new(7);
        let router = endpoint(&network).build().await.unwrap();
        let bob = endpoint(&network).build().await.unwrap();
        let known = router.known();
        known.set_trust(bob.hashname(), Trust::Trusted).unwrap();
        let scene = Self {
            network,
            router,
            bob,
        };
        let link = scene.bob.use_router(scene.router.local_link_json()).await;
        link.unwrap().wait_up(PATIENCE).await.unwrap();
        let given = scene.given_uri();
        scene.serves_bob(true).await;
        given.await;
        scene
    }

    async fn serves_bob(&self, on: bool) {
        let bob = self.bob.hashname();
        let mut events = self.router.events();
        if !self.router.get(&bob).is_some_and(|link| link.is_up()) {
            event(&mut events, |event| match event {
                MeshEvent::LinkState { hashname, .. } if hashname == bob => Some(()),
                _ => None,
            })
            .await;
        }
        self.router.get(&bob).unwrap().router(on);
    }

    /// Waits until bob has another URI than when this was called.
    fn given_uri(&self) -> impl Future<Output = ()> + use<> {
        let mut events = self.bob.events();
        let router = self.router.hashname();
        async move {
            event(&mut events, |event| match event {
                MeshEvent::RouterUri { hashname } if hashname == router => Some(()),
                _ => None,
            })
            .await;
        }
    }

    async fn guest(&self) -> Mesh {
        endpoint(&self.network).build().await.unwrap()
    }

    fn share(&self) -> LinkUri {
        self.bob.share_uri(InviteOptions::new(), None).unwrap()
    }

    /// Whether a guest gets nowhere with this URI, and leaves nothing with bob.
    async fn is_silent_to(&self, guest: &Mesh, uri: &LinkUri) -> bool {
        let known = self.bob.known().all().len();
        let error = guest.link(uri.clone()).await.unwrap_err();
        let others = guest.links().into_iter();
        let mut others = others.filter(|link| link.hashname() != self.router.hashname());
        assert!(matches!(error, LinkError::NotShared { .. }), "{error}");
        self.bob.get(&guest.hashname()).is_none()
            && self.bob.known().all().len() == known
            && others.next().is_none()
    }

    async fn close(self) {
        self.bob.close().await;
        self.router.close().await;
    }
}

fn trusts(one: &Mesh, other: &Mesh) -> bool {
    one.known().trust(&other.hashname()) == Trust::Trusted
}

/// A URI with another fragment.
fn with_fragment(uri: &LinkUri, fragment: &Fragment) -> LinkUri {
    uri.without_fragment().with_share(fragment).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_shared_uri_links_two_strangers_through_a_router_that_lets_only_that_in() {
    let scene = Scene::new().await;
    let mut events = scene.bob.events();
    let options = InviteOptions::new().alias("ann");
    let uri = scene.bob.share_uri(options, None).unwrap();
    let text = uri.to_string();
    assert!(!text.contains(&scene.bob.hashname().to_string()), "{text}");
    assert_eq!(uri.hashname(), Some(scene.router.hashname()));

    let ann = scene.guest().await;
    let link = ann.link(text).await.unwrap();
    assert_eq!(link.hashname(), scene.bob.hashname());
    link.wait_up(PATIENCE).await.unwrap();
    let redeemed = event(&mut events, |event| match event {
        MeshEvent::InviteRedeemed { hashname } => Some(hashname),
        _ => None,
    });
    assert_eq!(redeemed.await, ann.hashname());
    assert!(trusts(&scene.bob, &ann) && trusts(&ann, &scene.bob));
    assert_eq!(scene.bob.known().find("ann"), Ok(ann.hashname()));
    assert!(!trusts(&scene.router, &ann), "a way and no more");
    ann.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_digest_alone_is_enough() {
    let scene = Scene::new().await;
    let uri = scene.share();
    let digest = uri.share().unwrap().unwrap().digest_only();
    let ann = scene.guest().await;
    let link = ann.link(with_fragment(&uri, &digest)).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(link.hashname(), scene.bob.hashname());
    ann.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_used_uri_reaches_nobody() {
    let scene = Scene::new().await;
    let uri = scene.share();
    let [ann, eve] = [scene.guest().await, scene.guest().await];
    let link = ann.link(uri.clone()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert!(scene.is_silent_to(&eve, &uri).await);
    ann.close().await;
    eve.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_a_revoked_and_an_invented_uri_reach_nobody() {
    let scene = Scene::new().await;
    let eve = scene.guest().await;
    let short = InviteOptions::new().lifetime(Duration::ZERO);
    let expired = scene.bob.share_uri(short, None).unwrap();
    assert!(scene.is_silent_to(&eve, &expired).await);

    let revoked = scene.share();
    assert_eq!(scene.bob.known().revoke_invites(""), 1);
    assert!(scene.is_silent_to(&eve, &revoked).await);

    let good = scene.share();
    let made_up = Fragment::new(&scene.bob.hashname(), &[9; 16]).unwrap();
    assert!(
        scene
            .is_silent_to(&eve, &with_fragment(&good, &made_up))
            .await
    );
    let others = Fragment::new(&Hashname::from_bytes([9; 32]), &[9; 16]).unwrap();
    assert!(
        scene
            .is_silent_to(&eve, &with_fragment(&good, &others))
            .await
    );
    assert_eq!(scene.bob.known().invites(0).len(), 1, "the good one stays");
    eve.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_fragment_of_another_peer_leads_nowhere() {
    let scene = Scene::new().await;
    let carl = scene.guest().await;
    scene
        .router
        .known()
        .set_trust(carl.hashname(), Trust::Trusted)
        .unwrap();
    let link = carl
        .use_router(scene.router.local_link_json())
        .await
        .unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    let mut events = carl.events();
    scene.router.router(true);
    event(&mut events, |event| match event {
        MeshEvent::RouterUri { .. } => Some(()),
        _ => None,
    })
    .await;
    let [bobs, carls] = [
        scene.share(),
        carl.share_uri(InviteOptions::new(), None).unwrap(),
    ];
    assert_ne!(bobs.session(), carls.session());
    let mixed = with_fragment(&bobs, &carls.share().unwrap().unwrap());
    let eve = scene.guest().await;
    assert!(scene.is_silent_to(&eve, &mixed).await);
    assert!(carl.get(&eve.hashname()).is_none());
    eve.close().await;
    carl.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_router_lets_nobody_in_by_a_session_that_is_revoked_or_not_its_own() {
    let scene = Scene::new().await;
    let old = scene.share();
    let sessions = scene.router.router_sessions();
    assert_eq!(sessions[0].hashname, scene.bob.hashname());
    assert_eq!(sessions[0].handle, old.session().unwrap().handle());
    let given = scene.given_uri();
    assert!(scene.router.revoke_session(&scene.bob.hashname()));
    given.await;
    let eve = scene.guest().await;
    assert!(scene.is_silent_to(&eve, &old).await);
    let made_up = old
        .clone()
        .with_session(&Secret::from_bytes([9; 16]))
        .unwrap();
    assert!(scene.is_silent_to(&eve, &made_up).await);
    assert!(scene.router.get(&eve.hashname()).is_none(), "never let in");

    let new = scene.share();
    assert_ne!(new.session(), old.session());
    scene.serves_bob(false).await;
    assert!(scene.is_silent_to(&eve, &new).await, "not served");
    scene.serves_bob(true).await;
    let link = eve.link(new).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(link.hashname(), scene.bob.hashname());
    eve.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_blocked_is_let_in_by_nobody() {
    let scene = Scene::new().await;
    let eve = scene.guest().await;
    let uri = scene.share();
    scene
        .bob
        .known()
        .set_trust(eve.hashname(), Trust::Blocked)
        .unwrap();
    let error = eve.link(uri.clone()).await.unwrap_err();
    assert!(matches!(error, LinkError::NotShared { linked: true, .. }));
    assert!(scene.bob.get(&eve.hashname()).is_none());
    let ann = scene.guest().await;
    scene
        .router
        .known()
        .set_trust(ann.hashname(), Trust::Blocked)
        .unwrap();
    let error = ann.link(uri).await.unwrap_err();
    assert!(matches!(error, LinkError::NotShared { linked: false, .. }));
    eve.close().await;
    ann.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_uri_needs_a_router_that_gives_one() {
    let scene = Scene::new().await;
    let ann = scene.guest().await;
    let share = |via: Option<Hashname>| ann.share_uri(InviteOptions::new(), via.as_ref());
    assert!(matches!(share(None), Err(ShareError::NoRouter)));
    let via = Some(scene.router.hashname());
    assert!(matches!(share(via), Err(ShareError::NotFromRouter(_))));
    let closed = endpoint(&scene.network).accept(Accept::None).build();
    let closed = closed.await.unwrap();
    let error = closed.share_uri(InviteOptions::new(), None).unwrap_err();
    assert!(matches!(error, ShareError::Invite(_)), "{error}");
    let bob = &scene.bob;
    let via = bob.share_uri(InviteOptions::new(), Some(&scene.router.hashname()));
    assert_eq!(via.unwrap().hashname(), Some(scene.router.hashname()));
    closed.close().await;
    ann.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_uri_for_several_is_good_for_them_and_after_a_restart() {
    let network = MemoryNetwork::new(8);
    let router = endpoint(&network).accept(Accept::All).router(true);
    let router = router.build().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = SocketAddr::from(([10, 9, 9, 9], 1));
    let build = || {
        let builder = Mesh::builder().transport(network.endpoint_at(at).unwrap());
        builder.state_dir(directory.path()).build()
    };
    let bob = build().await.unwrap();
    let mut events = bob.events();
    let link = bob.use_router(router.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    event(&mut events, |event| match event {
        MeshEvent::RouterUri { .. } => Some(()),
        _ => None,
    })
    .await;
    let uri = bob.share_uri(InviteOptions::new().uses(2), None).unwrap();
    let name = bob.hashname();
    let ann = endpoint(&network).build().await.unwrap();
    let link = ann.link(uri.clone()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(link.hashname(), name);
    ann.close().await;
    bob.close().await;
    let bob = build().await.unwrap();
    let link = bob.use_router(router.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    let ann = endpoint(&network).build().await.unwrap();
    let link = ann.link(uri.clone()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert!(bob.known().invites(0).is_empty(), "spent");
    for mesh in [ann, bob, router] {
        mesh.close().await;
    }
}

/// What is in the directory when the guest is up is what a kill would leave.
#[tokio::test(start_paused = true)]
async fn a_shared_uri_is_spent_on_disk_before_whoever_presents_it_is_answered() {
    let scene = Scene::new().await;
    let directory = tempfile::tempdir().unwrap();
    let carl = endpoint(&scene.network).state_dir(directory.path());
    let carl = carl.build().await.unwrap();
    let known = scene.router.known();
    known.set_trust(carl.hashname(), Trust::Trusted).unwrap();
    let mut events = carl.events();
    let router = scene.router.local_link_json();
    let link = carl.use_router(router).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    scene.router.router(true);
    event(&mut events, |event| match event {
        MeshEvent::RouterUri { .. } => Some(()),
        _ => None,
    })
    .await;
    let uri = carl.share_uri(InviteOptions::new(), None).unwrap();
    let ann = scene.guest().await;
    // It completes with the answer.
    ann.link(uri).await.unwrap();
    let left = std::fs::read_to_string(directory.path().join("links.json")).unwrap();
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    assert_eq!(left["invites"], serde_json::json!([]), "{left}");
    ann.close().await;
    carl.close().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_nobody_chose_is_no_router_to_share_by() {
    let network = MemoryNetwork::new(9);
    let router = endpoint(&network).accept(Accept::All).router(true);
    let router = router.build().await.unwrap();
    let bob = endpoint(&network).build().await.unwrap();
    let mut events = bob.events();
    let link = bob.link(router.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    event(&mut events, |event| match event {
        MeshEvent::RouterUri { .. } => Some(()),
        _ => None,
    })
    .await;
    let share = |via: Option<Hashname>| bob.share_uri(InviteOptions::new(), via.as_ref());
    assert!(matches!(share(None), Err(ShareError::NoRouter)));
    assert!(share(Some(router.hashname())).is_ok(), "named");
    let known = bob.known();
    known.set_trust(router.hashname(), Trust::Trusted).unwrap();
    assert!(share(None).is_ok(), "trusted");
    bob.close().await;
    router.close().await;
}
