//! Hosts around a router, each a network namespace with the programs `ip` and `nsenter`.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::router::Router;
use crate::shell;

/// The one interface of a host.
const INTERFACE: &str = "eth0";

/// A namespace.
#[derive(Clone)]
pub(super) struct Namespace(String);

/// A host on a network of its own, which the router connects with the others'.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) namespace: Namespace,
    /// The third byte of its addresses.
    number: u8,
}

/// Three hosts around a router.
pub(super) struct Net {
    pub(super) router: Router,
    /// Where programs dial from.
    pub(super) dialer: Host,
    /// Where they are dialed.
    pub(super) listener: Host,
    /// Where strangers are.
    pub(super) stranger: Host,
}

impl Net {
    /// Makes it; `name` is unique among the scenarios.
    pub(super) fn new(name: &str) -> Result<Self> {
        let router = Router::new(Namespace::add(&format!("{name}-router"))?)?;
        let host = |role, number| Host::add(&format!("{name}-{role}"), number, &router);
        Ok(Self {
            dialer: host("dialer", 1)?,
            listener: host("listener", 2)?,
            stranger: host("stranger", 3)?,
            router,
        })
    }
}

impl Host {
    fn add(name: &str, number: u8, router: &Router) -> Result<Self> {
        let namespace = Namespace::add(name)?;
        let host = Self { namespace, number };
        let there = host.interface_of_router();
        let router = &router.namespace;
        host.namespace.ip(&format!(
            "link add {INTERFACE} type veth peer name {there} netns {}",
            router.0
        ))?;
        router.ip(&format!("address add 10.0.{number}.1/24 dev {there}"))?;
        router.ip(&format!("link set dev {there} up"))?;
        host.add_address(host.address())?;
        host.namespace.ip(&format!("link set dev {INTERFACE} up"))?;
        host.add_route()?;
        Ok(host)
    }

    /// The address that it has at first.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.address_ending(2)
    }

    /// Loses its address and gets another, as a host does that moves to another network.
    pub(super) fn move_address(&self) -> Result<Ipv4Addr> {
        let (old, new) = (self.address(), self.address_ending(77));
        self.namespace
            .ip(&format!("address del {old}/24 dev {INTERFACE}"))?;
        self.add_address(new)?;
        self.add_route()?;
        Ok(new)
    }

    /// Sends its packets one by one, as a network takes them, instead of many in one that is cut up at the very end.
    pub(super) fn send_singly(&self) -> Result<()> {
        self.namespace
            .ip(&format!("link set dev {INTERFACE} gso_max_segs 1"))
    }

    /// The network that it is on.
    pub(super) fn network(&self) -> String {
        format!("{}/24", self.address_ending(0))
    }

    /// The router's interface to it.
    pub(super) fn interface_of_router(&self) -> String {
        format!("to-{}", self.number)
    }

    /// A command that runs `program` there. Its process is the program's own.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.namespace.command(program)
    }

    fn address_ending(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, self.number, last)
    }

    fn add_address(&self, address: Ipv4Addr) -> Result<()> {
        self.namespace
            .ip(&format!("address add {address}/24 dev {INTERFACE}"))
    }

    fn add_route(&self) -> Result<()> {
        let router = self.address_ending(1);
        self.namespace
            .ip(&format!("route replace default via {router}"))
    }
}

impl Namespace {
    /// Makes it; `name` is unique.
    pub(super) fn add(name: &str) -> Result<Self> {
        shell::output(Command::new("ip").args(["netns", "add", name]))?;
        let namespace = Self(name.to_owned());
        namespace.ip("link set dev lo up")?;
        Ok(namespace)
    }

    /// Runs `ip` with these words.
    pub(super) fn ip(&self, words: &str) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.0]).args(words.split(' '));
        shell::output(&mut command)?;
        Ok(())
    }

    /// Joins it with another: `own` here and `there` over there are the ends of one cable.
    pub(super) fn connect(&self, own: &str, other: &Self, there: &str) -> Result<()> {
        self.ip(&format!(
            "link add {own} type veth peer name {there} netns {}",
            other.0
        ))?;
        self.ip(&format!("link set dev {own} up"))?;
        other.ip(&format!("link set dev {there} up"))
    }

    /// Lets it forward packets.
    pub(super) fn forward(&self) -> Result<()> {
        join(self.inside(|| {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("could not make a router")
        }))
    }

    /// Runs `nft` with these commands.
    pub(super) fn nft(&self, commands: &str) -> Result<()> {
        shell::output(self.command("nft").arg(commands))?;
        Ok(())
    }

    /// A command that runs `program` in it.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.file().display()))
            .arg("--")
            .arg(program);
        command
    }

    /// Does `work` on a thread that is in it.
    pub(super) fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> JoinHandle<Result<T>> {
        let file = self.file();
        thread::spawn(move || {
            let namespace =
                File::open(&file).with_context(|| format!("could not open {}", file.display()))?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .context("could not enter a namespace")?;
            work()
        })
    }

    fn file(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.0)
    }
}

/// What a thread found.
pub(super) fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    match thread.join() {
        Ok(result) => result,
        Err(_) => bail!("a thread of this test panicked"),
    }
}
