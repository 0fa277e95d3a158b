//! What web servers may do, and what comes of it.

use std::convert::Infallible;
use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;
use telehash_resolve::limits::{MAX_DOCUMENT_LEN, MAX_REDIRECTS};
use telehash_resolve::{DocumentError, Found, LookUpError, NotFound, Source};

use crate::web_server::{Authority, WebServer};
use crate::{endpoint, place, reason};

const ANN: &str = "link://ann@example.org";
const WEBFINGER: &str = "/.well-known/webfinger";

/// What a server of these pages makes of a look-up.
async fn refused(router: Router) -> LookUpError {
    let server = WebServer::new(router).await;
    webfinger(&server.look_ups().find(&place(ANN)).await)
}

fn webfinger(result: &Result<Found, NotFound>) -> LookUpError {
    reason(result, Source::WebFinger)
}

/// Answers the question with what `page` makes.
fn answers<R: IntoResponse + 'static>(
    page: impl Fn() -> R + Clone + Send + Sync + 'static,
) -> Router {
    Router::new().route(WEBFINGER, get(move || async move { page() }))
}

fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [(LOCATION, to.to_owned())]).into_response()
}

fn descriptor() -> String {
    let link = format!(
        r#"{{"rel":"{}","href":"{}"}}"#,
        telehash_resolve::webfinger::REL,
        crate::uri(1)
    );
    format!(r#"{{"links":[{link}]}}"#)
}

fn is_too_long(error: &LookUpError) -> bool {
    let LookUpError::Document { error, .. } = error else {
        return false;
    };
    *error == DocumentError::TooLong
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_and_no_further() {
    let padded = |len: usize| {
        let blanks = " ".repeat(len - descriptor().len());
        descriptor() + &blanks
    };
    let server = WebServer::new(answers(move || padded(MAX_DOCUMENT_LEN))).await;
    let found = server.look_ups().find(&place(ANN)).await.unwrap();
    assert_eq!(found.link.hashname, endpoint(1).hashname);
    let error = refused(answers(move || padded(MAX_DOCUMENT_LEN + 1))).await;
    assert!(is_too_long(&error), "{error}");
}

#[tokio::test]
async fn a_body_without_an_end_is_given_up() {
    let endless = || {
        let chunk = Ok::<_, Infallible>(Bytes::from_static(&[b' '; 1024]));
        Body::from_stream(stream::repeat(chunk))
    };
    let error = refused(answers(endless)).await;
    assert!(is_too_long(&error), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_no_more_than_the_time_allowed() {
    let silent = Router::new().route(WEBFINGER, get(future::pending::<String>));
    let stuck = answers(|| Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()));
    for router in [silent, stuck] {
        let server = WebServer::new(router).await;
        // Long enough to get there, which matters not for the result.
        let allowed = Duration::from_millis(300);
        let result = server.look_ups().timeout(allowed).find(&place(ANN)).await;
        assert_eq!(webfinger(&result), LookUpError::TimedOut(allowed));
    }
}

#[tokio::test]
async fn redirects_are_followed_on_https_up_to_the_limit() {
    let chain = |count: usize| {
        let next = |Path(left): Path<usize>| async move {
            match left {
                0 => descriptor().into_response(),
                left => redirect(&format!("/step/{}", left - 1)),
            }
        };
        let first = move || redirect(&format!("https://example.org/step/{}", count - 1));
        answers(first).route("/step/{left}", get(next))
    };
    let server = WebServer::new(chain(MAX_REDIRECTS)).await;
    assert!(server.look_ups().find(&place(ANN)).await.is_ok());
    let error = refused(chain(MAX_REDIRECTS + 1)).await;
    assert!(
        matches!(error, LookUpError::TooManyRedirects { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_in_circles_ends() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let error = refused(answers(move || {
        count.fetch_add(1, Ordering::Relaxed);
        redirect(WEBFINGER)
    }))
    .await;
    assert!(
        matches!(error, LookUpError::TooManyRedirects { .. }),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), MAX_REDIRECTS + 1);
}

#[tokio::test]
async fn a_redirect_to_anything_but_https_is_refused() {
    for to in [
        "http://example.org/",
        "file:///etc/passwd",
        "http://127.0.0.1:1/",
        "https://",
    ] {
        let error = refused(answers(move || redirect(to))).await;
        assert!(
            matches!(error, LookUpError::InsecureRedirect { .. }),
            "{to}: {error}"
        );
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_another_name_is_refused() {
    let server = WebServer::new(answers(descriptor)).await;
    let other = server.look_ups_of(&Authority::new());
    let error = webfinger(&other.find(&place(ANN)).await);
    let LookUpError::Fetch { reason, .. } = &error else {
        panic!("{error}")
    };
    assert!(reason.contains("certificate"), "{reason}");

    let server = WebServer::named("example.net", answers(descriptor)).await;
    let error = webfinger(&server.look_ups().find(&place(ANN)).await);
    assert!(matches!(&error, LookUpError::Fetch { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_the_document_says_what_it_is() {
    let error = refused(Router::new()).await;
    assert!(
        matches!(error, LookUpError::Status { status: 404, .. }),
        "{error}"
    );
    let error = refused(answers(|| StatusCode::INTERNAL_SERVER_ERROR)).await;
    assert!(
        matches!(error, LookUpError::Status { status: 500, .. }),
        "{error}"
    );
    let error = refused(answers(|| StatusCode::FOUND)).await;
    assert!(
        matches!(error, LookUpError::Status { status: 302, .. }),
        "{error}"
    );
    let error = refused(answers(|| "<html>")).await;
    assert!(
        matches!(
            error,
            LookUpError::Document {
                error: DocumentError::Json(_),
                ..
            }
        ),
        "{error}"
    );
}
