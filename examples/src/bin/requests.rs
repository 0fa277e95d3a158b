//! HTTP over a link: a server that is an axum `Router`, and a client.
//!
//! ```text
//! cargo run -p telehash-examples --bin requests -- serve link.json    # writes its link JSON there
//! cargo run -p telehash-examples --bin requests -- get link.json /numbers/10
//! cargo run -p telehash-examples --bin requests -- post link.json /echo 'to be echoed'
//! ```
//!
//! The interoperability matrix runs this against other implementations.

use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use mesh::HandlerError;
use mesh::prelude::*;
use mesh::thtp::Body;
use tokio::io::AsyncReadExt as _;

/// For the link, and for a request.
const PATIENCE: Duration = Duration::from_secs(15);

/// Limit: what one may ask for.
const MAX_NUMBERS: u32 = 100_000;

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("usage: serve FILE, get FILE PATH, post FILE PATH BODY")
    };
    let (command, file) = (next()?, next()?);
    let builder = mesh::builder().udp("127.0.0.1:0".parse()?);
    if command == "serve" {
        return serve(builder, &file).await;
    }
    let request = match command.as_str() {
        "get" => Request::get(next()?).body(Body::empty())?,
        _ => Request::post(next()?).body(Body::full(next()?))?,
    };
    let mesh = builder.build().await?;
    let link = mesh.link(std::fs::read_to_string(file)?).await?;
    link.wait_up(PATIENCE).await?;
    print!(
        "{}",
        tokio::time::timeout(PATIENCE, ask(&link, request)).await??
    );
    mesh.close().await;
    Ok(())
}

/// Answers everybody until standard input ends.
async fn serve(builder: mesh::Builder, file: &str) -> Result<(), HandlerError> {
    let router = Router::new()
        .route("/numbers/{count}", get(numbers))
        .route("/echo", post(async |body: axum::body::Body| body));
    let mesh = builder
        .accept(Accept::All)
        .serve_thtp(router)
        .build()
        .await?;
    std::fs::write(file, mesh.local_link_json().to_string())?;
    println!(r#"{{"event":"ready"}}"#);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    mesh.close().await;
    Ok(())
}

/// As many lines, each with its number.
async fn numbers(Path(count): Path<u32>) -> Result<String, StatusCode> {
    if count > MAX_NUMBERS {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok((0..count).fold(String::new(), |mut lines, number| {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{number}");
        lines
    }))
}

/// The body of the answer.
async fn ask(link: &Link, request: Request<Body>) -> Result<String, HandlerError> {
    let response = link.request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("the answer is {}", response.status()).into());
    }
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}
