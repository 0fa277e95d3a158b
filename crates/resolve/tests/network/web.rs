//! Looking up with WebFinger, and the keys of an OpenID provider.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::routing::get;
use serde_json::{Value, json};
use telehash_hashname::Path;
use telehash_resolve::webfinger::REL;
use telehash_resolve::{DocumentError, LookUpError, Mismatch, Source};

use crate::web_server::WebServer;
use crate::{endpoint, place, reason, uri};

const WEBFINGER: &str = "/.well-known/webfinger";
const OPENID: &str = "/.well-known/openid-configuration";

fn descriptor(href: &str) -> String {
    json!({ "subject": "acct:ann@example.org", "links": [{ "rel": REL, "href": href }] })
        .to_string()
}

/// A page that always says the same.
fn says(router: Router, path: &str, text: String) -> Router {
    router.route(path, get(move || async move { text }))
}

fn webfinger(text: String) -> Router {
    says(Router::new(), WEBFINGER, text)
}

#[tokio::test]
async fn an_account_leads_to_the_keys_in_a_link_uri() {
    let server = WebServer::new(webfinger(descriptor(&uri(1)))).await;
    let found = server
        .look_ups()
        .find(&place("link://ann@example.org"))
        .await
        .unwrap();
    assert_eq!(
        (found.source, found.link.hashname),
        (Source::WebFinger, endpoint(1).hashname)
    );
    assert!(
        found.link.paths.contains(&endpoint(1).paths[0]),
        "{:?}",
        found.link.paths
    );
    assert_eq!(found.uri.unwrap().to_string(), uri(1));
}

#[tokio::test]
async fn an_account_leads_to_a_link_json_elsewhere() {
    let href = "https://example.org/~ann/link.json";
    let router = says(
        webfinger(descriptor(href)),
        "/~ann/link.json",
        endpoint(1).to_string(),
    );
    let server = WebServer::new(router).await;
    let found = server
        .look_ups()
        .find(&place("link://ann@example.org"))
        .await
        .unwrap();
    assert_eq!((found.source, found.link), (Source::WebFinger, endpoint(1)));
}

#[tokio::test]
async fn the_server_learns_the_resource_and_nothing_else() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let page = move |uri: Uri, headers: HeaderMap| async move {
        log.lock().unwrap().push((uri.to_string(), headers));
        descriptor(&crate::uri(1))
    };
    let server = WebServer::new(Router::new().route(WEBFINGER, get(page))).await;
    let secret = "link://ann:word@example.org/?inv=a4dqobyha4dqobyha4dqobyhae#abc.def";
    server.look_ups().find(&place(secret)).await.unwrap();
    let asked = asked.lock().unwrap();
    let [(uri, headers)] = &asked[..] else {
        panic!("{asked:?}")
    };
    let rel = "http%3A%2F%2Ftelehash.org%2Flink";
    assert_eq!(
        *uri,
        format!("{WEBFINGER}?resource=acct%3Aann%40example.org&rel={rel}")
    );
    let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["accept", "host"]);
}

#[tokio::test]
async fn somebody_elses_keys_are_refused_where_it_is_known_whom_to_expect() {
    let server = WebServer::new(webfinger(descriptor(&uri(2)))).await;
    let ann = place("link://ann@example.org");
    let (expected, found) = (endpoint(1).hashname, endpoint(2).hashname);
    let result = server
        .look_ups()
        .find(&ann.clone().expecting(expected))
        .await;
    let error = reason(&result, Source::WebFinger);
    let mismatch = Mismatch::Other { expected, found };
    assert!(
        matches!(&error, LookUpError::Mismatch { error, .. } if *error == mismatch),
        "{error}"
    );
    assert!(server.look_ups().find(&ann.expecting(found)).await.is_ok());
}

#[tokio::test]
async fn a_link_json_without_keys_is_of_no_use() {
    let link = json!({ "hashname": endpoint(1).hashname.to_string() }).to_string();
    let router = says(
        webfinger(descriptor("https://example.org/link")),
        "/link",
        link,
    );
    let server = WebServer::new(router).await;
    let result = server
        .look_ups()
        .find(&place("link://ann@example.org"))
        .await;
    let error = reason(&result, Source::WebFinger);
    assert!(
        matches!(
            error,
            LookUpError::Mismatch {
                error: Mismatch::NoKeys,
                ..
            }
        ),
        "{error}"
    );
}

fn provider(keys: &[Value]) -> Router {
    let configuration = json!({ "issuer": "x", "jwks_uri": "https://example.org/keys" });
    let router = says(Router::new(), OPENID, configuration.to_string());
    says(router, "/keys", json!({ "keys": keys }).to_string())
}

#[tokio::test]
async fn a_provider_leads_to_the_first_endpoint_among_its_keys() {
    let jwk = |number| Value::Object(endpoint(number).jwk().unwrap());
    let server = WebServer::new(provider(&[json!({ "kty": "RSA" }), jwk(1), jwk(2)])).await;
    let domain = place("link://example.org");
    let found = server.look_ups().find(&domain).await.unwrap();
    assert_eq!((found.source, found.link), (Source::Jwks, endpoint(1)));
    let result = server
        .look_ups()
        .find(&domain.expecting(endpoint(2).hashname))
        .await;
    let error = reason(&result, Source::Jwks);
    assert!(matches!(error, LookUpError::Mismatch { .. }), "{error}");
}

#[tokio::test]
async fn a_provider_without_an_endpoint_says_so() {
    let server = WebServer::new(provider(&[json!({ "kty": "RSA" })])).await;
    let result = server.look_ups().find(&place("link://example.org")).await;
    let LookUpError::Document { url, error } = reason(&result, Source::Jwks) else {
        panic!("{result:?}")
    };
    assert_eq!(
        (url.as_str(), error),
        ("https://example.org/keys", DocumentError::NoHashnameKey)
    );
}

#[tokio::test]
async fn a_host_name_in_a_link_uri_is_left_to_be_resolved() {
    let uri = uri(1).replace("192.0.2.1", "node.example.org");
    let server = WebServer::new(webfinger(descriptor(&uri))).await;
    let found = server
        .look_ups()
        .find(&place("link://ann@example.org"))
        .await
        .unwrap();
    assert_eq!(found.link.paths, Vec::<Path>::new());
    assert_eq!(
        found.uri.unwrap().host().unwrap().to_string(),
        "node.example.org"
    );
}
