//! Endpoints that demand a JSON web token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use telehash_hashname::Hashname;
use telehash_runtime::state::Trust;
use telehash_runtime::{
    Accept, Builder, ConnectOptions, Events, InviteOptions, JwtKey, JwtPolicy, JwtRefusal, Mesh,
    MeshEvent,
};
use telehash_transport::memory::MemoryNetwork;
use telehash_transport_udp::{UdpConfig, UdpTransport};

use crate::common::{PATIENCE, endpoint, event};

const SECRET: [u8; 32] = [7; 32];
const SERVER: &str = "10.9.9.9:1";
const CLIENT: &str = "10.9.9.8:1";
/// Long enough for all the resends of a handshake.
const GIVE_UP: Duration = Duration::from_secs(35);

fn policy() -> JwtPolicy {
    let public = include_bytes!("../keys/es256-public.pem");
    let keys = [JwtKey::hs256(&SECRET), JwtKey::es256_pem(public)].map(Result::unwrap);
    JwtPolicy::new(keys).unwrap()
}

/// Seconds since 1970, so many from now.
fn date(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

fn token_by(secret: &[u8], aud: &Hashname, sub: &Hashname, lifetime: i64) -> String {
    let claims = json!({
        "aud": aud.to_string(),
        "sub": sub.to_string(),
        "exp": date(lifetime),
    });
    let key = EncodingKey::from_secret(secret);
    encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

fn es256(aud: &Hashname) -> String {
    let claims = json!({"aud": aud.to_string(), "exp": date(3600)});
    let key = EncodingKey::from_ec_pem(include_bytes!("../keys/es256-private.pem")).unwrap();
    encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
}

fn good(server: &Mesh, client: &Mesh) -> String {
    token_by(&SECRET, &server.hashname(), &client.hashname(), 3600)
}

async fn at(network: &MemoryNetwork, place: &str, builder: Builder) -> Mesh {
    let transport = network.endpoint_at(place.parse().unwrap()).unwrap();
    builder.transport(transport).build().await.unwrap()
}

async fn links(client: &Mesh, server: &Mesh, options: ConnectOptions) -> bool {
    let target = server.local_link_json();
    let link = client.link_with(target, options).await.unwrap();
    let up = link.wait_up(GIVE_UP).await.is_ok();
    link.close();
    up
}

fn presenting(token: String) -> ConnectOptions {
    ConnectOptions::new().jwt(token)
}

async fn refusal(events: &mut Events) -> (Hashname, JwtRefusal) {
    event(events, |event| match event {
        MeshEvent::JwtRefused { hashname, reason } => Some((hashname, reason)),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_good_token_of_either_kind_opens_the_door() {
    for is_es256 in [false, true] {
        let network = MemoryNetwork::new(1);
        let server = endpoint(&network).accept(Accept::All);
        let server = server.demand_jwt(policy()).build().await.unwrap();
        let client = endpoint(&network).build().await.unwrap();
        let token = match is_es256 {
            false => good(&server, &client),
            true => es256(&server.hashname()),
        };
        assert!(links(&client, &server, presenting(token)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn each_token_that_is_not_good_is_refused_in_silence_and_reported_here() {
    type Make = fn(&Mesh, &Mesh) -> Option<String>;
    let cases: [(JwtRefusal, Make); 8] = [
        (JwtRefusal::Missing, |_, _| None),
        (JwtRefusal::Malformed, |_, _| Some("sesame".into())),
        (JwtRefusal::Malformed, |server, client| {
            let token = good(server, client);
            let claims = token.split('.').nth(1).unwrap();
            Some(format!("eyJhbGciOiJub25lIn0.{claims}."))
        }),
        (JwtRefusal::BadSignature, |server, client| {
            let (aud, sub) = (server.hashname(), client.hashname());
            Some(token_by(&[8; 32], &aud, &sub, 3600))
        }),
        (JwtRefusal::Expired, |server, client| {
            let (aud, sub) = (server.hashname(), client.hashname());
            Some(token_by(&SECRET, &aud, &sub, -3600))
        }),
        (JwtRefusal::WrongAudience, |_, client| {
            Some(good(client, client))
        }),
        (JwtRefusal::WrongSender, |server, _| {
            Some(good(server, server))
        }),
        (JwtRefusal::WrongAlgorithm, |server, client| {
            let claims = json!({"aud": server.hashname().to_string(), "sub": client.hashname().to_string(), "exp": date(3600)});
            let key = EncodingKey::from_secret(&SECRET);
            Some(encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap())
        }),
    ];
    for (expected, make) in cases {
        let network = MemoryNetwork::new(1);
        let policy = policy().bound_to_sender(true);
        let server = Mesh::builder().accept(Accept::All).demand_jwt(policy);
        let server = at(&network, SERVER, server).await;
        let client = at(&network, CLIENT, Mesh::builder()).await;
        let mut events = server.events();
        let options = match make(&server, &client) {
            Some(token) => presenting(token),
            None => ConnectOptions::new(),
        };
        assert!(!links(&client, &server, options).await, "{expected}");
        assert_eq!(refusal(&mut events).await, (client.hashname(), expected));
        let sent = network.counters(SERVER.parse().unwrap(), CLIENT.parse().unwrap());
        assert_eq!(sent.sent, 0, "{expected}");
        assert_eq!(server.stats().links, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn trusted_ones_need_a_token_too_unless_they_are_spared() {
    for spared in [false, true] {
        let network = MemoryNetwork::new(1);
        let server = endpoint(&network).demand_jwt(policy().spare_trusted(spared));
        let server = server.build().await.unwrap();
        let client = endpoint(&network).build().await.unwrap();
        let known = server.known();
        known.set_trust(client.hashname(), Trust::Trusted).unwrap();
        let up = links(&client, &server, ConnectOptions::new()).await;
        assert_eq!(up, spared);
        let token = good(&server, &client);
        assert!(links(&client, &server, presenting(token)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_replace_being_accepted() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network).demand_jwt(policy());
    let server = server.build().await.unwrap();
    let client = endpoint(&network).build().await.unwrap();
    let token = good(&server, &client);
    assert!(!links(&client, &server, presenting(token)).await);
}

#[tokio::test(start_paused = true)]
async fn an_invite_is_not_spent_on_who_has_no_token() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network).demand_jwt(policy());
    let server = server.build().await.unwrap();
    let client = endpoint(&network).build().await.unwrap();
    let invite = server.invite(InviteOptions::new()).unwrap().to_string();
    let link = client.link(invite.clone()).await.unwrap();
    assert!(link.wait_up(GIVE_UP).await.is_err());
    link.close();
    let options = presenting(good(&server, &client));
    let link = client.link_with(invite, options).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_was_away_needs_a_token_again() {
    let network = MemoryNetwork::new(1);
    let server = Mesh::builder().accept(Accept::All).demand_jwt(policy());
    let server = at(&network, SERVER, server).await;
    let client = at(&network, CLIENT, Mesh::builder()).await;
    let options = presenting(good(&server, &client));
    let target = server.local_link_json();
    let link = client.link_with(target.clone(), options).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();

    let mut events = server.events();
    let (here, there) = (SERVER.parse().unwrap(), CLIENT.parse().unwrap());
    network.block(here, there);
    network.block(there, here);
    let removed = event(&mut events, |event| {
        matches!(event, MeshEvent::LinkRemoved { .. }).then_some(())
    });
    tokio::time::timeout(10 * PATIENCE, removed).await.unwrap();
    link.close();
    network.unblock(here, there);
    network.unblock(there, here);
    assert!(!links(&client, &server, ConnectOptions::new()).await);
    let refused = refusal(&mut events).await;
    assert_eq!(refused, (client.hashname(), JwtRefusal::Missing));
    let options = presenting(good(&server, &client));
    assert!(links(&client, &server, options).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_the_door_over_real_sockets() {
    async fn mesh(builder: Builder) -> Mesh {
        let here = UdpConfig::at("127.0.0.1:0".parse().unwrap());
        let opening = async move { UdpTransport::bind(&here).await };
        builder.open_transport(opening).build().await.unwrap()
    }
    let server = Mesh::builder().accept(Accept::All).demand_jwt(policy());
    let server = mesh(server).await;
    let mut events = server.events();
    let client = mesh(Mesh::builder()).await;
    let link = client.link(server.uri().to_string()).await.unwrap();
    let refused = refusal(&mut events).await;
    assert_eq!(refused, (client.hashname(), JwtRefusal::Missing));
    assert!(!link.is_up());
    // Anew, since its round goes on as it was sealed.
    link.close();
    let options = presenting(good(&server, &client));
    let target = server.uri().to_string();
    let link = client.link_with(target, options).await.unwrap();
    link.wait_up(Duration::from_secs(60)).await.unwrap();
    client.close().await;
    server.close().await;
}

/// Its answer to our introduction is a stranger's handshake.
#[tokio::test(start_paused = true)]
async fn whoever_demands_tokens_can_be_introduced_by_a_router_to_whom_it_asks_for() {
    let network = MemoryNetwork::new(1);
    let router = endpoint(&network).accept(Accept::All).router(true);
    let router = router.build().await.unwrap();
    let server = endpoint(&network).demand_jwt(policy());
    let server = server.build().await.unwrap();
    let friend = endpoint(&network).accept(Accept::All).build();
    let friend = friend.await.unwrap();
    for mesh in [&server, &friend] {
        let link = mesh.use_router(router.local_link_json()).await.unwrap();
        link.wait_up(PATIENCE).await.unwrap();
    }
    let link = server.link(friend.hashname()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    for mesh in [server, friend, router] {
        mesh.close().await;
    }
}
