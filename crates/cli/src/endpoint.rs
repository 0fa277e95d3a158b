//! Bringing an endpoint up, and down.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use mesh::boxes::{BoxCache, Mailbox, MailboxOptions};
use mesh::prelude::*;
use mesh::state::{KnownLinks, StateError, Trust, create_identity, read_identity};
use mesh::transport::ip::Listen;
use mesh::{
    BuildError, Builder, CipherSets, Csid, Identity, InviteError, InviteOptions, QuicConfig,
    QuicTransport, TcpConfig, TcpTransport, TlsConfig, UdpConfig, UdpTransport, generate_identity,
};
use serde_json::Value;

use crate::args::{self, LinksAction, Roads};
use crate::ask;
use crate::chat::Shelf;
use crate::command::{self, links};
use crate::failure::{Failure, Outcome};
use crate::record::Record;
use crate::report::warn;
use crate::signal::interruptible;
use crate::streams::Streams;

/// Whose endpoint it is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// That of a state directory, with known links.
    State(PathBuf),
    /// That of an identity file, with nothing else.
    File {
        path: PathBuf,
        /// Say so if it is made.
        announce: bool,
    },
}

/// How it listens, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Listening {
    pub(crate) roads: Roads,
    /// Without an address: whether others should find it on telehash's own port.
    pub(crate) well_known: bool,
    pub(crate) accept: args::Accept,
    pub(crate) allow: Vec<Hashname>,
    /// Send back what streams bring.
    pub(crate) echo: bool,
    /// Take part in LAN discovery: hear others, and be able to announce ourselves.
    pub(crate) discovery: bool,
    /// Announce ourselves from the start.
    pub(crate) announce: bool,
    /// Route for everybody.
    pub(crate) router: bool,
    /// Have the gateway pass on what comes in for us.
    pub(crate) portmap: bool,
}

/// A running endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) mesh: Mesh,
    /// The streams that peers open.
    pub(crate) streams: Arc<Streams>,
    /// Held by what serves HTTP: one site an endpoint.
    pub(crate) serving: tokio::sync::Mutex<()>,
    /// Held by what receives files: one folder an endpoint.
    pub(crate) receiving: tokio::sync::Mutex<()>,
    /// Held by what takes letters.
    pub(crate) letters: tokio::sync::Mutex<()>,
    /// What keeps letters of others.
    cache: OnceLock<BoxCache>,
    place: Place,
    /// The chats that it knows.
    pub(crate) chats: Shelf,
    /// Nobody else uses the identity file.
    _identity: Option<File>,
}

impl Listening {
    /// For an endpoint that only dials.
    pub(crate) fn dialing() -> Self {
        Self {
            roads: Roads::default(),
            well_known: false,
            accept: args::Accept::Known,
            allow: Vec::new(),
            echo: false,
            discovery: false,
            announce: false,
            router: false,
            portmap: false,
        }
    }

    /// For one that hears who else is there.
    pub(crate) fn discovering() -> Self {
        Self {
            discovery: true,
            ..Self::dialing()
        }
    }
}

impl Endpoint {
    /// Brings it up. An identity that does not exist is made.
    pub(crate) async fn up(
        place: &Place,
        listening: &Listening,
        global: &args::Global,
    ) -> Result<Self, BringUpError> {
        let streams = Arc::new(Streams::new(listening.echo));
        let mut builder = listen(listening)
            .look_ups(global.look_ups())
            .accept(policy(listening.accept))
            .discover(listening.announce)
            .router(listening.router)
            .port_mapping(listening.portmap);
        for hashname in &listening.allow {
            builder = builder.allow(*hashname);
        }
        if let Some(controller) = global.congestion {
            builder = builder.congestion(controller);
        }
        let (mut lock, mut chats) = (None, Shelf::default());
        match place {
            Place::State(directory) => {
                builder = builder.state_dir(directory);
                chats = Shelf::new(Some(directory));
            }
            Place::File { path, announce } => {
                let (identity, locked) = open_identity(path, *announce)?;
                builder = builder.identity(identity);
                lock = Some(locked);
            }
        }
        let handler = streams.clone();
        let mesh = builder
            .on_stream(move |stream| handler.clone().take(stream))
            .build()
            .await?;
        Ok(Self {
            mesh,
            streams,
            serving: tokio::sync::Mutex::default(),
            receiving: tokio::sync::Mutex::default(),
            letters: tokio::sync::Mutex::default(),
            cache: OnceLock::new(),
            place: place.clone(),
            chats,
            _identity: lock,
        })
    }

    pub(crate) fn hashname(&self) -> Hashname {
        self.mesh.hashname()
    }

    pub(crate) fn known(&self) -> &KnownLinks {
        self.mesh.known()
    }

    pub(crate) fn uri(&self) -> String {
        self.mesh.uri().to_string()
    }

    /// What `mesh up` says first, with an invite unless nobody is accepted anyway.
    pub(crate) fn ready(&self, draw: bool) -> Outcome<Record> {
        let link = Value::Object(self.mesh.local_link_json().to_json());
        let invite = match self.mesh.invite(InviteOptions::new()) {
            Ok(invite) => Some(invite.to_string()),
            Err(InviteError::NobodyAccepted) => None,
            Err(error) => return Err(error.into()),
        };
        let drawn = invite.as_deref().filter(|_| draw);
        Ok(Record::Ready {
            hashname: self.hashname().to_string(),
            link,
            uri: self.uri(),
            qr: drawn.map(command::qr).transpose()?,
            invite,
        })
    }

    /// A mailbox of this endpoint. What it takes is remembered in the state directory, if there is one.
    pub(crate) fn mailbox(&self, options: MailboxOptions) -> Outcome<Mailbox> {
        let (identity, options) = match &self.place {
            Place::State(directory) => {
                let options = options.remember_in(directory.join("letters"));
                (directory.join("id.json"), options)
            }
            Place::File { path, .. } => (path.clone(), options),
        };
        let identity = identity_in(&identity)?;
        let mailbox = self.mesh.mailbox_with(identity, &options);
        mailbox.map_err(|error| {
            Failure::failed(error)
                .hint("move that file away, and letters of the past may come once more")
        })
    }

    /// Keeps letters of others from now on.
    pub(crate) fn keep_letters(&self, quota: Quota) -> Outcome {
        let cache = self.mesh.cache_boxes(quota).map_err(Failure::failed)?;
        // There is one place where this is done.
        let _ = self.cache.set(cache);
        Ok(())
    }

    /// What keeps letters of others, if anything does.
    pub(crate) fn cache(&self) -> Option<&BoxCache> {
        self.cache.get()
    }

    /// Works with it, and closes it in order, also if the program is told to end.
    pub(crate) async fn while_up<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let outcome = interruptible(work).await;
        // Whoever tells it once more does not want to wait for the end in order.
        let close = async {
            self.chats.left().await;
            self.mesh.close().await;
            Ok(())
        };
        let _ = interruptible(close).await;
        outcome
    }

    /// Changes the known links. Whoever gets blocked loses its link.
    pub(crate) fn change_links(&self, action: LinksAction) -> Outcome<Record> {
        let before = self.known().routers();
        let record = links::change(self.known(), Some(self.hashname()), action)?;
        self.use_routers(&before);
        for link in self.mesh.links() {
            if self.known().trust(&link.hashname()) == Trust::Blocked {
                link.close();
            }
        }
        Ok(record)
    }
}

impl Endpoint {
    /// Follows a change of who is marked as a router.
    fn use_routers(&self, before: &BTreeSet<Hashname>) {
        let now = self.known().routers();
        for gone in before.difference(&now) {
            self.mesh.forget_router(gone);
        }
        for new in now.difference(before).copied() {
            let mesh = self.mesh.clone();
            tokio::spawn(async move {
                if let Err(error) = mesh.use_router(new).await {
                    warn(format_args!(
                        "the router {} is not used: {error}",
                        new.short()
                    ));
                }
            });
        }
    }
}

/// Why an endpoint does not come up.
#[derive(Debug)]
pub(crate) enum BringUpError {
    /// Another endpoint uses the state directory.
    InUse(Failure),
    Other(Failure),
}

impl From<BringUpError> for Failure {
    fn from(error: BringUpError) -> Self {
        match error {
            BringUpError::InUse(failure) | BringUpError::Other(failure) => failure,
        }
    }
}

impl From<BuildError> for BringUpError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::State(error @ StateError::Locked { .. }) => Self::InUse(error.into()),
            error => Self::Other(error.into()),
        }
    }
}

impl From<Failure> for BringUpError {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Reads an identity file, or makes it, and locks it while this endpoint lives.
fn open_identity(path: &Path, announce: bool) -> Outcome<(Identity, File)> {
    if !path.try_exists().unwrap_or(true) {
        let identity = new_identity(path, None)?;
        if announce {
            let hashname = identity.hashname();
            warn(format_args!(
                "made a new identity, {hashname}, in {}",
                path.display()
            ));
        }
    }
    Ok((identity_in(path)?, lock(path)?))
}

fn identity_in(path: &Path) -> Outcome<Identity> {
    let json = read_identity(path)?;
    Identity::from_json(&CipherSets::default(), &json).map_err(|error| {
        Failure::failed(format_args!(
            "the identity file {} cannot be used: {error}",
            path.display()
        ))
    })
}

/// Makes an identity file, with keys of these cipher sets or of all.
pub(crate) fn new_identity(path: &Path, csids: Option<&[Csid]>) -> Outcome<Identity> {
    let sets = CipherSets::default();
    let csids = csids.map_or_else(|| sets.recommended().collect(), <[Csid]>::to_vec);
    let identity = generate_identity(&sets, csids)?;
    create_identity(path, &identity.to_json())?;
    Ok(identity)
}

fn lock(path: &Path) -> Outcome<File> {
    let locked = File::open(path)
        .map_err(TryLockError::Error)
        .and_then(|file| {
            file.try_lock()?;
            Ok(file)
        });
    locked.map_err(|error| match error {
        TryLockError::WouldBlock => Failure::failed(format_args!(
            "the identity {} is in use by another running endpoint",
            path.display()
        ))
        .hint(
            "stop that one, or use another identity: the same one twice would confuse every peer",
        ),
        TryLockError::Error(error) => Failure::failed(format_args!(
            "cannot lock the identity file {}: {error}",
            path.display()
        )),
    })
}

fn policy(accept: args::Accept) -> Accept {
    match accept {
        args::Accept::None => Accept::None,
        args::Accept::Known => Accept::Known,
        args::Accept::Ask => ask::policy(),
        args::Accept::All => Accept::All,
    }
}

/// A builder with the transports that are asked for, or with all.
fn listen(listening: &Listening) -> Builder {
    let roads = &listening.roads;
    if !roads.is_empty() {
        let at = |address: &SocketAddr| udp(UdpConfig::at(*address), listening);
        let builder = roads.udp.iter().map(at).fold(mesh::builder(), with_udp);
        let builder = roads.tcp.iter().fold(builder, |b, at| b.tcp(*at));
        let builder = roads.tls.iter().fold(builder, |b, at| b.tls(*at));
        return roads.quic.iter().fold(builder, |b, at| b.quic(*at));
    }
    if listening.well_known {
        return mesh::builder();
    }
    let anywhere = Listen::everywhere(0);
    let udp = udp(UdpConfig::from(anywhere), listening);
    let (quic, tcp) = (QuicConfig::from(anywhere), TcpConfig::from(anywhere));
    with_udp(mesh::builder(), udp)
        .open_transport(async move { QuicTransport::bind(&quic).await })
        .open_transport(async move { TcpTransport::bind(&tcp).await })
        .open_transport(async { TcpTransport::bind_tls(&TlsConfig::default()).await })
}

fn with_udp(builder: Builder, config: UdpConfig) -> Builder {
    builder.open_transport(async move { UdpTransport::bind(&config).await })
}

/// A command that has no use for announcements does not listen for them.
fn udp(config: UdpConfig, listening: &Listening) -> UdpConfig {
    match listening.discovery {
        // Nobody can hear on a loopback address, and sockets know that.
        true => config,
        false => config.discovery(false),
    }
}
