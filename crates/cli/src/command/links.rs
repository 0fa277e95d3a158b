//! `mesh links`: the known links.

use mesh::state::{KnownLink, KnownLinks, StateDir, Trust};
use mesh::{Hashname, LinkJson, LinkTarget};

use crate::args::LinksAction;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::record::{KnownRecord, Record, show_path};
use crate::report::Report;
use crate::target;

/// Works on a state directory that no endpoint uses.
pub(crate) async fn run(
    state: &StateDir,
    action: Option<LinksAction>,
    report: &mut Report,
) -> Outcome {
    let known = state.known_links()?;
    let own = state.identity()?.map(|identity| identity.hashname);
    let Some(action) = action else {
        return list(&known, report).await;
    };
    let record = change(&known, own, action)?;
    state.save_links(&known)?;
    report.report(record).await
}

/// Prints them all.
pub(crate) async fn list(known: &KnownLinks, report: &mut Report) -> Outcome {
    for link in known.all() {
        report.report(Record::Known(known_record(&link))).await?;
    }
    Ok(())
}

/// Changes one.
pub(crate) fn change(
    known: &KnownLinks,
    own: Option<Hashname>,
    action: LinksAction,
) -> Outcome<Record> {
    let hashname = match action {
        LinksAction::Add {
            target,
            alias,
            trust,
        } => add(known, own, &target, alias, trust)?,
        LinksAction::Rm { name } => {
            let hashname = known.find(&name)?;
            if !known.remove(&hashname) {
                return Err(not_known(&name));
            }
            return Ok(Record::Forgotten {
                hashname: hashname.to_string(),
            });
        }
        LinksAction::Trust { name } => set_trust(known, own, &name, Trust::Trusted)?,
        LinksAction::Block { name } => set_trust(known, own, &name, Trust::Blocked)?,
        LinksAction::Router { name, off } => {
            let hashname = known.find(&name)?;
            refuse_own(own, hashname)?;
            known.get(&hashname).ok_or_else(|| not_known(&name))?;
            known.set_router(hashname, !off)?;
            hashname
        }
        LinksAction::Rename { name, alias } => {
            let hashname = known.find(&name)?;
            known.get(&hashname).ok_or_else(|| not_known(&name))?;
            known.set_alias(hashname, Some(&alias))?;
            hashname
        }
    };
    let link = known
        .get(&hashname)
        .ok_or_else(|| not_known(&hashname.to_string()))?;
    Ok(Record::Known(known_record(&link)))
}

/// Remembers a link that is up, under this alias.
pub(crate) fn name(
    endpoint: &Endpoint,
    peer: Hashname,
    target: &LinkTarget,
    alias: &str,
) -> Outcome {
    let known = endpoint.known();
    if known.get(&peer).is_none() {
        known.remember(described(target.clone())?)?;
    }
    Ok(known.set_alias(peer, Some(alias))?)
}

fn add(
    known: &KnownLinks,
    own: Option<Hashname>,
    target: &str,
    alias: Option<String>,
    trust: bool,
) -> Outcome<Hashname> {
    let link = described(target::parse(target)?)?;
    let hashname = link.hashname;
    refuse_own(own, hashname)?;
    known.remember(link)?;
    if let Some(alias) = alias {
        known.set_alias(hashname, Some(&alias))?;
    }
    if trust {
        known.set_trust(hashname, Trust::Trusted)?;
    }
    Ok(hashname)
}

/// What a target says of whoever is meant.
fn described(target: LinkTarget) -> Outcome<LinkJson> {
    match target {
        LinkTarget::Uri { uri, .. } if matches!(uri.share(), Ok(Some(_))) => Err(Failure::usage(
            "the URI leads through a router, and does not say who is behind it",
        )
        .hint("`mesh link` with --alias follows it, and remembers who answers")),
        LinkTarget::Link(link) | LinkTarget::Uri { link, .. } => Ok(link),
        LinkTarget::Name(name) => Err(Failure::usage(format_args!(
            "`{name}` is no hashname, link JSON or URI"
        ))
        .hint("give one, or @ and the name of a file that holds one")),
        LinkTarget::Domain(uri) => Err(Failure::usage(format_args!(
            "{uri} holds no keys, so whose it is has to be looked up first"
        ))
        .hint("`mesh link` with --alias does that, and remembers what it finds")),
        _ => Err(Failure::usage("this kind of target cannot be remembered")),
    }
}

fn set_trust(
    known: &KnownLinks,
    own: Option<Hashname>,
    name: &str,
    trust: Trust,
) -> Outcome<Hashname> {
    let hashname = known.find(name)?;
    refuse_own(own, hashname)?;
    known.set_trust(hashname, trust)?;
    Ok(hashname)
}

fn refuse_own(own: Option<Hashname>, hashname: Hashname) -> Outcome {
    match own == Some(hashname) {
        true => Err(mesh::LinkError::OwnHashname.into()),
        false => Ok(()),
    }
}

fn not_known(name: &str) -> Failure {
    Failure::usage(format_args!("{name} is no known link")).hint("`mesh links` lists them")
}

fn known_record(known: &KnownLink) -> KnownRecord {
    let trust = match known.trust {
        Trust::Unknown => "unknown",
        Trust::Trusted => "trusted",
        Trust::Blocked => "blocked",
    };
    KnownRecord {
        hashname: known.link.hashname.to_string(),
        alias: known.alias.clone(),
        trust: trust.to_owned(),
        router: known.router,
        paths: known.link.paths.iter().map(show_path).collect(),
    }
}
