//! Listeners of the peer, whose connections go to a destination of ours.

use mesh::prelude::*;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::local::MAX_CONNECTIONS;
use super::spec::{HostPort, Rule};
use super::way::Way;
use crate::failure::Failure;
use crate::record::Record;

/// `-R`: what comes there goes to one place here. After an outage of the link the peer is asked again.
pub(super) async fn forward(mut rule: Rule, way: Way) -> Failure {
    loop {
        let listener = match way.bind(&rule.bind).await {
            Ok(listener) => listener,
            Err(failure) => return failure,
        };
        // Whoever was told the port should find it again.
        rule.bind.port = listener.local().port();
        way.listening("remote", &listener.local(), Some(&rule.to))
            .await;
        serve(listener, &rule.to, &way).await;
    }
}

/// Takes connections until the link falls or the peer does not listen any more.
async fn serve(mut listener: SockListener, to: &HostPort, way: &Way) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(carry(stream, to.clone(), way.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "a port of the peer is gone");
                    return;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(stream: SockStream, to: HostPort, way: Way) {
    match TcpStream::connect((to.host.as_str(), to.port)).await {
        Ok(client) => way.splice(stream, client, &to).await,
        Err(error) => {
            stream.reset();
            let message =
                format!("a connection from there was closed: cannot connect to {to}: {error}");
            way.tell(Record::Warning { message }).await;
        }
    }
}
