//! `mesh forward`.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::parse_seconds;
use crate::forward::{Bind, HostPort, Rule};

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Forward {
    /// URI, link JSON, @file with either, hashname, alias, or unique prefix of a known hashname
    pub(crate) target: String,
    /// Listen here, and have TARGET connect each TCP connection to HOST:HOSTPORT over there (may be
    /// repeated, as all of these)
    #[arg(short = 'L', value_name = LISTEN_TO)]
    pub(crate) local: Vec<Rule>,
    /// Have TARGET listen there, and connect each TCP connection to HOST:HOSTPORT here
    #[arg(short = 'R', value_name = LISTEN_TO)]
    pub(crate) remote: Vec<Rule>,
    /// Listen here for SOCKS5, and have TARGET connect to what programs ask for
    #[arg(short = 'D', value_name = "[BIND:]PORT")]
    pub(crate) dynamic: Vec<Bind>,
    /// Listen here for UDP, and have TARGET pass datagrams on to HOST:HOSTPORT over there, and back
    #[arg(short = 'U', value_name = LISTEN_TO)]
    pub(crate) udp: Vec<Rule>,
    /// Have TARGET connect to HOST:PORT over there, and pass stdin and stdout through
    #[arg(
        short = 'W',
        value_name = "HOST:PORT",
        conflicts_with_all = ["local", "remote", "dynamic", "udp"],
        required_unless_present_any = ["local", "remote", "dynamic", "udp"]
    )]
    #[serde(skip)]
    pub(crate) stdio: Option<HostPort>,
    /// Seconds to wait for the link: at the start, and for each connection when it is down
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_seconds)]
    pub(crate) wait: Duration,
}

const LISTEN_TO: &str = "[BIND:]PORT:HOST:HOSTPORT";

pub(super) const EXAMPLES: &str = "Examples:\n  \
    mesh forward bob -L 6379:localhost:6379  # his Redis, as if it ran here\n  \
    mesh forward bob -R 8080:localhost:3000  # he reaches our web server at his port 8080\n  \
    mesh forward bob -D 1080; curl --socks5-hostname localhost:1080 http://intranet/\n  \
    mesh forward bob -U 5353:10.0.0.1:53; dig @localhost -p 5353 example.org\n  \
    ssh -o ProxyCommand='mesh forward bob -W %h:%p' server\n\n\
    Without BIND only programs of this host can connect; BIND is an address, localhost, or * for everybody.\n\
    Port 0 is any free one, and is printed. TARGET lets nobody through unless told to:\n  \
    mesh up --allow-connect localhost:6379 --allow-connect 10.0.0.0/8:53 --allow-bind 8080";
