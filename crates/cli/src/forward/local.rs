//! TCP listeners of ours: to one destination, or to where each client wants to go.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::socks::{self, Reply};
use super::spec::{Bind, HostPort, Rule};
use super::way::{Way, first_there, in_use};
use crate::failure::{Failure, Outcome};

/// Connections of one listener at once; one more waits in the system's queue until one ends.
pub(super) const MAX_CONNECTIONS: usize = 256;

/// How long to wait when the system has no file descriptors left.
const RETRY: Duration = Duration::from_millis(200);

/// `-L`: every connection goes to one place.
pub(super) async fn forward(rule: Rule, way: Way) -> Failure {
    let Rule { bind, to } = rule;
    let listener = match open(&bind, "local", Some(&to), &way).await {
        Ok(listener) => listener,
        Err(failure) => return failure,
    };
    serve(&listener, |client| {
        let (way, to) = (way.clone(), to.clone());
        async move {
            if let Ok(stream) = way.connect(&to).await {
                way.splice(stream, client, &to).await;
            }
        }
    })
    .await
}

/// `-D`: every connection says first where it wants to go.
pub(super) async fn socks(bind: Bind, way: Way) -> Failure {
    let listener = match open(&bind, "socks", None, &way).await {
        Ok(listener) => listener,
        Err(failure) => return failure,
    };
    serve(&listener, |client| {
        let way = way.clone();
        async move {
            if let Err(error) = proxy(client, &way).await {
                tracing::debug!(%error, "a SOCKS client got no connection");
            }
        }
    })
    .await
}

async fn proxy(mut client: TcpStream, way: &Way) -> io::Result<()> {
    let to = socks::request(&mut client).await?;
    match way.connect(&to).await {
        Ok(stream) => {
            socks::reply(&mut client, Reply::Succeeded).await?;
            way.splice(stream, client, &to).await;
            Ok(())
        }
        Err(reply) => socks::reply(&mut client, reply).await,
    }
}

/// Listens, and says so.
async fn open(bind: &Bind, kind: &str, to: Option<&HostPort>, way: &Way) -> Outcome<TcpListener> {
    let listener = listen(bind)
        .await
        .map_err(|error| in_use(bind, "TCP", &error))?;
    let at = listener.local_addr().map_err(Failure::failed)?;
    way.listening(kind, &at, to).await;
    Ok(listener)
}

async fn listen(bind: &Bind) -> io::Result<TcpListener> {
    first_there(bind, TcpListener::bind::<SocketAddr>).await
}

/// Takes connections for ever.
async fn serve<F, Fut>(listener: &TcpListener, client: F) -> Failure
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(client(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "a listener takes no connection");
                    tokio::time::sleep(RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc};

    use super::*;

    #[tokio::test]
    async fn one_connection_more_than_the_limit_waits_until_another_one_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (begun, mut beginnings) = mpsc::channel(MAX_CONNECTIONS + 1);
        let may_end = Arc::new(Semaphore::new(0));
        let serving = serve(&listener, |_client| {
            let (begun, may_end) = (begun.clone(), may_end.clone());
            async move {
                begun.send(()).await.unwrap();
                may_end.acquire().await.unwrap().forget();
            }
        });
        let clients = async {
            let mut clients = Vec::new();
            for _ in 0..MAX_CONNECTIONS {
                clients.push(TcpStream::connect(at).await.unwrap());
                beginnings.recv().await.unwrap();
            }
            clients.push(TcpStream::connect(at).await.unwrap());
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(beginnings.try_recv().is_err(), "one too many is served");
            may_end.add_permits(1);
            beginnings.recv().await.unwrap();
        };
        tokio::select! { failure = serving => panic!("{failure}"), () = clients => {} }
    }
}
