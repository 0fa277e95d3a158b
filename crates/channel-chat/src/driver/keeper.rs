//! Keeps up with every participant: links, channels, and both again when they break.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use telehash_hashname::Hashname;
use telehash_runtime::{HandlerError, Link, Mesh};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::line::GOODBYE;
use super::shared::Core;
use super::{line, profiles};
use crate::room::Participant;

/// Between two attempts, at first and at most.
const AGAIN: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

/// A channel that lasted so long is opened again at once.
const LASTED: Duration = Duration::from_secs(2);

/// How long whoever has the higher hashname leaves it to the other one to open the channel.
const YIELD: Duration = Duration::from_secs(2);

/// How long a link is waited for before the attempt begins anew.
const LINK: Duration = Duration::from_secs(60);

/// Keeps a task for everybody else, from when they join.
pub(super) async fn keep_everybody(mesh: Mesh, core: Arc<Core>) {
    let mut changed = core.changed();
    let mut kept = HashSet::from([core.me]);
    // Dropping it ends them.
    let mut tasks = JoinSet::new();
    loop {
        changed.mark_unchanged();
        for who in everybody(&core) {
            if kept.insert(who) {
                tasks.spawn(keep_until_closed(mesh.clone(), core.clone(), who));
            }
        }
        tokio::select! {
            changed = changed.changed() => if changed.is_err() { return },
            () = core.closed() => break,
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Ends with the chat, but not before it has said so.
async fn keep_until_closed(mesh: Mesh, core: Arc<Core>, who: Hashname) {
    let closed = async {
        core.closed().await;
        sleep(GOODBYE).await;
    };
    tokio::select! {
        () = keep(mesh, core.clone(), who) => {}
        () = closed => {}
    }
}

fn everybody(core: &Core) -> Vec<Hashname> {
    let room = core.room();
    let participants = room.participants().iter();
    participants
        .map(Participant::who)
        .chain([core.leader])
        .collect()
}

async fn keep(mesh: Mesh, core: Arc<Core>, who: Hashname) {
    let mut changed = core.changed();
    let mut again = AGAIN;
    while !core.is_closed() {
        changed.mark_unchanged();
        if core.has_line(&who) {
            again = AGAIN;
            if changed.changed().await.is_err() {
                return;
            }
            continue;
        }
        let last = core.room().last_from(&who);
        let lasted = match linked(&mesh, who).await {
            Ok(link) => talk(&core, &link).await.unwrap_or_default(),
            Err(_) => Duration::ZERO,
        };
        if lasted >= LASTED || core.room().last_from(&who) != last {
            again = AGAIN;
        } else if !core.has_line(&who) {
            sleep(again).await;
            again = (again * 2).min(LONGEST);
        }
    }
}

async fn linked(mesh: &Mesh, who: Hashname) -> Result<Link, HandlerError> {
    let link = match mesh.get(&who) {
        Some(link) => link,
        None => mesh.link(who).await?,
    };
    link.wait_up(LINK).await?;
    Ok(link)
}

/// Greets, and talks until the channel ends; how long it was there.
async fn talk(core: &Arc<Core>, link: &Link) -> Result<Duration, HandlerError> {
    let who = link.hashname();
    if core.me == core.leader {
        // JavaScript talks to nobody whose profile it did not get from them.
        profiles::send(core, link, profiles::known(core, &who)).await?;
    } else if !core.room().is_joined() {
        profiles::send(core, link, None).await?;
    }
    if core.me > who {
        sleep(YIELD).await;
        if core.has_line(&who) {
            return Ok(Duration::ZERO);
        }
    }
    let opened = Instant::now();
    line::open(core, link).await?;
    Ok(opened.elapsed())
}
