//! `mesh box put`: leaves a letter.

use std::time::Instant;

use data_encoding::BASE64;
use mesh::boxes::limits::{MAX_CACHES, MAX_MESSAGE};
use mesh::boxes::{BoxError, MailboxOptions, SealError, SendOptions};
use mesh::{ChannelError, Hashname, KeySet};
use tokio::io::AsyncReadExt as _;

use super::{Late, expand, reach};
use crate::access::Access;
use crate::args::{BoxPut, Global};
use crate::endpoint::{Endpoint, Listening};
use crate::failure::{Code, Failure, Outcome};
use crate::operation::{Request, link_up_to};
use crate::record::Record;
use crate::report::Report;
use crate::signal::interruptible;
use crate::{stdio, target};

pub(crate) async fn run(global: &Global, mut options: BoxPut, report: &mut Report) -> Outcome {
    options.target = target::expand(&options.target)?;
    expand(&mut options.via)?;
    if options.via.len() > MAX_CACHES {
        let what = format_args!("a letter goes to {MAX_CACHES} caches at most").to_string();
        return Err(Failure::usage(what).hint("leave some --via out"));
    }
    options.letter = interruptible(letter()).await?;
    let access = Access::open(global, &Listening::dialing()).await?;
    access.perform(Request::BoxPut(options), report).await
}

/// What standard input holds, in base64.
async fn letter() -> Outcome<String> {
    let unreadable = |error: std::io::Error| {
        Failure::failed(format_args!("cannot read standard input: {error}"))
    };
    let mut letter = Vec::new();
    let input = stdio::input().map_err(unreadable)?;
    let mut input = input.take(MAX_MESSAGE as u64 + 1);
    match input.read_to_end(&mut letter).await.map_err(unreadable)? > MAX_MESSAGE {
        true => Err(too_large()),
        false => Ok(BASE64.encode(&letter)),
    }
}

pub(crate) async fn perform(endpoint: &Endpoint, options: &BoxPut, report: &mut Report) -> Outcome {
    let letter = BASE64.decode(options.letter.as_bytes());
    let letter = letter.map_err(|error| Failure::usage(format_args!("no letter: {error}")))?;
    let start = Instant::now();
    let mailbox = endpoint.mailbox(MailboxOptions::new().send_only())?;
    let reached = reach(endpoint, &options.via, options.wait, Late::GivenUp, report);
    let (keys, caches) = tokio::join!(recipient(endpoint, options), reached);
    let (keys, caches) = (keys?, caches?);
    let to = keys
        .hashname()
        .ok_or_else(|| Failure::usage("the keys of TARGET are incomplete"))?;
    let mut sending = SendOptions::new();
    for cache in caches.values().filter(|cache| cache.hashname() != to) {
        sending = sending.cache(cache);
    }
    if let Some(keep) = options.keep_for {
        sending = sending.keep_for(keep);
    }
    let bytes = letter.len() as u64;
    let sent = mailbox.send(&keys, letter, &sending).await;
    let sent = sent.map_err(|error| failure(&to, error))?;
    for (who, why) in &sent.refused {
        let who = who.short();
        let message = format!("{who} did not take the letter: {why}");
        report.report(Record::Warning { message }).await?;
    }
    report
        .report(Record::LetterSent {
            hashname: to.to_string(),
            id: sent.id.to_string(),
            bytes,
            direct: sent.direct,
            caches: sent.caches.iter().map(Hashname::to_string).collect(),
            seconds: start.elapsed().as_secs_f64(),
        })
        .await
}

/// The keys of TARGET. If it is there it is linked afterwards.
async fn recipient(endpoint: &Endpoint, options: &BoxPut) -> Outcome<KeySet> {
    let target = target::parse(&options.target)?;
    let known = endpoint.mesh.resolve(target.clone()).await?;
    let linked = link_up_to(endpoint, target, options.wait).await;
    if known.keys.hashname().is_some() {
        return Ok(known.keys);
    }
    // A router may have told them.
    linked.map(|link| link.keys()).map_err(|_| {
        let who = known.hashname.short();
        let what = format_args!("the keys of {who} are not known, with which its letter is sealed");
        Failure::unreachable(what.to_string()).hint(
            "give its link JSON or URI in place of its hashname, or once to `mesh links add`; whoever it \
             is gets them with `mesh id show --format uri`",
        )
    })
}

fn failure(to: &Hashname, error: BoxError) -> Failure {
    let to = to.short();
    match error {
        BoxError::NowhereToPut => Failure::unreachable(format_args!(
            "{to} is not there, and no cache was reached to keep the letter"
        ))
        .hint("--via names a cache that both of you may link to; there, run `mesh up --box`"),
        BoxError::Channel(ChannelError::Peer(why)) => {
            let what = format_args!("nobody took the letter for {to}: {why}").to_string();
            Failure::new(Code::Refused, what).hint(
                "caches run `mesh up --box`; the recipient takes letters with `mesh box get --follow`",
            )
        }
        BoxError::Seal(SealError::TooLarge { .. }) => too_large(),
        BoxError::Seal(error) => Failure::failed(format_args!("no letter to {to}: {error}"))
            .hint("is its link JSON or URI complete, and of a version like ours?"),
        error => Failure::unreachable(format_args!("nobody took the letter for {to}: {error}"))
            .hint("try again; with several --via one of them is enough"),
    }
}

fn too_large() -> Failure {
    let what =
        format_args!("the letter is larger than the {MAX_MESSAGE} bytes that one may have sealed");
    Failure::usage(what.to_string()).hint("`mesh send` sends files of any size to whoever is there")
}
