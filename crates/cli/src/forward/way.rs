//! The link that everything goes through, and whoever hears what became of it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mesh::OpenError;
use mesh::prelude::*;
use mesh::sock::{Destination, SockError, splice};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::socks::Reply;
use super::spec::{Bind, HostPort};
use crate::failure::{Code, Failure, Outcome};
use crate::record::Record;

/// How long whoever needs the link for ever waits for it before it waits again.
const ONE_WAIT: Duration = Duration::from_secs(3600);

/// The way to the peer, for one listener.
#[derive(Clone, Debug)]
pub(super) struct Way {
    link: Link,
    /// How long a connection waits for the link.
    wait: Duration,
    news: mpsc::Sender<Record>,
}

impl Way {
    pub(super) fn new(link: Link, wait: Duration, news: mpsc::Sender<Record>) -> Self {
        Self { link, wait, news }
    }

    /// Has the peer connect. What went wrong is told here, and as what SOCKS says.
    pub(super) async fn connect(&self, to: &HostPort) -> Result<SockStream, Reply> {
        match self.try_connect(to).await {
            Ok(stream) => Ok(stream),
            Err(error) => {
                self.tell_failed(to, &error).await;
                Err(reply(&error))
            }
        }
    }

    async fn try_connect(&self, to: &HostPort) -> Result<SockStream, SockError> {
        self.up().await?;
        self.link.connect(to.destination()?).await
    }

    /// Has the peer pass datagrams on.
    pub(super) async fn datagrams(&self, to: &HostPort) -> Option<SockDatagrams> {
        let opened = async {
            self.up().await?;
            self.link.datagrams(to.destination()?).await
        };
        match opened.await {
            Ok(datagrams) => Some(datagrams),
            Err(error) => {
                self.tell_failed(to, &error).await;
                None
            }
        }
    }

    /// Has the peer listen, once the link is up, however long that takes.
    pub(super) async fn bind(&self, bind: &Bind) -> Outcome<SockListener> {
        let at = bind.destination().map_err(Failure::usage)?;
        loop {
            match self.link.wait_up(ONE_WAIT).await {
                Err(error) if self.link.is_closed() => return Err(Failure::unreachable(error)),
                Err(_) => continue,
                Ok(()) => {}
            }
            match self.link.bind(at.clone()).await {
                // It fell at this moment.
                Err(SockError::Open(OpenError::Down(_))) if !self.link.is_closed() => {}
                Err(error) => return Err(failure(self.link.hashname(), bind, Some(&at), &error)),
                Ok(listener) => return Ok(listener),
            }
        }
    }

    async fn up(&self) -> Result<(), SockError> {
        let up = self.link.wait_up(self.wait).await;
        up.map_err(|error| OpenError::from(error).into())
    }

    /// Joins both ends until they have ended.
    pub(super) async fn splice(&self, stream: SockStream, client: TcpStream, to: &HostPort) {
        if let Err(error) = splice(stream, client).await {
            tracing::debug!(%to, %error, "a connection broke");
        }
    }

    /// Tells where something listens now.
    pub(super) async fn listening(&self, kind: &str, at: &SocketAddr, to: Option<&HostPort>) {
        let record = Record::Forwarding {
            hashname: self.link.hashname().to_string(),
            kind: kind.to_owned(),
            listening: at.to_string(),
            to: to.map(ToString::to_string),
        };
        self.tell(record).await;
    }

    /// Tells that a connection did not come to be.
    pub(super) async fn tell_failed(&self, to: &HostPort, error: &SockError) {
        let failure = failure(self.link.hashname(), to, None, error);
        let record = Record::NotForwarded {
            hashname: self.link.hashname().to_string(),
            to: to.to_string(),
            denied: failure.code == Code::Refused,
            message: failure.to_string(),
        };
        self.tell(record).await;
    }

    pub(super) async fn tell(&self, record: Record) {
        // If nobody hears it any more, everything ends at this moment.
        let _ = self.news.send(record).await;
    }
}

/// Completes when the link will never be up again.
pub(super) async fn closed(link: Link) -> Failure {
    let mut state = link.watch();
    while state.changed().await.is_some() {}
    let peer = link.hashname().short();
    Failure::unreachable(format_args!("the link to {peer} was closed"))
}

/// Why the peer did not connect to this, or listen at it, which it was asked for as `bind`.
pub(crate) fn failure(
    peer: Hashname,
    what: &impl fmt::Display,
    bind: Option<&Destination>,
    error: &SockError,
) -> Failure {
    let peer = peer.short();
    let hint = || {
        let destination = bind.map_or_else(|| what.to_string(), ToString::to_string);
        let command = allowing(bind.is_some(), &destination);
        format!("there, run `{command}`")
    };
    match error {
        SockError::Denied => {
            let verb = match bind {
                Some(_) => "listen at",
                None => "connect to",
            };
            let sentence = format!("{peer} does not allow us to {verb} {what}");
            Failure::new(Code::Refused, sentence).hint(hint())
        }
        SockError::Unsupported => {
            Failure::new(Code::Refused, format!("{peer} makes no tunnels")).hint(hint())
        }
        SockError::Usage(_) => Failure::usage(error),
        SockError::TooLarge { .. } => {
            Failure::failed(format_args!("a datagram for {what} was lost: {error}"))
        }
        error if bind.is_some() => {
            Failure::failed(format_args!("{peer} does not listen at {what}: {error}"))
        }
        error => Failure::unreachable(format_args!("no connection to {what} at {peer}: {error}")),
    }
}

/// What whoever runs the other side types to allow this, and nothing more. A name allows no private address, so that
/// one is to be given as its address.
pub(crate) fn allowing(bind: bool, destination: &str) -> String {
    if !bind {
        return format!("mesh up --allow-connect {destination}");
    }
    // A port alone is one of loopback, where no address is asked for.
    let of_loopback = ["*:", "localhost:", "127.0.0.1:"];
    let port = of_loopback
        .iter()
        .find_map(|at| destination.strip_prefix(at));
    format!("mesh up --allow-bind {}", port.unwrap_or(destination))
}

fn reply(error: &SockError) -> Reply {
    match error {
        SockError::Denied | SockError::Unsupported => Reply::NotAllowed,
        SockError::Refused => Reply::Refused,
        SockError::Unreachable(_) | SockError::Open(_) => Reply::HostUnreachable,
        _ => Reply::Failed,
    }
}

/// Listens at the first address that there is on this host.
pub(super) async fn first_there<T, F, Fut>(bind: &Bind, listen: F) -> io::Result<T>
where
    F: Fn(SocketAddr) -> Fut,
    Fut: Future<Output = io::Result<T>>,
{
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in bind.addresses() {
        match listen(address).await {
            // Whoever has the port keeps us from it in the other family as well.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => failed = error,
            listening => return listening,
        }
    }
    Err(failed)
}

/// Why there is no listener here.
pub(super) fn in_use(bind: &Bind, kind: &str, error: &io::Error) -> Failure {
    let failure = Failure::failed(format_args!("cannot listen at {kind} {bind}: {error}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            failure.hint("stop the program that does, or choose another port; 0 is any free one")
        }
        _ => failure,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mesh::sock::{MeshSockExt as _, SockPolicy};
    use mesh::transport::memory::MemoryNetwork;

    use super::*;

    /// The way to an endpoint that allows what is on this host; whoever holds the rest keeps both up.
    pub(crate) async fn way(news: mpsc::Sender<Record>) -> (Way, [Mesh; 2]) {
        let network = MemoryNetwork::new(1);
        let server = Mesh::builder()
            .transport(network.endpoint())
            .accept(Accept::All);
        let server = server.build().await.unwrap();
        server.serve_sock(SockPolicy::new().allow("127.0.0.0/8".parse().unwrap()));
        let client = Mesh::builder().transport(network.endpoint());
        let client = client.build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        let wait = Duration::from_secs(60);
        link.wait_up(wait).await.unwrap();
        (Way::new(link, wait, news), [server, client])
    }

    #[tokio::test]
    async fn listeners_wait_while_nobody_reports_what_they_tell() {
        let (news, mut told) = mpsc::channel(crate::forward::NEWS_CAPACITY);
        let (way, _ends) = way(news).await;
        let record = || Record::Warning {
            message: String::new(),
        };
        for _ in 0..crate::forward::NEWS_CAPACITY {
            way.tell(record()).await;
        }
        let mut one_more = std::pin::pin!(way.tell(record()));
        let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
        assert!(one_more.as_mut().poll(cx).is_pending());
        told.recv().await.unwrap();
        one_more.await;
    }
}
