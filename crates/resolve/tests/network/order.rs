//! Which answer counts, and what is said if there is none.

use axum::Router;
use axum::routing::get;
use telehash_resolve::webfinger::REL;
use telehash_resolve::{LookUps, Source, dns};

use crate::name_server::{NameServer, Zone};
use crate::web_server::WebServer;
use crate::{endpoint, place, uri};

/// The second endpoint in DNS.
async fn names() -> NameServer {
    let link = endpoint(2);
    let host = format!("{}.example.org", link.hashname);
    let zone = Zone::default()
        .service(0, 1, &host)
        .address(&host, [192, 0, 2, 2]);
    let texts = dns::texts(&link.keys).unwrap();
    texts
        .iter()
        .fold(zone, |zone, text| zone.text(&host, text))
        .serve()
        .await
}

#[tokio::test]
async fn webfinger_comes_before_dns_and_dns_before_the_keys_of_a_provider() {
    let names = names().await;
    let answer = format!(r#"{{"links":[{{"rel":"{REL}","href":"{}"}}]}}"#, uri(1));
    let webfinger = get(move || async move { answer });
    let jwk = serde_json::Value::Object(endpoint(3).jwk().unwrap());
    let configuration = || async { r#"{"jwks_uri":"https://example.org/keys"}"# };
    let provider = Router::new()
        .route("/.well-known/openid-configuration", get(configuration))
        .route(
            "/keys",
            get(move || async move { format!(r#"{{"keys":[{jwk}]}}"#) }),
        );
    let both = provider.clone().route("/.well-known/webfinger", webfinger);

    let ann = place("link://ann@example.org");
    for (router, expected) in [(both, 1), (provider.clone(), 2)] {
        let server = WebServer::new(router).await;
        let look_ups = server.look_ups().name_servers([names.address]);
        let found = look_ups.find(&ann).await.unwrap();
        assert_eq!(found.link.hashname, endpoint(expected).hashname);
    }
    let server = WebServer::new(provider).await;
    let found = server.look_ups().find(&ann).await.unwrap();
    assert_eq!(found.link.hashname, endpoint(3).hashname);
}

#[tokio::test]
async fn if_nobody_is_found_every_reason_is_said() {
    let names = Zone::default().serve().await;
    let look_ups = LookUps::new().name_servers([names.address]);
    let error = look_ups
        .find(&place("link://ann@example.org"))
        .await
        .unwrap_err();
    let asked: Vec<_> = error.reasons.iter().map(|(source, _)| *source).collect();
    assert_eq!(asked, [Source::WebFinger, Source::Dns, Source::Jwks]);
    let text = error.to_string();
    for part in [
        "ann@example.org",
        "WebFinger: https://",
        "DNS: there is no service record",
        "OpenID",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
