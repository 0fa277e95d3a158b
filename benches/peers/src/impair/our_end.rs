//! This library over UDP in CS3a, with the controller that is measured and its defaults otherwise.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::{Context, Result};
use async_trait::async_trait;
use mesh::{Builder, ControllerKind, Csid, LinkJson, Path, prelude::*};

use super::contender::{Far, Kind, Near, Reader, State, Writer, serve_stream};

/// How long an attempt to link may take.
const PATIENCE: Duration = Duration::from_secs(30);

struct OurFar {
    mesh: Mesh,
    kind: Kind,
}

struct OurNear {
    mesh: Mesh,
    link: Link,
}

/// A far end, and where it listens.
pub async fn serve(kind: Kind, arrived: Arc<AtomicU64>) -> Result<(SocketAddr, Box<dyn Far>)> {
    let builder = endpoint(kind, (Ipv4Addr::LOCALHOST, 0).into()).accept(Accept::All);
    let mesh = builder
        .on_stream(move |incoming: IncomingStream| {
            let arrived = Arc::clone(&arrived);
            async move {
                let (reader, writer) = incoming.accept()?.into_split();
                let served = serve_stream(Box::new(reader), Box::new(writer), arrived).await;
                served.map_err(std::io::Error::other)
            }
        })
        .build()
        .await?;
    let address = mesh.local_paths().iter().find_map(|path| match path {
        Path::Udp4(address) => Some(SocketAddr::V4(*address)),
        _ => None,
    });
    let address = address.context("no address")?;
    Ok((address, Box::new(OurFar { mesh, kind })))
}

fn endpoint(kind: Kind, address: SocketAddr) -> Builder {
    mesh::builder()
        .new_identity([Csid::CS3A])
        .udp(address)
        .congestion(match kind {
            Kind::Cubic => ControllerKind::Cubic,
            Kind::Bbr => ControllerKind::Bbr,
        })
}

#[async_trait]
impl Far for OurFar {
    async fn dial(&self, via: SocketAddr) -> Result<Box<dyn Near>> {
        let mut target: LinkJson = self.mesh.local_link_json();
        target.paths = vec![Path::udp(via)];
        let address = (Ipv6Addr::LOCALHOST, 0).into();
        let mesh = endpoint(self.kind, address)
            .accept(Accept::None)
            .build()
            .await?;
        let link = mesh.link(target).await?;
        link.wait_up(PATIENCE).await?;
        Ok(Box::new(OurNear { mesh, link }))
    }

    async fn close(self: Box<Self>) {
        self.mesh.close().await;
    }
}

#[async_trait]
impl Near for OurNear {
    async fn open(&self) -> Result<(Reader, Writer)> {
        let options = StreamOptions::new().timeout(PATIENCE);
        let (reader, writer) = self.link.stream(options).await?.into_split();
        Ok((Box::new(reader), Box::new(writer)))
    }

    fn state(&self) -> State {
        let pipe = self.link.stats().pipe.unwrap_or_default();
        let active = self.link.pipes().into_iter().find(|pipe| pipe.active);
        State {
            window: pipe.window,
            rtt: pipe.rtt.map_or(Duration::ZERO, |rtt| rtt.smoothed),
            packet: active.map_or(0, |pipe| pipe.packet_size),
            sent: pipe.sent,
            lost: pipe.lost,
            pacing: pipe.pacing_rate,
        }
    }

    async fn close(self: Box<Self>) {
        self.mesh.close().await;
    }
}
