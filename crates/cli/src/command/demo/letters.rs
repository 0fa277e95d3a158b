//! Letters: bob is away, the router keeps what ann has for him, and he takes it when he is back.

use std::time::Instant;

use mesh::Identity;
use mesh::boxes::{MeshBoxExt as _, SendOptions};
use mesh::prelude::*;
use tokio::time::timeout;

use super::world::{self, World};
use super::{Figures, PATIENCE, figures};
use crate::failure::{Code, Failure, Outcome};

/// Letters that ann writes.
const LETTERS: usize = 20;

/// Bytes of one.
const BYTES: usize = 200;

pub(super) async fn wait(world: &mut World, link: &Link) -> Outcome<((), Figures)> {
    let start = Instant::now();
    let cache = world
        .router
        .cache_boxes(Quota::new())
        .map_err(Failure::failed)?;
    world.bob.close().await;
    // The link would notice it by itself, once he has been silent for long enough.
    link.close();
    let at_router = world.ann.get(&world.router.hashname());
    let at_router = at_router.ok_or_else(|| Failure::failed("ann has no link to the router"))?;
    let (ann, bob) = (world.ann_id.clone(), world.bob_id.clone());
    let mailbox = mailbox(&world.ann, ann)?;
    let by_router = SendOptions::new().cache(&at_router);
    for number in 0..LETTERS {
        let sent = mailbox.send(bob.keys(), letter(number), &by_router).await;
        let sent = sent.map_err(Failure::failed)?;
        if sent.direct {
            return Err(Failure::failed(
                "a letter reached somebody who is not there",
            ));
        }
    }
    let kept = cache.stats();
    // The same one, later.
    world.bob = world::bob(bob.clone(), world.ann.hashname(), None).await?;
    let mailbox = self::mailbox(&world.bob, bob)?;
    world.bob.link(world.router.local_link_json()).await?;
    for number in 0..LETTERS {
        let came = timeout(PATIENCE, mailbox.recv()).await.ok().flatten();
        let came = came.ok_or_else(|| Failure::failed("a letter does not come"))?;
        if came.from != world.ann.hashname() || came.body != letter(number) {
            let what = "a letter is not the one that was sent";
            return Err(Failure::new(Code::Integrity, what));
        }
    }
    let figures = figures([
        ("letters", LETTERS.into()),
        ("bytes_each", BYTES.into()),
        ("kept_by_router", kept.messages.into()),
        (
            "ms_there_and_back",
            (start.elapsed().as_millis() as u64).into(),
        ),
    ]);
    match kept.messages {
        LETTERS => Ok(((), figures)),
        kept => Err(Failure::failed(format_args!(
            "the router kept {kept} of {LETTERS} letters"
        ))),
    }
}

fn mailbox(mesh: &Mesh, identity: Identity) -> Outcome<Mailbox> {
    mesh.mailbox(identity).map_err(Failure::failed)
}

fn letter(number: usize) -> Vec<u8> {
    let mut letter = format!("letter {number}").into_bytes();
    letter.resize(BYTES, b'.');
    letter
}
