//! The `mesh` program between hosts whose roads break, change and get crowded.
//!
//! Hosts are network namespaces around a router, another one. All of them, the programs in them and their files are in
//! namespaces that this command makes for itself first: nothing leaves them, two runs do not see each other, and they
//! vanish with this command however it ends. It takes root.

mod crowd;
mod cut;
mod descriptors;
mod enclosure;
mod endpoint;
mod flood;
mod mtu;
mod nat;
mod net;
mod roaming;
mod router;
mod silence;
mod stopped;
mod stream;
mod watch;
mod world;

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Result, ensure};

use self::enclosure::Enclosure;
use self::world::{Place, World};
use crate::report::{Outcome, Report};
use crate::shell;

pub(crate) use self::enclosure::Inside;

/// What is shown, and how.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    /// On three hosts around a router.
    Around(fn(&World) -> Result<String>),
    /// Behind two NATs.
    Behind(nat::Kind, nat::Kind, fn(&nat::Nats) -> Result<String>),
}

const fn scenario(name: &'static str, run: fn(&World) -> Result<String>) -> Scenario {
    Scenario {
        name,
        run: Run::Around(run),
    }
}

/// Scenarios that one command runs.
pub(crate) struct Plan {
    /// The command.
    name: &'static str,
    /// Each lane's scenarios follow one another; the lanes run at the same time.
    lanes: &'static [&'static [Scenario]],
}

/// What happens to roads.
pub(crate) const ROADS: Plan = Plan {
    name: "roads",
    lanes: &LANES,
};

/// Through NATs.
pub(crate) const NAT: Plan = Plan {
    name: "nat",
    lanes: &nat::LANES,
};

/// Those that only wait have lanes of their own, and those that need a processor share two.
const LANES: [&[Scenario]; 6] = [
    &[
        scenario("UDP is cut under a stream, and comes back", cut::run),
        scenario("the MTU drops to 1280, routers say so", mtu::told),
        scenario("the MTU drops to 1280, nobody says so", mtu::black_hole),
        scenario("the dialing host changes its address", roaming::dialer),
        scenario("the listening host changes its address", roaming::listener),
    ],
    &[
        scenario("silence over UDP", silence::udp),
        scenario("silence over TCP", silence::tcp),
        scenario("silence over TLS", silence::tls),
        scenario("silence over QUIC", silence::quic),
        scenario("2,000 idle and 2,000 slow connections", flood::run),
        scenario("no file descriptors left", descriptors::run),
    ],
    &[scenario(
        "the listener sleeps 90 s, UDP",
        stopped::listener_udp,
    )],
    &[scenario("the dialer sleeps 90 s, UDP", stopped::dialer_udp)],
    &[scenario(
        "the listener sleeps 90 s, TCP",
        stopped::listener_tcp,
    )],
    &[scenario("the dialer sleeps 90 s, TCP", stopped::dialer_tcp)],
];

impl Plan {
    /// Runs the scenarios whose names contain one of `parts`, or all.
    pub(crate) fn run(&self, parts: &[String]) -> Result<()> {
        let mut report = Report::new(self.name);
        self.add(&mut report, parts)?;
        report.finish()
    }

    /// Adds a step for each scenario.
    pub(crate) fn steps(&self, report: &mut Report) {
        if let Err(error) = self.add(report, &[]) {
            report.step(self.name, || Outcome::Failed(format!("{error:#}")));
        }
    }

    fn add(&self, report: &mut Report, parts: &[String]) -> Result<()> {
        enclosure::check()?;
        let program = shell::mesh_program()?;
        println!("==> {}", self.name);
        Enclosure::start(self.name, &program, parts)?.report(report)
    }

    /// What runs in the enclosure: the scenarios of all lanes.
    pub(crate) fn inside(&self, inside: &Inside, parts: &[String]) -> Result<()> {
        let wanted = |scenario: &&Scenario| {
            parts.is_empty() || parts.iter().any(|part| scenario.name.contains(part))
        };
        ensure!(
            self.lanes.concat().iter().any(|scenario| wanted(&scenario)),
            "no scenario has one of these in its name: {}",
            parts.join(", ")
        );
        enclosure::settle()?;
        thread::scope(|scope| {
            for (number, lane) in self.lanes.iter().enumerate() {
                scope.spawn(move || {
                    for (place, scenario) in lane.iter().enumerate().filter(|(_, it)| wanted(it)) {
                        let start = Instant::now();
                        let name = format!("{number}{place}");
                        let outcome = scenario.play(inside.program(), name);
                        enclosure::tell(scenario.name, &outcome, start.elapsed());
                    }
                });
            }
        });
        enclosure::tell_end();
        Ok(())
    }
}

impl Scenario {
    fn play(self, program: &Path, name: String) -> Result<String> {
        let place = Place::new(program, name)?;
        match self.run {
            Run::Around(run) => run(&World::new(place)?),
            Run::Behind(a, b, run) => run(&nat::Nats::new(place, a, b)?),
        }
    }
}

/// What something may take that should take `limit`: a machine of a CI has other things to do.
fn patient(limit: Duration) -> Duration {
    match env::var_os("CI") {
        Some(_) => 3 * limit,
        None => limit,
    }
}
