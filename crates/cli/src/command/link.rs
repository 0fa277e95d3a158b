//! `mesh link`: is it there, and how?

use std::time::Duration;

use mesh::{Hashname, LinkJson, LinkTarget, Path};

use crate::args::LinkArgs;
use crate::command::{links, status};
use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::operation::{link_up, link_up_to};
use crate::record::Record;
use crate::report::Report;
use crate::target;

/// How long to wait for paths other than the first that answers.
const OTHER_PATHS: Duration = Duration::from_millis(300);

/// Links, and reports the link with the round trip of every path that answers.
pub(crate) async fn perform(
    endpoint: &Endpoint,
    options: &LinkArgs,
    report: &mut Report,
) -> Outcome {
    let routers = routers_up(endpoint, options).await?;
    let target = found(target::parse(&options.target)?, endpoint).await?;
    let target = through(target, &routers, endpoint)?;
    let link = link_up_to(endpoint, target.clone(), options.wait).await?;
    // A peer that answers no path request is up all the same.
    let _ = link.ping_all(OTHER_PATHS).await;
    if let Some(alias) = &options.alias {
        links::name(endpoint, link.hashname(), &target, alias)?;
    }
    report
        .report(Record::Link(status::describe(endpoint, &link)))
        .await
}

/// Links to the routers that are named.
async fn routers_up(endpoint: &Endpoint, options: &LinkArgs) -> Outcome<Vec<Hashname>> {
    let mut routers = Vec::new();
    for router in &options.via {
        routers.push(link_up(endpoint, router, options.wait).await?.hashname());
    }
    Ok(routers)
}

/// The target, once it is known whose the domain is if it names no more than that.
async fn found(target: LinkTarget, endpoint: &Endpoint) -> Outcome<LinkTarget> {
    Ok(match target {
        LinkTarget::Domain(_) => LinkTarget::Link(endpoint.mesh.resolve(target).await?),
        target => target,
    })
}

/// The target, with these routers as further ways to it.
fn through(target: LinkTarget, routers: &[Hashname], endpoint: &Endpoint) -> Outcome<LinkTarget> {
    let ways = routers.iter().copied().map(Path::peer);
    Ok(match target {
        _ if routers.is_empty() => target,
        LinkTarget::Link(mut link) => {
            link.paths.extend(ways);
            LinkTarget::Link(link)
        }
        LinkTarget::Uri { mut link, uri } => {
            link.paths.extend(ways);
            LinkTarget::Uri { link, uri }
        }
        LinkTarget::Name(name) => {
            let known = endpoint.known();
            let hashname = known.find(&name)?;
            let link = known.get(&hashname).map(|known| known.link);
            let mut link = link.unwrap_or_else(|| LinkJson::named(hashname));
            link.paths.extend(ways);
            LinkTarget::Link(link)
        }
        other => other,
    })
}
