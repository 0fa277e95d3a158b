//! Targets that name a domain and no keys: somebody says whose it is, or linking fails.

use async_trait::async_trait;
use telehash_hashname::{Hashname, LinkJson};
use telehash_runtime::state::Trust;
use telehash_runtime::{
    Accept, FindError, InviteOptions, LinkError, LinkTarget, Mesh, Resolver, TargetError,
};
use telehash_transport::memory::MemoryNetwork;
use telehash_uri::LinkUri;

use crate::common::{PATIENCE, endpoint};

/// Says this of `example.org`, of others that nobody is there, and nothing of hashnames.
struct Says(LinkTarget);

#[async_trait]
impl Resolver for Says {
    fn name(&self) -> &'static str {
        "says"
    }

    async fn resolve(&self, _: &Hashname) -> Option<LinkJson> {
        None
    }

    async fn find(&self, uri: &LinkUri) -> Result<Option<LinkTarget>, FindError> {
        match uri.host().unwrap().to_string().as_str() {
            "example.org" => Ok(Some(self.0.clone())),
            _ => Err("nobody is there".into()),
        }
    }
}

/// Knows of hashnames only.
struct Silent;

#[async_trait]
impl Resolver for Silent {
    fn name(&self) -> &'static str {
        "silent"
    }

    async fn resolve(&self, _: &Hashname) -> Option<LinkJson> {
        None
    }
}

async fn server(network: &MemoryNetwork) -> Mesh {
    endpoint(network).accept(Accept::All).build().await.unwrap()
}

async fn client(network: &MemoryNetwork, says: LinkTarget) -> Mesh {
    let builder = endpoint(network).resolver(Silent).resolver(Says(says));
    builder.build().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_domain_is_linked_to_once_it_is_known_whose_it_is() {
    let network = MemoryNetwork::new(1);
    let server = server(&network).await;
    let client = client(&network, LinkTarget::Link(server.local_link_json())).await;
    for target in ["link://example.org/", "ann@example.org"] {
        let link = client.link(target).await.unwrap();
        assert_eq!(link.hashname(), server.hashname());
        link.wait_up(PATIENCE).await.unwrap();
    }
    let found = client.resolve("ann@example.org").await.unwrap();
    assert_eq!(found.hashname, server.hashname());
    assert_eq!(found.paths, server.local_link_json().paths);
}

#[tokio::test(start_paused = true)]
async fn if_nobody_says_whose_it_is_the_reason_is_told() {
    let network = MemoryNetwork::new(1);
    let says = LinkTarget::Link(server(&network).await.local_link_json());
    let client = client(&network, says).await;
    let error = client.link("ann@example.net").await.unwrap_err();
    assert!(matches!(error, LinkError::NobodyFound(_)), "{error}");
    assert!(error.to_string().contains("nobody is there"), "{error}");
    let alone = endpoint(&network).resolver(Silent).build().await.unwrap();
    let error = alone.link("ann@example.org").await.unwrap_err();
    assert!(
        matches!(error, LinkError::Target(TargetError::NoLookUps)),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn somebody_without_keys_is_nobody() {
    let network = MemoryNetwork::new(1);
    let hashname = server(&network).await.hashname();
    let client = client(&network, LinkTarget::Link(LinkJson::named(hashname))).await;
    let error = client.link("ann@example.org").await.unwrap_err();
    assert!(
        matches!(error, LinkError::Target(TargetError::NoLookUps)),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_invite_that_comes_from_a_look_up_makes_nobody_trusted() {
    let network = MemoryNetwork::new(1);
    let server = server(&network).await;
    let uri = server.invite(InviteOptions::new()).unwrap();
    let link = server.local_link_json();
    let client = client(&network, LinkTarget::Uri { link, uri }).await;
    let link = client.link("ann@example.org").await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(client.known().trust(&server.hashname()), Trust::Unknown);
    assert_eq!(server.known().trust(&client.hashname()), Trust::Unknown);
}
