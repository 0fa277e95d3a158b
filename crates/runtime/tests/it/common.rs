//! Endpoints to test with.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use telehash_runtime::{
    Accept, Builder, Channel, HandlerError, IncomingChannel, Link, Mesh, MeshEvent, Open, Packet,
};
use telehash_transport::memory::MemoryNetwork;

/// Long enough for everything that should happen, in virtual time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Two endpoints that are linked; `server` accepts everyone and echoes channels of type `echo`.
pub(crate) struct Pair {
    pub(crate) network: MemoryNetwork,
    pub(crate) server: Mesh,
    pub(crate) client: Mesh,
    /// The client's link to the server.
    pub(crate) link: Link,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        Self::with(|server| server, |client| client).await
    }

    pub(crate) async fn with(
        server: impl FnOnce(Builder) -> Builder,
        client: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let network = MemoryNetwork::new(7);
        let server = server(endpoint(&network).accept(Accept::All).on_open("echo", echo));
        let server = server.build().await.unwrap();
        let client = client(endpoint(&network)).build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(PATIENCE).await.unwrap();
        Self {
            network,
            server,
            client,
            link,
        }
    }

    /// The server's link to the client, once it is up.
    pub(crate) async fn back(&self) -> Link {
        let mut events = self.server.events();
        loop {
            if let Some(link) = self.server.get(&self.client.hashname()).filter(Link::is_up) {
                return link;
            }
            events.next().await.unwrap();
        }
    }

    pub(crate) async fn echo(&self) -> Channel {
        self.link.open(Open::reliable("echo")).await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.client.close().await;
        self.server.close().await;
    }
}

pub(crate) fn endpoint(network: &MemoryNetwork) -> Builder {
    Mesh::builder().transport(network.endpoint())
}

/// Sends every packet back.
pub(crate) async fn echo(channel: IncomingChannel) -> Result<(), HandlerError> {
    let channel = channel.accept()?;
    let (mut sender, mut receiver) = channel.split();
    while let Some(packet) = receiver.recv().await? {
        sender.send(Packet::new(packet.body)).await?;
    }
    sender.end()?;
    Ok(())
}

/// The next event that `pick` finds something in.
pub(crate) async fn event<T>(
    events: &mut telehash_runtime::Events,
    mut pick: impl FnMut(MeshEvent) -> Option<T>,
) -> T {
    loop {
        let event = events.next().await.expect("the mesh is open");
        if let Some(found) = pick(event) {
            return found;
        }
    }
}

/// Runs the future that `make` makes again and again: it is dropped at its first poll, then at its
/// second, and so on, until one of them completes.
pub(crate) async fn dropped_at_every_poll<F: Future>(mut make: impl FnMut() -> F) -> F::Output {
    let mut polls = 1;
    loop {
        let mut future = pin!(make());
        for _ in 0..polls {
            let mut polled = false;
            let step = poll_fn(|cx| {
                if std::mem::replace(&mut polled, true) {
                    return Poll::Ready(None);
                }
                future.as_mut().poll(cx).map(Some)
            });
            if let Some(output) = step.await {
                return output;
            }
        }
        polls += 1;
    }
}
