//! What the other processes of a measurement do. Each prints how it is reached, does what the lines
//! of its stdin say, and ends with it.

use std::io::{Write, stdout};

use anyhow::{Result, bail};
use clap::Subcommand;
use futures::{StreamExt, TryStreamExt, stream};
use mesh::prelude::*;

use crate::{
    crowd::Crowd,
    library::{self, Server},
    ours::{self, Ours, PATIENCE},
    process::{DONE, orders},
    variant::{Carrier, Variant},
};

/// Links of a crowd that are set up at once: fewer than an endpoint lets wait.
const AT_ONCE: usize = 32;

/// A process beside the one that measures.
#[derive(Subcommand)]
pub enum Role {
    /// The far end: links to the address in each line that it reads
    Serve {
        /// Which library, or variant
        library: String,
    },
    /// A far end of ours that is reached through a router only
    ServeBehind {
        /// Which variant
        variant: Variant,
        /// The router's address
        router: String,
    },
    /// A router of ours
    Route {
        /// Which variant
        variant: Variant,
    },
    /// Endpoints of ours that share one socket: so many more for each number that it reads
    Crowd {
        /// Which variant
        variant: Variant,
        /// Whom each links to; without, they print their addresses and wait to be linked to
        address: Option<String>,
    },
}

impl Role {
    /// Until stdin ends.
    pub async fn play(self) -> Result<()> {
        match self {
            Self::Serve { library } => host(library::named(&library)?.serve().await?).await,
            Self::ServeBehind { variant, router } => {
                host(Ours(variant).serve_behind(&router).await?).await
            }
            Self::Route { variant } => host(Ours(variant).route().await?).await,
            Self::Crowd { variant, address } => crowd(variant, address).await,
        }
    }
}

async fn host(server: Box<dyn Server>) -> Result<()> {
    say(&server.address())?;
    let mut orders = orders();
    while let Some(address) = orders.next_line().await? {
        server.reach(&address).await?;
        say(DONE)?;
    }
    Ok(())
}

async fn crowd(variant: Variant, address: Option<String>) -> Result<()> {
    if variant.carrier != Carrier::Udp {
        bail!("only over UDP do many endpoints share one socket");
    }
    let (ours, crowd) = (Ours(variant), Crowd::open().await?);
    let mut members: Vec<Mesh> = Vec::new();
    let mut orders = orders();
    while let Some(count) = orders.next_line().await? {
        let first = members.len() as u32;
        let numbers = first..first + count.parse::<u32>()?;
        let joining = stream::iter(numbers).map(|number| {
            let builder = ours.identity().transport(crowd.member(number));
            join(builder, address.as_deref())
        });
        let joined: Vec<Mesh> = joining.buffer_unordered(AT_ONCE).try_collect().await?;
        if address.is_none() {
            for member in &joined {
                say(&member.uri().to_string())?;
            }
        }
        members.extend(joined);
        say(DONE)?;
    }
    Ok(())
}

/// Builds one endpoint, and has it link to `address` or wait for links.
async fn join(builder: mesh::Builder, address: Option<&str>) -> Result<Mesh> {
    let Some(address) = address else {
        let builder = builder.accept(Accept::All).on_stream(ours::stream);
        return Ok(builder.build().await?);
    };
    let mesh = builder.accept(Accept::None).build().await?;
    mesh.link(address).await?.wait_up(PATIENCE).await?;
    Ok(mesh)
}

fn say(line: &str) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
