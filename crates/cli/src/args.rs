//! The command line, as people type it.

mod boxes;
mod chat;
mod files;
mod forward;
mod web;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use mesh::sock::{AllowRule, BindRule};
use mesh::{ControllerKind, Csid, Hashname, LookUps};
use serde::{Deserialize, Serialize};

pub(crate) use self::boxes::{BoxCommand, BoxGet, BoxPut, Caching, Letters};
pub(crate) use self::chat::{Chat, Talk};
pub(crate) use self::files::{Recv, RecvInto, SendFiles};
pub(crate) use self::forward::Forward;
pub(crate) use self::web::{Get, Proxy, Serve, Site};
use crate::command::id::parse_csid;
use crate::endpoint::Listening;
use crate::failure::{Failure, Outcome};
use crate::forward::HostPort;

/// Private, encrypted links between endpoints named by their keys.
#[derive(Debug, Parser)]
#[command(
    name = "mesh",
    version,
    propagate_version = true,
    after_help = "Try `mesh demo` for the whole system on one machine, without any configuration.\n\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreachable or timed out, 4 refused,\n\
                  5 integrity, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Directory of the identity, the known links and the control socket
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "MESH_STATE",
        help_heading = "Global"
    )]
    pub(crate) state: Option<PathBuf>,
    /// Use this identity file instead, without any state; it is made if it does not exist
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub(crate) id: Option<PathBuf>,
    /// Ask this name server, ADDRESS:PORT, and not those of the system, whose the domain of a TARGET is
    /// (may be repeated)
    #[arg(long, global = true, value_name = "ADDR", help_heading = "Global")]
    pub(crate) name_server: Vec<SocketAddr>,
    /// Congestion controller: cubic, or bbr for paths that lose packets without being full (cubic unless
    /// given)
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global")]
    pub(crate) congestion: Option<ControllerKind>,
    /// Print JSON lines (on stderr where stdout carries data)
    #[arg(long, global = true, help_heading = "Global")]
    pub(crate) json: bool,
    /// Log more, to stderr: -v what happens, -vv every step (or set RUST_LOG)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global")]
    pub(crate) verbose: u8,
}

impl Global {
    /// How to find out whose a domain is.
    pub(crate) fn look_ups(&self) -> LookUps {
        LookUps::new().name_servers(self.name_server.iter().copied())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole system on this machine, with real sockets and no configuration
    #[command(after_help = "Example:\n  mesh demo")]
    Demo(Demo),
    /// Make or show identities
    #[command(
        subcommand,
        after_help = "Examples:\n  mesh id new --out alice.json\n  mesh id show --id alice.json --format uri"
    )]
    Id(IdCommand),
    /// Run an endpoint until interrupted; other commands attach to it
    #[command(after_help = "Examples:\n  \
        mesh up\n  \
        mesh up --udp 127.0.0.1:0 --accept all --echo --json\n  \
        mesh up --allow 5vq2…  # one more hashname that may link\n  \
        mesh up --qr  # the invite as a QR code, too\n  \
        mesh up --discover --accept ask  # be found on this network, and decide about each\n  \
        mesh up --router --accept all  # help others to reach each other\n  \
        mesh up --allow-connect localhost:6379  # whoever is linked reaches our Redis\n  \
        mesh up --recv inbox  # whoever is linked may send files into that folder\n  \
        mesh up --box --box-quota 16M  # keep letters for whoever is not there\n  \
        mesh up --portmap  # be reached from outside, through the NAT at home")]
    Up(Up),
    /// Show the running endpoint: links, paths, round trips, loss
    #[command(after_help = "Example:\n  mesh status --json")]
    Status,
    /// List and change the known links
    #[command(after_help = "Examples:\n  \
        mesh links\n  \
        mesh links add @bob.json --alias bob --trust\n  \
        mesh links block mallory\n  \
        mesh links router home  # reach others through it")]
    Links(Links),
    /// Print an invite: a line with which somebody else can link, once
    #[command(after_help = "Examples:\n  \
        mesh invite\n  \
        mesh invite --alias bob --expires 15m --qr  # whoever comes with it is called bob\n  \
        mesh uri revoke a4dqobyh")]
    Invite(Invite),
    /// Show who announces itself on this network, without a word to them
    #[command(after_help = "Examples:\n  \
        mesh discover\n  \
        mesh discover --announce --seconds 60  # and be seen ourselves meanwhile\n  \
        mesh discover --json > found; mesh link @found")]
    Discover(Discover),
    /// Show what the network lets through: addresses, NAT, port mapping, packet size, buffers
    #[command(after_help = "Examples:\n  \
        mesh netcheck\n  \
        mesh netcheck --gateway  # and ask the gateway whether it maps ports")]
    Netcheck(Netcheck),
    /// Link to TARGET, and print its state, paths and round trip
    #[command(
        after_help = "Examples:\n  mesh link @link.json\n  mesh link bob --wait 5\n  mesh link ann@example.org --alias ann\n  mesh link 5vq2… --via @router.json"
    )]
    Link(LinkArgs),
    /// Measure round trips to TARGET
    #[command(after_help = "Example:\n  mesh ping bob -c 5 -i 0.2")]
    Ping(Ping),
    /// Connect stdin and stdout to a stream of TARGET, or wait for one
    #[command(after_help = "Examples:\n  \
        mesh pipe --listen --accept all > copy\n  \
        mesh pipe 'link://192.0.2.1:42424/?cs3a=…' < file\n  \
        ssh -o ProxyCommand='mesh pipe bob' bob")]
    Pipe(Pipe),
    /// Send files and folders to TARGET; what broke off goes on where it was
    #[command(after_help = "Examples:\n  \
        mesh send bob holiday/ notes.txt\n  \
        mesh send 'link://192.0.2.1:42424/?cs3a=…' large.iso\n  \
        mesh send bob large.iso  # the same again, after whatever broke it off")]
    Send(SendFiles),
    /// Receive the files that a peer sends; nothing is replaced unasked
    #[command(after_help = "Examples:\n  \
        mesh recv  # prints an invite for whoever is to send\n  \
        mesh recv --dir inbox --keep --accept known\n  \
        mesh recv --dir inbox --max-file 100M --quota 10G\n  \
        mesh up --recv inbox  # as long as the endpoint runs")]
    Recv(Recv),
    /// Leave letters for whoever is not there, and get our own
    #[command(
        subcommand,
        after_help = "Examples:\n  mesh box put bob --via home < letter.txt\n  mesh box get --via home\n  \
                      mesh up --box --accept known  # at home: be such a cache"
    )]
    Box(BoxCommand),
    /// Publish a folder or a local web server, for those who may link to us
    #[command(after_help = "Examples:\n  \
        mesh serve ./site --accept known  # prints an invite for whoever is to see it\n  \
        mesh serve http://127.0.0.1:3000 --allow 5vq2…\n  \
        mesh proxy  # on the other machine; then open http://<hashname>.localhost:8042/")]
    Serve(Serve),
    /// Let the browsers of this host open http://<hashname or alias>.localhost:8042/
    #[command(after_help = "Examples:\n  \
        mesh proxy\n  \
        mesh proxy --listen 127.0.0.1:9000\n  \
        curl http://bob.localhost:8042/\n  \
        curl -x http://127.0.0.1:8042 http://bob/")]
    Proxy(Proxy),
    /// Fetch over the mesh, as curl does
    #[command(after_help = "Examples:\n  \
        mesh get bob/index.html\n  \
        mesh get bob/large.iso -O\n  \
        mesh get bob/api -X PUT -H 'Content-Type: text/plain' -d @file --fail")]
    Get(Get),
    /// Tunnel TCP and UDP ports through TARGET, as ssh does
    #[command(after_help = forward::EXAMPLES)]
    Forward(Forward),
    /// Talk with others: join the chat that TARGET leads, or lead one
    #[command(after_help = chat::EXAMPLES)]
    Chat(Chat),
    /// Explain URIs; share some that lead through a router; list and revoke what was given out
    #[command(
        subcommand,
        after_help = "Examples:\n  mesh uri show 'link://192.0.2.1:42424/?cs3a=…'\n  mesh uri new\n  mesh uri list"
    )]
    Uri(UriCommand),
    /// Measure throughput, round trips, link set-ups and memory, with TARGET or with itself
    #[command(after_help = "Examples:\n  \
        mesh bench\n  \
        mesh bench --transport tcp --cs 3a --seconds 5\n  \
        mesh bench --json > figures\n  \
        mesh bench @link.json --bytes 64M  # with a `mesh up --echo` elsewhere")]
    Bench(Bench),
    /// Print shell completions
    #[command(
        after_help = "Example:\n  mesh completions bash > ~/.local/share/bash-completion/completions/mesh"
    )]
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Bytes to stream, and of the largest file (1M = 1048576)
    #[arg(long, default_value = "64M", value_parser = parse_size)]
    pub(crate) bytes: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdCommand {
    /// Make an identity; never overwrites one
    #[command(
        after_help = "Examples:\n  mesh id new\n  mesh id new --out alice.json\n  mesh id new --cs 1a,2a,3a --out old.json  # for peers of 2015"
    )]
    New {
        /// Cipher sets, comma-separated, of 1a, 1c, 2a, 3a and 42; 3a and 42 if none is named
        #[arg(long, value_name = "CS,…", value_delimiter = ',', value_parser = parse_csid)]
        cs: Option<Vec<Csid>>,
        /// The file to make; the state directory's identity otherwise
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Show the public side of the identity
    #[command(after_help = "Examples:\n  mesh id show\n  mesh id show --format uri")]
    Show {
        /// How to print it
        #[arg(long, value_enum, default_value_t = IdFormat::Text)]
        format: IdFormat,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdFormat {
    /// Hashname and keys, for people
    Text,
    /// Link JSON
    Json,
    /// JSON Web Key
    Jwk,
    /// Link URI
    Uri,
    /// QR code of the URI
    Qr,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) listen: Listen,
    /// Link to TARGET and stay linked (may be repeated)
    #[arg(long, value_name = "TARGET")]
    pub(crate) link: Vec<String>,
    /// Send back the bytes of every stream
    #[arg(long)]
    pub(crate) echo: bool,
    /// Let whoever links to us connect there through us (may be repeated): CIDR, CIDR:PORT,
    /// CIDR:PORT-PORT, HOST:PORT or *:PORT; private and loopback addresses only if their network, or
    /// localhost, is named
    #[arg(long, value_name = "RULE")]
    pub(crate) allow_connect: Vec<AllowRule>,
    /// Let whoever links to us listen on these TCP ports of this host (may be repeated): PORT,
    /// PORT-PORT, ADDRESS:PORT or *:PORT; without an address for programs of this host only
    #[arg(long, value_name = "RULE")]
    pub(crate) allow_bind: Vec<BindRule>,
    /// Receive files of whoever links to us into this folder, replacing nothing
    #[arg(long, value_name = "DIR")]
    pub(crate) recv: Option<PathBuf>,
    /// With --recv: take no more bytes than this in all, such as 10G
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "recv")]
    pub(crate) quota: Option<u64>,
    /// With --recv: refuse files that are larger than this
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "recv")]
    pub(crate) max_file: Option<u64>,
    #[command(flatten)]
    pub(crate) caching: Caching,
    /// Announce this endpoint on the local networks: everyone there learns its hashname and keys
    #[arg(long)]
    pub(crate) discover: bool,
    /// Route for everyone who is linked: carry links between those that have no direct way
    #[arg(long)]
    pub(crate) router: bool,
    /// Have the gateway of this network pass on what comes in for our ports, by PCP, NAT-PMP or UPnP:
    /// strangers outside can then reach this host on them
    #[arg(long)]
    pub(crate) portmap: bool,
    /// Use this router to reach others and to be reached (may be repeated); known routers are used
    /// anyway
    #[arg(long, value_name = "ROUTER")]
    pub(crate) via: Vec<String>,
    /// Draw the invite as a QR code
    #[arg(long)]
    pub(crate) qr: bool,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Invite {
    /// It is good for one other, as it is anyway
    #[arg(long, conflicts_with = "uses")]
    #[serde(skip)]
    pub(crate) once: bool,
    /// It is good for N others
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) uses: u32,
    /// How long it is good: 90s, 15m, 1h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_lifetime)]
    pub(crate) expires: Duration,
    /// What whoever redeems it will be called here
    #[arg(long)]
    pub(crate) alias: Option<String>,
    /// Draw it as a QR code
    #[arg(long)]
    pub(crate) qr: bool,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct ShareArgs {
    #[command(flatten)]
    pub(crate) terms: Invite,
    /// The router: its alias, its hashname or the beginning of it
    #[arg(long, value_name = "ROUTER")]
    pub(crate) via: Option<String>,
}

/// What can be done with the invites that are open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InvitesAction {
    List,
    Revoke { invite: Option<String>, all: bool },
}

/// Where to listen, and to whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Listen {
    #[command(flatten)]
    pub(crate) roads: Roads,
    /// Who may link
    #[arg(long, value_enum, default_value_t = Accept::Known)]
    pub(crate) accept: Accept,
    /// A hashname that may link, whatever --accept says (may be repeated)
    #[arg(long, value_name = "HASHNAME")]
    pub(crate) allow: Vec<Hashname>,
}

/// The addresses of each transport. Without any, all transports listen on every interface.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Roads {
    /// UDP address to listen on (may be repeated). With no address of any transport: UDP and TCP on
    /// port 42424, QUIC on 42425 and TLS on any, of all interfaces, or on other ports if these are
    /// taken
    #[arg(long, value_name = "ADDR")]
    pub(crate) udp: Vec<SocketAddr>,
    /// TCP address to listen on (may be repeated)
    #[arg(long, value_name = "ADDR")]
    pub(crate) tcp: Vec<SocketAddr>,
    /// TCP address to listen on for TLS (may be repeated)
    #[arg(long, value_name = "ADDR")]
    pub(crate) tls: Vec<SocketAddr>,
    /// UDP address to listen on for QUIC (may be repeated)
    #[arg(long, value_name = "ADDR")]
    pub(crate) quic: Vec<SocketAddr>,
}

impl Roads {
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [&self.udp, &self.tcp, &self.tls, &self.quic];
        lists.into_iter().all(Vec::is_empty)
    }
}

impl Up {
    pub(crate) fn listening(&self) -> Listening {
        Listening {
            echo: self.echo,
            discovery: true,
            announce: self.discover,
            router: self.router,
            portmap: self.portmap,
            ..self.listen.listening(true)
        }
    }
}

impl Listen {
    /// The same for an endpoint; `well_known` if others look for it on telehash's own port.
    pub(crate) fn listening(&self, well_known: bool) -> Listening {
        Listening {
            roads: self.roads.clone(),
            well_known,
            accept: self.accept,
            allow: self.allow.clone(),
            echo: false,
            discovery: false,
            announce: false,
            router: false,
            portmap: false,
        }
    }

    /// An endpoint that runs already listens as it was told when it was started.
    pub(crate) fn refuse_for_running(&self) -> Outcome {
        if self.roads.is_empty() && self.accept == Accept::Known && self.allow.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(
            "an endpoint runs already, and --udp, --tcp, --tls, --quic, --accept and --allow cannot \
             change it",
        )
        .hint("leave them out, stop that endpoint, or use another identity with --id"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accept {
    /// Nobody: only links that this side makes
    None,
    /// The known and trusted links
    Known,
    /// Ask at the terminal about strangers
    Ask,
    /// Everybody
    All,
}

impl Ping {
    /// Nobody is flooded by a mistake.
    pub(crate) const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);
}

#[derive(Debug, Args)]
pub(crate) struct Links {
    #[command(subcommand)]
    pub(crate) action: Option<LinksAction>,
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LinksAction {
    /// Remember a link
    Add {
        /// URI, link JSON, or @file with either
        target: String,
        /// A short name for it
        #[arg(long)]
        alias: Option<String>,
        /// It may link to us
        #[arg(long)]
        trust: bool,
    },
    /// Forget a link
    Rm {
        /// Alias, hashname, or unique prefix
        name: String,
    },
    /// It may link to us
    Trust {
        /// Alias, hashname, or unique prefix
        name: String,
    },
    /// It may never link to us
    Block {
        /// Alias, hashname, or unique prefix
        name: String,
    },
    /// Give it another alias
    Rename {
        /// Alias, hashname, or unique prefix
        name: String,
        /// The new alias
        alias: String,
    },
    /// Use it as a router: to reach others, and to be reached
    Router {
        /// Alias, hashname, or unique prefix
        name: String,
        /// No longer
        #[arg(long)]
        off: bool,
    },
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Discover {
    /// Announce ourselves meanwhile: everyone on the local networks learns our hashname and keys
    #[arg(long)]
    pub(crate) announce: bool,
    /// Seconds to listen; endpoints announce themselves every 10
    #[arg(long, value_name = "N", default_value = "12", value_parser = parse_seconds)]
    pub(crate) seconds: Duration,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Netcheck {
    /// Ask the gateway of this network whether it speaks PCP, NAT-PMP or UPnP; nothing is mapped
    #[arg(long)]
    pub(crate) gateway: bool,
    /// Seconds to wait for routers to tell where they see us
    #[arg(long, value_name = "N", default_value = "3", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct LinkArgs {
    /// URI, link JSON, @file with either, hashname, alias, or unique prefix of a known hashname
    pub(crate) target: String,
    /// Reach it through this router: then its hashname is enough (a target itself; may be repeated)
    #[arg(long, value_name = "ROUTER")]
    #[serde(default)]
    pub(crate) via: Vec<String>,
    /// Seconds to wait for the link
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
    /// Remember it under this name, once it is up
    #[arg(long)]
    #[serde(default)]
    pub(crate) alias: Option<String>,
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Ping {
    /// URI, link JSON, @file with either, hashname, alias, or unique prefix of a known hashname
    pub(crate) target: String,
    /// How many pings
    #[arg(short, long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// Seconds between them
    #[arg(short, long, value_name = "S", default_value = "1", value_parser = parse_seconds)]
    pub(crate) interval: Duration,
    /// Seconds to wait for the link, and for each answer
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Pipe {
    #[command(flatten)]
    pub(crate) end: PipeEnd,
    #[command(flatten)]
    pub(crate) at: Listen,
    /// Draw the invite as a QR code
    #[arg(long, requires = "listen")]
    pub(crate) qr: bool,
}

/// Where a pipe leads.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct PipeEnd {
    /// URI, link JSON, @file with either, hashname, alias, or unique prefix of a known hashname
    #[arg(required_unless_present = "listen", conflicts_with = "listen")]
    pub(crate) target: Option<String>,
    /// Where the target is to connect to; a stream of its own otherwise
    #[arg(skip)]
    #[serde(default)]
    pub(crate) to: Option<HostPort>,
    /// Wait for one stream instead; prints an invite on stderr
    #[arg(long)]
    pub(crate) listen: bool,
    /// Seconds to wait for the link
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UriCommand {
    /// Explain a URI: keys, hashname, paths, and what had to be skipped
    #[command(after_help = "Example:\n  mesh uri show 'link://192.0.2.1:42424/?cs3a=…'")]
    Show {
        /// The URI
        uri: String,
        /// Fail on anything that is not well-formed, instead of skipping it
        #[arg(long)]
        strict: bool,
        /// Draw it as a QR code
        #[arg(long)]
        qr: bool,
    },
    /// Print a URI with which somebody else can link through a router, once; it does not say who we are
    #[command(after_help = "Examples:\n  \
        mesh uri new  # through a router of the running endpoint\n  \
        mesh uri new --once --expires 1h --via home --qr\n  \
        mesh uri revoke a4dqobyh")]
    New(ShareArgs),
    /// List invites and shared URIs that are neither spent nor expired, and as a router, its sessions
    #[command(after_help = "Example:\n  mesh uri list")]
    List,
    /// Take back an invite, a shared URI or, as a router, the session of a peer
    #[command(after_help = "Examples:\n  mesh uri revoke a4dqobyh\n  mesh uri revoke --all")]
    Revoke {
        /// The invite or URI, or what `mesh uri list` shows of it first
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        invite: Option<String>,
        /// All of them
        #[arg(long)]
        all: bool,
    },
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Bench {
    /// A running `mesh up --echo`; itself without one
    pub(crate) target: Option<String>,
    /// Seconds to measure for, in all
    #[arg(long, value_name = "N", default_value = "15", value_parser = parse_seconds)]
    pub(crate) seconds: Duration,
    /// Bytes after which a stream ends, if that is sooner (1M = 1048576); 256M with a target
    #[arg(long, value_parser = parse_size)]
    pub(crate) bytes: Option<u64>,
    /// Cipher set of the endpoints that it makes; 42 and then 3a if none is named
    #[arg(long, value_parser = parse_csid, conflicts_with = "target")]
    #[serde(skip)]
    pub(crate) cs: Option<Csid>,
    /// Transport between the endpoints that it makes; one after the other if none is named
    #[arg(long, value_enum, conflicts_with = "target")]
    #[serde(skip)]
    pub(crate) transport: Option<Transport>,
    /// Seconds to wait for the link
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Datagrams
    Udp,
    /// A byte stream
    Tcp,
    /// A byte stream inside TLS
    Tls,
    /// QUIC
    Quic,
}

impl Transport {
    pub(crate) const ALL: [Self; 4] = [Self::Udp, Self::Tcp, Self::Tls, Self::Quic];

    /// As it is typed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Quic => "quic",
        }
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a number of seconds"))?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if seconds <= 86_400.0 => Ok(duration),
        _ => Err(format!("`{text}` is out of range: 0 to 86400 seconds")),
    }
}

fn parse_lifetime(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        unit => return Err(format!("`{unit}` is no unit of time: use s, m, h or d")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("`{text}` is not a time, as 1h is"))?;
    number
        .checked_mul(unit)
        .filter(|seconds| (1..=365 * 86_400).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("`{text}` is out of range: 1s to 365d"))
}

fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        unit => return Err(format!("`{unit}` is no unit of size: use K, M or G")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("`{text}` is not a size, as 64M is"))?;
    number
        .checked_shl(shift)
        .filter(|size| size >> shift == number && (1..=1 << 40).contains(size))
        .ok_or_else(|| format!("`{text}` is out of range: 1 byte to 1024G"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("64M"), Ok(64 << 20));
        assert_eq!(parse_size("7"), Ok(7));
        assert_eq!(parse_size("1GiB"), Ok(1 << 30));
        for bad in ["", "M", "-1", "0", "12X", "99999999999G"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lifetimes_have_units() {
        assert_eq!(parse_lifetime("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(parse_lifetime("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_lifetime("365d"), Ok(Duration::from_secs(31_536_000)));
        for bad in ["", "h", "0", "-1s", "1w", "366d", "99999999999999999999d"] {
            assert!(parse_lifetime(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_may_be_fractions() {
        assert_eq!(parse_seconds("0.25"), Ok(Duration::from_millis(250)));
        for bad in ["", "x", "-1", "NaN", "1e9"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
