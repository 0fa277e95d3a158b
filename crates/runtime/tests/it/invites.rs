//! Invites: strangers who have one are let in and both sides remember, once; others hear nothing.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::time::Duration;

use telehash_runtime::state::Trust;
use telehash_runtime::{Accept, InviteError, InviteOptions, Mesh, MeshEvent};
use telehash_transport::memory::MemoryNetwork;
use telehash_uri::{LinkUri, Secret};

use crate::common::{PATIENCE, endpoint, event};

/// Long enough for all the resends of a handshake.
const GIVE_UP: Duration = Duration::from_secs(35);

/// Where the host is.
const HOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9)), 1);

struct Scene {
    network: MemoryNetwork,
    host: Mesh,
    guests: Cell<u8>,
}

/// A stranger to the host.
struct Guest {
    mesh: Mesh,
    at: SocketAddr,
}

impl Deref for Guest {
    type Target = Mesh;

    fn deref(&self) -> &Mesh {
        &self.mesh
    }
}

impl Scene {
    async fn accepting(policy: Accept) -> Self {
        let network = MemoryNetwork::new(1);
        let builder = Mesh::builder().transport(network.endpoint_at(HOST).unwrap());
        let host = builder.accept(policy).build().await.unwrap();
        let guests = Cell::new(0);
        Self {
            network,
            host,
            guests,
        }
    }

    async fn guest(&self) -> Guest {
        self.guests.update(|guests| guests + 1);
        let at = SocketAddr::from(([10, 9, 8, self.guests.get()], 1));
        let builder = Mesh::builder().transport(self.network.endpoint_at(at).unwrap());
        let mesh = builder.build().await.unwrap();
        Guest { mesh, at }
    }

    fn invite(&self) -> LinkUri {
        self.host.invite(InviteOptions::new()).unwrap()
    }

    /// Whether an unknown guest fails with this invite, hears nothing at all and leaves no trace.
    async fn is_silent_to(&self, guest: &Guest, invite: &LinkUri) -> bool {
        let known = self.host.known().all().len();
        let up = links(guest, invite).await;
        let heard = self.network.counters(HOST, guest.at);
        let stats = self.host.stats();
        !up && heard.sent == 0
            && stats.endpoint.half_open == 0
            && self.host.known().all().len() == known
            && self.host.get(&guest.hashname()).is_none()
            && guest.known().all().is_empty()
    }
}

async fn links(guest: &Mesh, to: &LinkUri) -> bool {
    let link = guest.link(to.clone()).await.unwrap();
    let up = link.wait_up(GIVE_UP).await.is_ok();
    if !up {
        link.close();
    }
    up
}

fn trusts(one: &Mesh, other: &Mesh) -> bool {
    one.known().trust(&other.hashname()) == Trust::Trusted
}

#[tokio::test(start_paused = true)]
async fn an_invite_makes_two_strangers_known_and_trusted_links() {
    let ask = Accept::ask(|_| async { panic!("whoever is invited is not asked about") });
    for policy in [Accept::Known, ask, Accept::All] {
        let scene = Scene::accepting(policy).await;
        let guest = scene.guest().await;
        let mut events = scene.host.events();
        let options = InviteOptions::new().alias("bob");
        let invite = scene.host.invite(options).unwrap();
        assert!(links(&guest, &invite).await);
        let redeemed = event(&mut events, |event| match event {
            MeshEvent::InviteRedeemed { hashname } => Some(hashname),
            _ => None,
        });
        assert_eq!(redeemed.await, guest.hashname());
        assert!(trusts(&scene.host, &guest) && trusts(&guest, &scene.host));
        assert_eq!(scene.host.known().find("bob"), Ok(guest.hashname()));
        assert!(scene.host.known().invites(0).is_empty(), "spent");

        // From now on names are enough.
        guest.get(&scene.host.hashname()).unwrap().close();
        let link = guest.link(scene.host.hashname()).await.unwrap();
        link.wait_up(PATIENCE).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_reused_or_guessed_invite_gets_no_answer_and_leaves_nothing_behind() {
    let scene = Scene::accepting(Accept::Known).await;
    let (first, second) = (scene.guest().await, scene.guest().await);
    let invite = scene.invite();
    assert!(links(&first, &invite).await);
    assert!(scene.is_silent_to(&second, &invite).await, "reused");

    let real = scene.invite();
    let guessed = real.clone().with_invite(&Secret::from_bytes([9; 16]));
    assert!(scene.is_silent_to(&second, &guessed.unwrap()).await);
    assert!(
        scene
            .is_silent_to(&second, &real.clone().without_invite())
            .await
    );

    assert!(
        links(&second, &real).await,
        "and none of it spent the real one"
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_invite_gets_no_answer_and_leaves_nothing_behind() {
    let scene = Scene::accepting(Accept::Known).await;
    let guest = scene.guest().await;
    let expired = InviteOptions::new().lifetime(Duration::ZERO);
    let expired = scene.host.invite(expired).unwrap();
    assert!(scene.is_silent_to(&guest, &expired).await);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_invite_is_worth_nothing() {
    let scene = Scene::accepting(Accept::Known).await;
    let guest = scene.guest().await;
    let invite = scene.invite();
    let handle = invite.invite().unwrap().handle();
    assert_eq!(scene.host.known().revoke_invites(&handle), 1);
    assert!(scene.is_silent_to(&guest, &invite).await);
}

#[tokio::test(start_paused = true)]
async fn an_invite_can_be_good_for_several() {
    let scene = Scene::accepting(Accept::Known).await;
    let invite = scene.host.invite(InviteOptions::new().uses(2)).unwrap();
    for _ in 0..2 {
        assert!(links(&*scene.guest().await, &invite).await);
    }
    let third = scene.guest().await;
    assert!(scene.is_silent_to(&third, &invite).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_blocked_cannot_be_invited() {
    let scene = Scene::accepting(Accept::Known).await;
    let guest = scene.guest().await;
    let known = scene.host.known();
    known.set_trust(guest.hashname(), Trust::Blocked).unwrap();
    let invite = scene.invite();
    assert!(scene.is_silent_to(&guest, &invite).await);
    assert_eq!(known.trust(&guest.hashname()), Trust::Blocked);
    assert!(links(&*scene.guest().await, &invite).await, "not spent");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_accepts_nobody_issues_no_invites() {
    let scene = Scene::accepting(Accept::None).await;
    let refused = scene.host.invite(InviteOptions::new());
    assert!(matches!(refused, Err(InviteError::NobodyAccepted)));
    let scene = Scene::accepting(Accept::Known).await;
    let refused = scene
        .host
        .invite(InviteOptions::new().alias("not an alias"));
    assert!(matches!(refused, Err(InviteError::Alias(_))));
}

#[tokio::test(start_paused = true)]
async fn an_invite_presented_on_a_link_that_is_up_makes_both_remember() {
    let scene = Scene::accepting(Accept::All).await;
    let guest = scene.guest().await;
    let mut events = scene.host.events();
    assert!(links(&guest, &scene.host.uri()).await);
    assert!(!trusts(&scene.host, &guest) && !trusts(&guest, &scene.host));
    assert!(links(&guest, &scene.invite()).await);
    event(&mut events, |event| {
        matches!(event, MeshEvent::InviteRedeemed { .. }).then_some(())
    })
    .await;
    assert!(trusts(&scene.host, &guest) && trusts(&guest, &scene.host));
}

#[tokio::test(start_paused = true)]
async fn invites_and_those_who_redeemed_them_outlive_the_endpoint() {
    let directory = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::new(1);
    let host = || async {
        let transport = network.endpoint_at(HOST).unwrap();
        let builder = Mesh::builder().transport(transport);
        builder.state_dir(directory.path()).build().await.unwrap()
    };
    let first = host().await;
    let invite = first.invite(InviteOptions::new()).unwrap();
    first.close().await;

    let second = host().await;
    let guest = endpoint(&network).build().await.unwrap();
    assert!(links(&guest, &invite).await);
    second.close().await;

    let third = host().await;
    assert!(trusts(&third, &guest));
    let other = endpoint(&network).build().await.unwrap();
    assert!(!links(&other, &invite).await, "spent before the restart");
}

/// What is in the directory when the guest hears that it was let in is what a kill would leave.
#[tokio::test(start_paused = true)]
async fn an_invite_is_spent_on_disk_before_whoever_redeems_it_is_answered() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let network = MemoryNetwork::new(1);
    let host = |directory: &tempfile::TempDir, network: &MemoryNetwork| {
        let builder = Mesh::builder().transport(network.endpoint_at(HOST).unwrap());
        builder.state_dir(directory.path()).build()
    };
    let first = host(&directory, &network).await.unwrap();
    let invite = first.invite(InviteOptions::new()).unwrap();
    let guest = endpoint(&network).build().await.unwrap();
    let link = guest.link(invite.clone()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    for file in ["id.json", "links.json"] {
        std::fs::copy(directory.path().join(file), copy.path().join(file)).unwrap();
    }
    let network = MemoryNetwork::new(2);
    let second = host(&copy, &network).await.unwrap();
    assert!(trusts(&second, &guest), "whoever was let in is known");
    let other = endpoint(&network).build().await.unwrap();
    assert!(!links(&other, &invite).await, "and nobody else comes in");
    first.close().await;
}
