//! Two endpoints behind NATs, and a router that both can reach: by its hashname one links to the other, and then directly
//! where NATs allow that.

mod mapping;
mod network;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::endpoint::{Endpoint, accept};
use super::stream::{MB, Stream};
use super::{Run, Scenario, patient};
use crate::process;

pub(super) use self::network::{Kind, Nats};

use self::network::Kind::{Open, PortPreserving, RandomPort};

/// What it may take to link by hashname, and from then until traffic goes directly.
const UP: Duration = Duration::from_secs(5);

/// How long a link that cannot be direct is watched: it has to stay as it is.
const WATCHED: Duration = Duration::from_secs(4);

/// How often the status is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What is streamed past the NATs that forget, where, and how much a second.
const BYTES: u64 = 50 * MB;
const FORGET_AT: u64 = 15 * MB;
const RATE: u64 = 10 * MB;

/// A NAT that gives each destination another port lets nobody in but whom it was sent to, and cannot be foretold: two
/// such never meet, nor one and a NAT that minds whom it lets in.
pub(super) const LANES: [&[Scenario]; 4] = [
    &[
        cell("open - open", Open, Open, direct),
        cell("open - port-preserving", Open, PortPreserving, direct),
        cell("open - random-port", Open, RandomPort, direct),
        cell("port-preserving - open", PortPreserving, Open, direct),
    ],
    &[
        cell(
            "port-preserving - port-preserving",
            PortPreserving,
            PortPreserving,
            direct,
        ),
        cell("random-port - open", RandomPort, Open, direct),
        cell(
            "NATs forget under a stream",
            PortPreserving,
            PortPreserving,
            forgotten,
        ),
    ],
    &[
        cell(
            "port-preserving - random-port",
            PortPreserving,
            RandomPort,
            relayed,
        ),
        cell(
            "random-port - port-preserving",
            RandomPort,
            PortPreserving,
            relayed,
        ),
        cell("random-port - random-port", RandomPort, RandomPort, relayed),
    ],
    &[
        cell("mapped by PCP", RandomPort, Open, mapping::pcp),
        cell("mapped by NAT-PMP", RandomPort, Open, mapping::nat_pmp),
        cell("mapped by UPnP", RandomPort, Open, mapping::upnp),
    ],
];

const fn cell(name: &'static str, a: Kind, b: Kind, run: fn(&Nats) -> Result<String>) -> Scenario {
    Scenario {
        name,
        run: Run::Behind(a, b, run),
    }
}

/// The two, and the router.
struct Three {
    router: Endpoint,
    a: Endpoint,
    b: Endpoint,
}

impl Three {
    /// Starts them: both ends know nobody but the router.
    fn start(nats: &Nats) -> Result<Self> {
        let words = [["--router".into()].as_slice(), &accept("all")].concat();
        let place = &nats.place;
        let router = Endpoint::start(place, &nats.router, "router", &["udp"], &words)?;
        let words = [["--via".into(), router.target()].as_slice(), &accept("all")].concat();
        let a = Endpoint::start(place, &nats.a, "a", &["udp"], &words)?;
        let b = Endpoint::start(place, &nats.b, "b", &["udp"], &words)?;
        router.expect_links([a.hashname()?, b.hashname()?])?;
        Ok(Self { router, a, b })
    }

    /// Has B link to A by its hashname, and returns how long that took.
    fn link(&self) -> Result<Duration> {
        let limit = patient(UP);
        let start = Instant::now();
        let mut link = self.b.ask("link");
        link.args([self.a.hashname()?, "--wait", &limit.as_secs().to_string()]);
        let done = process::finish(&mut link, 2 * limit)?;
        ensure!(done.code == Some(0), "link: {}", done.last_error_line());
        Ok(start.elapsed())
    }

    /// Whether traffic of B goes directly, or by the router.
    fn way(&self) -> Result<String> {
        let link = self.b.status_of(self.a.hashname()?)?;
        let way = link["way"].as_str();
        Ok(way.context("the link goes by no way")?.to_owned())
    }

    /// Waits until it goes directly, and returns how long that took.
    fn expect_direct(&self) -> Result<Duration> {
        let start = Instant::now();
        while self.way()? != "direct" {
            ensure!(
                start.elapsed() < patient(UP),
                "it still goes by the router: {}",
                self.b.status_of(self.a.hashname()?)?
            );
            thread::sleep(LOOK);
        }
        Ok(start.elapsed())
    }

    fn ping(&self) -> Result<()> {
        let answered = self.b.ping(self.a.hashname()?, patient(UP))?;
        ensure!(answered, "no ping is answered");
        Ok(())
    }

    fn stop(self) -> Result<()> {
        self.a.stop()?;
        self.b.stop()?;
        self.router.stop()
    }
}

/// The link becomes direct, and lives on without the router.
fn direct(nats: &Nats) -> Result<String> {
    let three = Three::start(nats)?;
    let up = three.link()?;
    let direct = three.expect_direct()?;
    three.ping()?;
    let Three { router, a, b } = three;
    router.kill()?;
    let ping = b.ping(a.hashname()?, patient(UP))?;
    ensure!(ping, "no ping is answered once the router is dead");
    b.stop()?;
    a.stop()?;
    Ok(format!(
        "up after {:.2} s, direct {:.2} s later, and without the router",
        up.as_secs_f32(),
        direct.as_secs_f32()
    ))
}

/// The link goes by the router, and stays there.
fn relayed(nats: &Nats) -> Result<String> {
    let three = Three::start(nats)?;
    let up = three.link()?;
    let start = Instant::now();
    while start.elapsed() < WATCHED {
        let way = three.way()?;
        ensure!(way == "relayed", "these two NATs let a link through: {way}");
        thread::sleep(LOOK);
    }
    three.ping()?;
    three.stop()?;
    Ok(format!("up after {:.2} s, relayed", up.as_secs_f32()))
}

/// Both NATs forget all connections in the middle of a stream.
fn forgotten(nats: &Nats) -> Result<String> {
    let three = Three::start(nats)?;
    three.link()?;
    three.expect_direct()?;
    let mut pipe = three.b.ask("pipe");
    let stream = Stream::start(pipe.arg(three.a.hashname()?), BYTES, RATE)?;
    stream.expect(FORGET_AT)?;
    nats.forget()?;
    let arrived = stream.finish()?;
    let way = three.way()?;
    three.stop()?;
    Ok(format!("{}, {way} at the end", arrived.figures()))
}
