//! `mesh demo`: the whole system on this machine, with real sockets and no configuration.

mod chat;
mod data;
mod echo;
mod file;
mod letters;
mod stranger;
mod world;

use std::time::{Duration, Instant};

use mesh::prelude::*;
use mesh::{ChannelError, CipherSets, Events, Identity, Path, generate_identity};
use serde_json::{Map, Value};
use tokio::time::timeout;

use self::world::World;
use crate::args::Demo;
use crate::failure::{Failure, Outcome};
use crate::record::{Record, show_path};
use crate::report::Report;

/// What any step may take, but for the transfer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A channel type that nobody handles.
const UNKNOWN: &str = "no-such-channel";

/// What a step measured, by name.
type Figures = Map<String, Value>;

/// Runs every step and reports it; the first that fails is the last.
pub(crate) async fn run(options: &Demo, report: &mut Report) -> Outcome {
    let mut demo = Steps { report };
    let (ann, bob) = demo.step("identities", async { identities() }).await?;
    let mut world = demo.step("endpoints", World::up(ann, bob)).await?;
    let mut events = world.ann.events();
    let link = demo.step("link", link(&world)).await?;
    demo.step("direct", direct(&world, &link, &mut events))
        .await?;
    demo.step("ping", ping(&link)).await?;
    demo.step(
        "stream",
        echo::transfer(&link, &mut world.echoes, options.bytes),
    )
    .await?;
    demo.step("chat", chat::talk(&world)).await?;
    demo.step("file", file::send(&world, &link, options.bytes))
        .await?;
    demo.step("unknown-channel", unknown_channel(&link)).await?;
    demo.step("stranger", stranger::knocks(&world.bob)).await?;
    demo.step("box", letters::wait(&mut world, &link)).await?;
    demo.step("close", close(&world, &link)).await
}

/// Runs the steps.
struct Steps<'a> {
    report: &'a mut Report,
}

impl Steps<'_> {
    async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Outcome<(T, Figures)>>,
    ) -> Outcome<T> {
        let start = Instant::now();
        let outcome = work.await;
        let ms = (start.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let (ok, result, mut figures) = match outcome {
            Ok((value, figures)) => (true, Ok(value), figures),
            Err(failure) => (false, Err(failure), Figures::new()),
        };
        figures.insert("ms".into(), ms.into());
        let step = name.to_owned();
        self.report
            .report(Record::Step { step, ok, figures })
            .await?;
        result.map_err(|failure| Failure::failed(format_args!("the step {name} failed: {failure}")))
    }
}

fn identities() -> Outcome<((Identity, Identity), Figures)> {
    let sets = CipherSets::default();
    let new = || generate_identity(&sets, sets.recommended());
    let (ann, bob) = (new()?, new()?);
    let figures = figures([
        ("ann", ann.hashname().to_string().into()),
        ("bob", bob.hashname().to_string().into()),
    ]);
    Ok(((ann, bob), figures))
}

/// Nothing is known of bob but his hashname, and that the router knows him.
async fn link(world: &World) -> Outcome<(Link, Figures)> {
    let link = world.ann.link(world.bob.hashname()).await?;
    link.wait_up(PATIENCE).await.map_err(Failure::unreachable)?;
    let csid = link.csid().map(|csid| csid.to_string());
    let figures = figures([("cipher_set", csid.into())]);
    Ok((link, figures))
}

/// The link came up through the router, and moves to a direct path.
async fn direct(world: &World, link: &Link, events: &mut Events) -> Outcome<((), Figures)> {
    let moved = timeout(PATIENCE, ways(link.hashname(), events)).await;
    let ways = moved.map_err(|_| Failure::failed("the link stays with the router"))?;
    let carried = world.router.stats().endpoint.forwarded;
    let ways: Vec<_> = ways.iter().map(show_path).collect();
    Ok((
        (),
        figures([
            ("ways", ways.into()),
            ("packets_through_router", carried.into()),
        ]),
    ))
}

/// The paths of a link, up to the first direct one.
async fn ways(peer: Hashname, events: &mut Events) -> Vec<Path> {
    let mut ways = Vec::new();
    while let Some(event) = events.next().await {
        let MeshEvent::PathSelected { hashname, path } = event else {
            continue;
        };
        ways.extend(path.filter(|_| hashname == peer));
        if !matches!(ways.last(), None | Some(Path::Peer { .. })) {
            break;
        }
    }
    ways
}

async fn ping(link: &Link) -> Outcome<((), Figures)> {
    let mut best = Duration::MAX;
    for _ in 0..10 {
        best = best.min(link.ping().await.map_err(Failure::unreachable)?.rtt);
    }
    Ok((
        (),
        figures([("best_rtt_us", (best.as_secs_f64() * 1e6).round().into())]),
    ))
}

/// A type that nobody handles is refused, and says so.
async fn unknown_channel(link: &Link) -> Outcome<((), Figures)> {
    let mut channel = link
        .open(Open::reliable(UNKNOWN))
        .await
        .map_err(Failure::unreachable)?;
    match channel.opened().await {
        Err(ChannelError::Peer(answer)) => Ok(((), figures([("answer", answer.into())]))),
        Err(error) => Err(Failure::failed(format_args!(
            "instead of a refusal: {error}"
        ))),
        Ok(()) => Err(Failure::failed("a channel of an unknown type was accepted")),
    }
}

/// All of them close in order, and nothing is left.
async fn close(world: &World, link: &Link) -> Outcome<((), Figures)> {
    world.ann.close().await;
    world.bob.close().await;
    world.router.close().await;
    let meshes = [&world.ann, &world.bob, &world.router];
    match link.is_closed() && meshes.iter().all(|mesh| mesh.links().is_empty()) {
        true => Ok(((), Figures::new())),
        false => Err(Failure::failed("a link is left over")),
    }
}

fn figures<const N: usize>(entries: [(&str, Value); N]) -> Figures {
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
