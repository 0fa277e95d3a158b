//! Two endpoints that know nothing but a router: ann, who dials, and bob, who lets nobody but ann in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mesh::prelude::*;
use mesh::{Decision, Identity};
use tokio::sync::mpsc;

use super::echo::{self, Echoed};
use super::{Figures, PATIENCE, figures};
use crate::failure::{Failure, Outcome};
use crate::record::show_path;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Transfers whose reports may wait.
const ECHOES: usize = 4;

/// Everybody in the demo.
pub(super) struct World {
    pub(super) router: Mesh,
    pub(super) ann: Mesh,
    pub(super) ann_id: Identity,
    pub(super) bob: Mesh,
    pub(super) bob_id: Identity,
    /// What bob says of the streams that he echoed.
    pub(super) echoes: mpsc::Receiver<Echoed>,
}

impl World {
    /// Brings all of them up, on free UDP ports of the loopback interface, and links both to the router.
    pub(super) async fn up(ann_id: Identity, bob_id: Identity) -> Outcome<(Self, Figures)> {
        let (sender, echoes) = mpsc::channel(ECHOES);
        let router = mesh::builder()
            .udp(LOOPBACK)
            .accept(Accept::None)
            .allow(ann_id.hashname())
            .allow(bob_id.hashname())
            .build()
            .await?;
        let bob = bob(bob_id.clone(), ann_id.hashname(), Some(sender)).await?;
        let ann = mesh::builder()
            .udp(LOOPBACK)
            .identity(ann_id.clone())
            .accept(Accept::None)
            .probe_loopback(true)
            .build()
            .await?;
        for mesh in [&ann, &bob] {
            let link = mesh.use_router(router.local_link_json()).await?;
            link.wait_up(PATIENCE).await.map_err(Failure::unreachable)?;
        }
        // It serves bob: whoever is linked to it may ask for him.
        let served = router.get(&bob.hashname());
        served
            .ok_or_else(|| Failure::failed("the router has no link to bob"))?
            .router(true);
        let paths = |mesh: &Mesh| mesh.local_paths().iter().map(show_path).collect::<Vec<_>>();
        let figures = figures([
            ("router", paths(&router).into()),
            ("ann", paths(&ann).into()),
            ("bob", paths(&bob).into()),
        ]);
        let world = Self {
            router,
            ann,
            ann_id,
            bob,
            bob_id,
            echoes,
        };
        Ok((world, figures))
    }
}

/// Brings bob up; he echoes streams if somebody wants to hear of that.
pub(super) async fn bob(
    bob: Identity,
    ann: Hashname,
    echoed: Option<mpsc::Sender<Echoed>>,
) -> Outcome<Mesh> {
    let builder = mesh::builder()
        .udp(LOOPBACK)
        .identity(bob)
        .allow(ann)
        .accept(Accept::ask(|_| async { Decision::Refuse }))
        .probe_loopback(true);
    let builder = match echoed.map(Arc::new) {
        Some(echoed) => builder.on_stream(move |stream| echo::serve(stream, echoed.clone())),
        None => builder,
    };
    Ok(builder.build().await?)
}
