//! Listeners of the peer, whose connections go to a destination of ours.

use std::time::Duration;

use mesh::prelude::*;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::local::MAX_CONNECTIONS;
use super::spec::{HostPort, Rule};
use super::way::Way;
use crate::failure::{Code, Failure, Outcome};
use crate::record::Record;

/// How long to wait before the peer is asked again for what it gave up.
const AGAIN: Duration = Duration::from_secs(1);

/// `-R`: what comes there goes to one place here. After an outage of the link the peer is asked again.
pub(super) async fn forward(rule: Rule, way: Way) -> Failure {
    let mut listener = match way.bind(&rule.bind).await {
        Ok(listener) => listener,
        Err(failure) => return failure,
    };
    loop {
        way.listening("remote", &listener.local(), Some(&rule.to))
            .await;
        serve(listener, &rule.to, &way).await;
        listener = match bind_again(&rule, &way).await {
            Ok(listener) => listener,
            Err(failure) => return failure,
        };
    }
}

/// The same once more. A peer that did not notice the outage has not let go of the port yet.
async fn bind_again(rule: &Rule, way: &Way) -> Outcome<SockListener> {
    let mut told = false;
    loop {
        sleep(AGAIN).await;
        match way.bind(&rule.bind).await {
            Err(failure) if failure.code == Code::Failed => {
                if !std::mem::replace(&mut told, true) {
                    let message = format!("{failure}; trying again");
                    way.tell(Record::Warning { message }).await;
                }
            }
            bound => return bound,
        }
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
