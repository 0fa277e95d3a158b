//! Two endpoints: ann, who dials, and bob, who lets nobody but ann in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mesh::prelude::*;
use mesh::{Decision, Identity};
use tokio::sync::mpsc;

use super::echo::{self, Echoed};
use super::{Figures, figures};
use crate::failure::Outcome;
use crate::record::show_path;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Transfers whose reports may wait.
const ECHOES: usize = 4;

/// Everybody in the demo.
pub(super) struct World {
    pub(super) ann: Mesh,
    pub(super) bob: Mesh,
    /// What bob says of the streams that he echoed.
    pub(super) echoes: mpsc::Receiver<Echoed>,
}

impl World {
    /// Brings both up, on free UDP ports of the loopback interface.
    pub(super) async fn up(ann: Identity, bob: Identity) -> Outcome<(Self, Figures)> {
        let (sender, echoes) = mpsc::channel(ECHOES);
        let sender = Arc::new(sender);
        let bob = mesh::builder()
            .udp(LOOPBACK)
            .identity(bob)
            .allow(ann.hashname())
            .accept(Accept::ask(|_| async { Decision::Refuse }))
            .on_stream(move |stream| echo::serve(stream, sender.clone()))
            .build()
            .await?;
        let ann = mesh::builder()
            .udp(LOOPBACK)
            .identity(ann)
            .accept(Accept::None)
            .build()
            .await?;
        let paths = |mesh: &Mesh| mesh.local_paths().iter().map(show_path).collect::<Vec<_>>();
        let figures = figures([("ann", paths(&ann).into()), ("bob", paths(&bob).into())]);
        Ok((Self { ann, bob, echoes }, figures))
    }
}
