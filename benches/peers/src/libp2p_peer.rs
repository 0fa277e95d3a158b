//! libp2p over TCP with noise and yamux, each with its default configuration.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder,
    multiaddr::Protocol,
    noise,
    swarm::{SwarmEvent, dial_opts::DialOpts},
    tcp, yamux,
};
use libp2p_stream::{Behaviour, Control, IncomingStreams};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::library::{Connection, Library, Server};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/bench/1");

/// Connections without a stream are kept, as other libraries keep theirs; by default libp2p closes
/// them at once.
const IDLE: Duration = Duration::from_secs(3600);

/// The library.
pub struct Libp2p;

struct Libp2pServer {
    address: Multiaddr,
    task: JoinHandle<()>,
}

struct Libp2pConnection {
    control: Control,
    peer: PeerId,
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

#[async_trait]
impl Library for Libp2p {
    async fn serve(&self) -> Result<Box<dyn Server>> {
        let mut swarm = swarm()?;
        let incoming = swarm.behaviour().new_control().accept(PROTOCOL)?;
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address.with(Protocol::P2p(*swarm.local_peer_id()));
            }
        };
        tokio::spawn(accept(incoming));
        let task = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Ok(Box::new(Libp2pServer { address, task }))
    }

    async fn dial(&self, address: &str) -> Result<Box<dyn Connection>> {
        let address: Multiaddr = address.parse()?;
        let Some(Protocol::P2p(peer)) = address.iter().last() else {
            anyhow::bail!("no peer in {address}");
        };
        // A swarm and an identity for each connection, as ours get an endpoint and an identity.
        let mut swarm = swarm()?;
        swarm.dial(DialOpts::from(address))?;
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => break,
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
                _ => {}
            }
        }
        let control = swarm.behaviour().new_control();
        let (leave, left) = oneshot::channel();
        let task = tokio::spawn(drive(swarm, peer, left));
        Ok(Box::new(Libp2pConnection {
            control,
            peer,
            leave,
            task,
        }))
    }
}

impl Server for Libp2pServer {
    fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Libp2pServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Connection for Libp2pConnection {
    async fn upload(&self, bytes: u64) -> Result<()> {
        let mut stream = self.stream().await?;
        let chunk = vec![0x5a; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(chunk.len() as u64) as usize;
            stream.write_all(&chunk[..now]).await?;
            left -= now as u64;
        }
        stream.close().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        ensure!(answer == [1], "the far end did not confirm");
        Ok(())
    }

    async fn pings(&self, count: usize) -> Result<Vec<Duration>> {
        let mut stream = self.stream().await?;
        let mut packet = [b'p'; 64];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            stream.write_all(&packet).await?;
            stream.flush().await?;
            stream.read_exact(&mut packet).await?;
            times.push(start.elapsed());
        }
        stream.close().await?;
        Ok(times)
    }

    async fn close(self: Box<Self>) {
        let Self { leave, task, .. } = *self;
        // A task that is gone has left already.
        let _ = leave.send(());
        let _ = task.await;
    }
}

impl Libp2pConnection {
    async fn stream(&self) -> Result<Stream> {
        let mut control = self.control.clone();
        control
            .open_stream(self.peer, PROTOCOL)
            .await
            .context("no stream")
    }
}

fn swarm() -> Result<Swarm<Behaviour>> {
    Ok(SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )?
        .with_behaviour(|_| Behaviour::new())?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build())
}

/// Drives a swarm until it is told to leave, and its connection is closed.
async fn drive(mut swarm: Swarm<Behaviour>, peer: PeerId, mut left: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut left => break,
            _ = swarm.select_next_some() => {}
        }
    }
    if swarm.disconnect_peer_id(peer).is_ok() {
        while swarm.is_connected(&peer) {
            swarm.select_next_some().await;
        }
    }
}

async fn accept(mut incoming: IncomingStreams) {
    while let Some((_, stream)) = incoming.next().await {
        tokio::spawn(serve_stream(stream));
    }
}

/// A stream that begins with `p` is echoed, any other discarded and confirmed at its end.
async fn serve_stream(mut stream: Stream) -> Result<()> {
    let mut buf = vec![0; 64 << 10];
    let mut echo = false;
    loop {
        let read = stream.read(&mut buf).await?;
        if read == 0 {
            break;
        }
        echo |= buf[0] == b'p';
        if echo {
            stream.write_all(&buf[..read]).await?;
            stream.flush().await?;
        }
    }
    if !echo {
        stream.write_all(&[1]).await?;
    }
    stream.close().await?;
    Ok(())
}
