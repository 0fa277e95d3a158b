//! What a link takes while nothing goes on.

use futures::future::try_join_all;
use mesh::Mesh;

use super::ends::Ends;
use super::process;
use crate::failure::Outcome;

/// Endpoints on each side. Each of one side links to each of the other, so that there are many links and few endpoints.
const ENDPOINTS: usize = 10;

/// KiB that each end of an idle link takes, where the system tells what this process takes.
pub(super) async fn weigh(ends: &Ends) -> Outcome<Option<f64>> {
    let servers = try_join_all((0..ENDPOINTS).map(|_| ends.server())).await?;
    let clients = try_join_all((0..ENDPOINTS).map(|_| ends.client())).await?;
    // Everybody has a link before any is weighed: first ones bring along what all share.
    link(ends, &clients, &servers, |client, server| client == server).await?;
    let before = process::resident();
    link(ends, &clients, &servers, |client, server| client != server).await?;
    let grown = process::resident().zip(before);
    let links = ENDPOINTS * (ENDPOINTS - 1);
    for mesh in clients.iter().chain(&servers) {
        mesh.close().await;
    }
    let kib = grown.map(|(after, before)| after.saturating_sub(before) as f64 / 1024.0);
    Ok(kib.map(|kib| kib / (2 * links) as f64))
}

/// Links those whose numbers are `wanted`, all at once.
async fn link(
    ends: &Ends,
    clients: &[Mesh],
    servers: &[Mesh],
    wanted: impl Fn(usize, usize) -> bool,
) -> Outcome {
    let mut links = Vec::new();
    for (to, server) in servers.iter().enumerate() {
        let json = server.local_link_json();
        for (from, client) in clients.iter().enumerate() {
            if wanted(from, to) {
                let json = json.clone();
                links.push(async move { ends.link(client, &json).await });
            }
        }
    }
    try_join_all(links).await.map(drop)
}
